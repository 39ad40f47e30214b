"""Which headers has every answer?

The OWASP REST set. A route that needs another value of VARIABLE says so in its own answer.
"""

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
VARIABLE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
TWO_YEARS = "max-age=63072000; includeSubDomains"


def fixed(*, https_only: bool) -> list[tuple[bytes, bytes]]:
    """The headers that are the same on every answer."""
    more = {"Strict-Transport-Security": TWO_YEARS} if https_only else {}
    return _raw(FIXED | more)


def variable() -> list[tuple[bytes, bytes]]:
    """The headers of an answer that has none of its own under the same name."""
    return _raw(VARIABLE)


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
