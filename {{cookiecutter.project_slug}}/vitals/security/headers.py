"""Headers of every answer: the OWASP REST set.

A route that needs another value of one of DEFAULTS sets it in its own answer.
"""

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
DEFAULTS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=63072000; includeSubDomains"}  # two years


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """The same headers as ASGI sends them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
