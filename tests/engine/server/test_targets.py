"""Request targets that are no path: the host in them counts (RFC 9112, 3.2.2)."""

import re

import pytest

from tests.engine.server.served import serving


def absolute(target: str, host: str = "api.example.com", method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("request_head", "status", "location"),
    [
        (absolute("http://api.example.com/items", "evil.example.net"), 200, None),
        (absolute("HTTPS://API.example.com.:8443/items?x=y"), 200, None),
        (absolute("http://evil.example.net/items"), 400, None),
        (absolute("http://api.example.com@evil.example.net/items"), 400, None),
        (absolute("http://evil.example.net/.api.example.com/items"), 400, None),
        (absolute("http://api.example.com:x/items"), 400, None),
        (absolute("ftp://api.example.com/items"), 400, None),
        (absolute("http:///items"), 400, None),
        (absolute("//evil.example.net/items"), 404, None),
        (absolute("http://api.example.com/items/"), 307, "http://api.example.com/items"),
        (absolute("/items/", "evil.example.net"), 400, None),
        (absolute("http://evil.example.net/items/"), 400, None),
        (absolute("http://10.0.0.7/livez"), 200, None),
        (absolute("api.example.com:443", method="CONNECT"), 400, None),
        (absolute("*", method="OPTIONS"), 404, None),
        (absolute("*", "evil.example.net", "OPTIONS"), 400, None),
        (absolute("/items").replace(b"Host", b"X-Host"), 400, None),
        (absolute("/items").replace(b"Host:", b"Host: api.example.com\r\nHost:"), 400, None),
    ],
    ids=str,
)
async def test_the_host_of_an_absolute_target_counts(
    request_head: bytes, status: int, location: str | None
) -> None:
    async with serving(allowed_hosts=("api.example.com",)) as served:

        @served.app.get("/items")
        async def items() -> str:
            return "all"

        client = await served.connect()
        await client.send(request_head)

        head = (await client.rest()).partition("\r\n\r\n")[0]
        assert head.startswith(f"HTTP/1.1 {status} ")
        found = re.search(r"^location: (.*)$", head, re.MULTILINE)
        assert (found and found[1].strip()) == location
