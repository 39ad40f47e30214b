"""Which texts does a setting take, beside plain text and numbers? Lists are given by comma."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo

REFERENCE = "secret://"
PLACEHOLDERS = ("change", "example", "password", "placeholder")
DIFFERENT = 10  # characters: 16 random ones have fewer in one case of 10,000
HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?").fullmatch
ORIGIN = re.compile(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?").fullmatch


def url(*schemes: str) -> AfterValidator:
    """A URL with one of the schemes; a fault shows nothing of it."""
    begins = tuple(f"{scheme}://" for scheme in schemes)

    def check(value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(begins):
            raise ValueError("a URL that starts with " + " or ".join(begins))
        return value

    return AfterValidator(check)


def _from_its_file(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str) or not value.startswith(REFERENCE):
        return value
    file = info.data["secrets_dir"] / value.removeprefix(REFERENCE)
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise ValueError(f"it in {file}, but: {why}; put it there") from error


def _no_placeholder(value: SecretStr, info: ValidationInfo) -> SecretStr:
    text = value.get_secret_value()
    secret = (urlsplit(text).password or "") if "://" in text else text
    is_far = info.data.get("environment") in ("staging", "production")
    if is_far and any(word in secret.lower() for word in PLACEHOLDERS):
        raise ValueError("a real one, no placeholder")
    return value


def _strong(value: SecretStr) -> SecretStr:
    if len(set(value.get_secret_value())) < DIFFERENT:
        raise ValueError("random text, such as `openssl rand -base64 32` prints")
    return value


def _by_comma(fits: Callable[[str], object], rule: str) -> BeforeValidator:
    def split(value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        if not all(map(fits, parts)):
            raise ValueError(rule)
        return parts

    return BeforeValidator(split)


def _needed_for_tokens(value: str, info: ValidationInfo) -> str:
    if info.data.get("auth") == "jwt" and not value:
        raise ValueError("a value, because APP_AUTH is jwt")
    return value


def _key_url(value: str) -> str:
    if value and not value.startswith(("https://", "file:///")):
        raise ValueError("a URL that starts with https:// or file:///")
    return value


def _is_network(text: str) -> bool:
    try:
        return ip_network(text).prefixlen > 0
    except ValueError:
        return False


Hosts = Annotated[
    tuple[str, ...], _by_comma(HOST, "host names such as api.example.com, *.example.com, by comma")
]
Origins = Annotated[
    tuple[str, ...], _by_comma(ORIGIN, "origins such as https://shop.example.com, by comma; no *")
]
Networks = Annotated[
    tuple[str, ...], _by_comma(_is_network, "addresses or networks such as 10.0.0.0/8, by comma")
]
Secret = Annotated[SecretStr, BeforeValidator(_from_its_file), AfterValidator(_no_placeholder)]
Token = Annotated[Secret, AfterValidator(_strong)]
TokenRule = Annotated[str, AfterValidator(_needed_for_tokens)]
KeyUrl = Annotated[TokenRule, AfterValidator(_key_url)]
