"""What the description of the API can't say: a price has two decimals, an image is an image."""

from typing import Any

import schemathesis
from hypothesis import strategies

MOST = 99_999_999.99
FILES = {
    "image/png": "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082",
    "image/jpeg": "ffd8ffe000104a46494600010100000100010000ffd9",
    "application/pdf": b"%PDF-1.7\n%%EOF\n".hex(),
}

for media_type, content in FILES.items():
    schemathesis.openapi.media_type(media_type, strategies.just(bytes.fromhex(content)))


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:  # noqa: ARG001 - its signature
    price = body.get("price") if isinstance(body, dict) else None
    if isinstance(price, float) and 0.01 <= price <= MOST:  # others are to be refused as they are
        body["price"] = round(price, 2)
    return body
