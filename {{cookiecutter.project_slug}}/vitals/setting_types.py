"""Types of settings beside plain text and numbers. Lists are given by comma."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from vitals import connection_url

MIN_DISTINCT = 10  # characters: 16 random ones have fewer in one case of 10,000
HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?").fullmatch
HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*").fullmatch
OWN_PORT = "http:.*:80$|https:.*:443$"  # browsers leave it out, so it would never match
ORIGIN = re.compile(
    rf"(?!{OWN_PORT})https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:{connection_url.PORT})?"
).fullmatch
KEY_URL = re.compile(
    rf"(https://([\w.-]+|\[[\da-fA-F:.]+\])(:{connection_url.PORT})?(/[!-~]*)?|file:///[!-~]+)?",
    re.ASCII,
).fullmatch


def url(*schemes: str) -> AfterValidator:
    """Accept a URL with one of the schemes that can work; a refusal shows nothing of it."""
    return AfterValidator(
        lambda value: SecretStr(connection_url.checked(value.get_secret_value(), *schemes))
    )


def _strong(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("ASCII without spaces and line breaks, which no client can send")
    if len(set(text)) < MIN_DISTINCT:
        raise ValueError("random text, such as `openssl rand -base64 32` prints")
    return value


def _by_comma(is_valid: Callable[[str], object], rule: str) -> BeforeValidator:
    def split(value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        if not all(map(is_valid, parts)):
            raise ValueError(rule)
        return parts

    return BeforeValidator(split)


def _key_url(value: str) -> str:
    if not KEY_URL(value):
        raise ValueError("https://host/path or file:///path, without a password, ASCII only")
    return value


def _is_network(text: str) -> bool:
    try:
        return ip_network(text).prefixlen > 0
    except ValueError:
        return False


HostNames = Annotated[
    tuple[str, ...],
    _by_comma(HOST, "names such as api.example.com, *.example.com, by comma; no ports"),
]
Origins = Annotated[
    tuple[str, ...], _by_comma(ORIGIN, "origins such as https://shop.example.com, by comma; no *")
]
HeaderNames = Annotated[
    tuple[str, ...], _by_comma(HEADER, "headers such as Idempotency-Key, by comma; no *")
]
Networks = Annotated[
    tuple[str, ...], _by_comma(_is_network, "addresses or networks such as 10.0.0.0/8, by comma")
]
Token = Annotated[SecretStr, AfterValidator(_strong)]
KeyUrl = Annotated[str, AfterValidator(_key_url)]
