"""Requests to the example feature, and their expected answers."""

import collections
import json
import re
import urllib.error
import urllib.request
from email.message import Message

# method, path, body, expected status, times. A first read misses the cache, a later one hits it.
TRAFFIC = [
    ("POST", "/items", {"name": "coffee", "price": 12.5}, 201, 1),
    ("POST", "/items", {"name": "tea", "price": 4}, 201, 1),
    ("POST", "/items", {"name": "biscuit", "price": 2.25}, 201, 38),
    ("GET", "/items", None, 200, 5),
    ("GET", "/items/1", None, 200, 20),
    ("PUT", "/items/1", {"name": "coffee", "price": 13}, 200, 1),
    ("GET", "/items/1", None, 200, 10),
    ("GET", "/items/404", None, 404, 1),
    ("POST", "/items", {"name": "", "price": -1}, 422, 1),
]
# Repeated while the demo serves: mostly cache hits, some misses, and the demo's two faults.
STEADY = [
    *["/items/1", "/items/2", "/items"] * 4,
    "/reports/prices",
    *["/items/3", "/items/404", "/items"] * 2,
    "/reports/sales",
]
PAUSE_SECONDS = 0.1  # about 7 requests a second


class Unexpected(Exception):
    """An answer with an unexpected status."""


def send(address: str) -> collections.Counter[int]:
    """Send TRAFFIC to a service without items and count the answers by status.

    Raises Unexpected at the first unexpected status, and OSError when there is no answer.
    """
    answers: collections.Counter[int] = collections.Counter()
    for method, path, body, expected, times in TRAFFIC:
        for _ in range(times):
            status, said, _ = ask(method, address + path, body)
            if status != expected:
                text = said.decode(errors="replace")
                raise Unexpected(
                    f"{method} {path} was answered {status} {text}; expected {expected}"
                )
            answers[status] += 1
    return answers


def ask(method: str, url: str, body: object = None) -> tuple[int, bytes, Message]:
    """Send one request; an error status is an answer. Raises OSError when there is no answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, method=method, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def cost(address: str, path: str) -> str:
    """The cost of one read, from its Server-Timing header."""
    header = ask("GET", address + path)[2]["Server-Timing"]
    timing = {name: rest for name, _, rest in (part.partition(";") for part in header.split(", "))}
    took_ms = timing["app"].removeprefix("dur=")
    calls = re.search(r"\d+(?= calls)", timing.get("db", ""))
    cache = timing.get("cache", 'desc="none"').split('"')[1]
    return (
        f"GET {path}  {took_ms:>6} ms, database calls: {calls[0] if calls else 0}, cache: {cache}"
    )
