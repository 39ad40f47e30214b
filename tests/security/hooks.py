"""What the description of the API can't say: a price has two decimals."""

from typing import Any

import schemathesis

MOST = 99_999_999.99


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:  # noqa: ARG001 - its signature
    price = body.get("price") if isinstance(body, dict) else None
    if isinstance(price, float) and 0.01 <= price <= MOST:  # others are to be refused as they are
        body["price"] = round(price, 2)
    return body
