"""The issuer's public keys (JWKS, RFC 7517): fetched when they are needed, one fetch at a time.

Known keys keep working while the issuer is not available; one that it no longer lists is dropped
at the next fetch. Keys that are too weak, or not for signatures, are ignored.
"""

import asyncio
import json
import logging
import math
import re
import time
import urllib.request
from http.client import HTTPException
from typing import Any

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from vitals.problems import Problem

ALGORITHM = re.compile("(RS|PS|ES)(256|384|512)|EdDSA").fullmatch
# What the parsers raise on a malformed key or token, beside their own errors.
MALFORMED = (PyJWTError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
MIN_RSA_BITS = 2048
MAX_AGE_SECONDS = 300.0
PAUSE_SECONDS = 1.0  # between two fetches, however many unknown keys are asked for
FETCH_SECONDS = 2.0
MAX_BYTES = 262_144

log = logging.getLogger(__name__)


class JwksCache:
    """The issuer's public keys, by their `kid`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: dict[str, PyJWK] = {}
        self._fetched = -math.inf
        self._fetching: asyncio.Task[None] | None = None
        self._down = False

    async def get(self, kid: str) -> PyJWK | None:
        """The key, or None if the issuer lists no such key. Raises Problem 503 if it is down."""
        key, age = self._known.get(kid), time.monotonic() - self._fetched
        if age > (PAUSE_SECONDS if key is None else MAX_AGE_SECONDS) and self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        if key is not None:
            return key
        if self._fetching is not None:
            await asyncio.shield(self._fetching)
        if kid not in self._known and self._down:
            # The caller is not known yet, so nothing was done.
            raise Problem(503, "the issuer of tokens is not available", retry_safe=True)
        return self._known.get(kid)

    async def _fetch(self) -> None:
        try:
            self._known = _usable(await asyncio.to_thread(_read, self._url))
        except (OSError, HTTPException, *MALFORMED) as error:
            if not self._down:
                log.warning("the issuer's keys can't be fetched: %s", type(error).__name__)
            self._down = True
        else:
            self._down = False
        finally:
            self._fetched = time.monotonic()
            self._fetching = None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Keys come from the configured address and no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _read(url: str) -> Any:
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(url, timeout=FETCH_SECONDS) as answer:
        return json.loads(answer.read(MAX_BYTES))


def _usable(listed: Any) -> dict[str, PyJWK]:
    """The usable keys of a JWKS. Raises LookupError if there is none."""
    keys = {}
    for described in listed["keys"]:
        try:
            key = PyJWK(described)
        except (*MALFORMED, NotImplementedError):  # what PyJWT raises for `alg: none`
            continue  # of an unknown kind
        strong = described["kty"] != "RSA" or key.key.key_size >= MIN_RSA_BITS
        if strong and ALGORITHM(key.algorithm_name) and described.get("use", "sig") == "sig":
            keys[str(described.get("kid"))] = key
    if not keys:
        raise LookupError("no usable key")
    return keys
