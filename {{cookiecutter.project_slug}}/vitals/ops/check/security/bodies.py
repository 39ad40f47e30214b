"""Bodies of requests: a value of a schema, encoded as JSON or as a form."""

from typing import Any

from vitals.ops.check.security.schemas import Schema, is_file


def body_of(media_type: str, schema: Schema, made: Any, file_name: str) -> dict[str, Any]:
    """The arguments of httpx for a body of JSON or of a form; empty for any other."""
    if media_type.endswith("json"):
        return {"json": made}
    if media_type == "application/x-www-form-urlencoded":
        return {"data": made}
    if media_type == "multipart/form-data":
        lists = {n: v if isinstance(v, list) else [v] for n, v in made.items()}
        names = {n: file_name for n, f in schema.get("properties", {}).items() if is_file(f)}
        return {"files": [(n, (names.get(n), str(v))) for n in lists for v in lists[n]]}
    return {}
