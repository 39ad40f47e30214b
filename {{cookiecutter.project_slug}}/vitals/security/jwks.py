"""The issuer's public keys (JWKS, RFC 7517): fetched when they are needed, one fetch at a time.

Known keys are fetched again in the background. They keep working while the issuer is not
available, for a day at most; one that it no longer lists is dropped at the next fetch. Keys that
are too weak, or not for signatures, are ignored.
"""

import asyncio
import json
import logging
import math
import re
import ssl
import time
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from vitals.problems import Problem

ALGORITHM = re.compile("(RS|PS|ES)(256|384|512)|EdDSA").fullmatch
RSA = [f"{padding}{bits}" for padding in ("RS", "PS") for bits in (256, 384, 512)]
# What the parsers raise on a malformed key or token, beside their own errors.
MALFORMED = (PyJWTError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
MIN_RSA_BITS = 2048
REFRESH_SECONDS = 300.0
MAX_AGE_SECONDS = 86_400.0  # keys that were not confirmed for so long are not trusted
PAUSE_SECONDS = 1.0  # between two fetches, however many unknown keys are asked for
FETCH_SECONDS = 2.0
MAX_BYTES, MAX_KEYS = 262_144, 50

log = logging.getLogger(__name__)


class JwksCache:
    """The issuer's public keys. `agent` is the User-Agent: firewalls refuse Python's own."""

    def __init__(self, url: str, agent: str = "vitals") -> None:
        self._url, self._agent = url, re.sub(r"[^\w./-]+", "-", agent, flags=re.ASCII)
        self._known: list[PyJWK] = []
        self._tried = self._confirmed = -math.inf
        self._fetching: asyncio.Task[None] | None = None
        self._down = False

    async def get(self, kid: str | None, *, newer: bool = False) -> list[PyJWK]:
        """The keys with this `kid`; both may have none (RFC 7515, 4.1.4; RFC 7517, 4.5).

        `newer` fetches them first, at most once a second. Raises Problem 503 if the keys are
        needed and the issuer is down; otherwise none means that it lists no such key.
        """
        found, age = self._matching(kid), time.monotonic() - self._tried
        needed = newer or not found
        if age > (PAUSE_SECONDS if needed else REFRESH_SECONDS) and self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        if needed and self._fetching is not None:
            await asyncio.wait([self._fetching], timeout=FETCH_SECONDS)
            found = self._matching(kid)
        if (newer or not found) and (self._down or self._fetching is not None):
            # The caller is not known yet, so nothing was done.
            raise Problem(503, "the issuer of tokens is not available", retry_safe=True)
        return found

    def _matching(self, kid: str | None) -> list[PyJWK]:
        if time.monotonic() - self._confirmed > MAX_AGE_SECONDS:
            return []
        return [key for key in self._known if kid is None or key.key_id in (kid, None)]

    async def _fetch(self) -> None:
        try:
            self._known = await asyncio.to_thread(_usable_keys, self._url, self._agent)
        except (OSError, HTTPException, *MALFORMED) as error:
            if not self._down:
                log.warning("the issuer's keys can't be fetched: %s", type(error).__name__)
            self._down = True
        else:
            self._down, self._confirmed = False, time.monotonic()
        finally:
            self._tried = time.monotonic()
            self._fetching = None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Keys come from the configured address and no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class _TimedSocket(ssl.SSLSocket):
    """The whole answer has FETCH_SECONDS, not each read of it."""

    _ends = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._ends = self._ends or time.monotonic() + FETCH_SECONDS
        self.settimeout(max(0.001, self._ends - time.monotonic()))
        return super().recv_into(*args, **kwargs)


def _usable_keys(url: str, agent: str) -> list[PyJWK]:
    """Fetch the keys, one for each algorithm. Raises LookupError if none is usable."""
    context = ssl.create_default_context()
    context.sslsocket_class = _TimedSocket
    https = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(_NoRedirect, https)
    opener.addheaders = [("User-Agent", agent)]
    try:
        with opener.open(url, timeout=FETCH_SECONDS) as answer:
            listed = json.loads(answer.read(MAX_BYTES))
    except HTTPError as refused:
        refused.close()  # it holds the connection, and Python 3.15 warns of that
        raise
    if not (keys := [key for each in listed["keys"][:MAX_KEYS] for key in _described(each)]):
        raise LookupError("no usable key")
    return keys


def _described(jwk: Any) -> list[PyJWK]:
    """The key for each algorithm that it may be used with: `alg`, else by its type."""
    try:
        for_signatures = jwk.get("use", "sig") == "sig" and "verify" in jwk.get("key_ops", "verify")
        names = RSA if jwk["kty"] == "RSA" and "alg" not in jwk else [jwk.get("alg")]
        keys = [PyJWK(jwk, name) for name in names] if for_signatures else []
    except (*MALFORMED, NotImplementedError):  # what PyJWT raises for `alg: none`
        return []  # of an unknown kind
    return [
        key
        for key in keys
        if ALGORITHM(key.algorithm_name)
        and (key.key_type != "RSA" or key.key.key_size >= MIN_RSA_BITS)
    ]
