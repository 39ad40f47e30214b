"""Hostile texts in each place of each operation that a client controls.

hostile.json has them by the categories of the Big List of Naughty Strings. The requests are made
from the schemas of the application's routes and sent with its log-in.
"""

import json
import random
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from vitals.ops.check.security import defective
from vitals.ops.check.security.operations import ORDER, PLACES, Operation
from vitals.ops.measure import load
from vitals.ops.measure.session import Session
from vitals.ops.run import shell

DATA = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
BODIES: list[str] = DATA.pop("bodies")
TEXTS = [text for texts in DATA.values() for text in texts] + ["\ud800", "A" * 201, "é" * 5_000]
TEXTS += ["👩" * 2_000, "((((" * 500, "a/" * 500]
WORDS = {**dict.fromkeys((*PLACES, "body"), "canary"), "password": "a canary in it"}
MOST = 1_200  # requests with a hostile text
REFUSED = (401, 403)
Place = tuple[Any, ...]


class Answer(NamedTuple):
    operation: str
    place: str  # empty for the request that is valid
    text: str | bytes
    status: int
    media_type: str


def operations(app: Any) -> list[Operation]:
    """The operations of an application's routes, hidden ones too; what deletes comes last."""
    found = defective.operations(app, set())
    return sorted(found, key=lambda each: (*ORDER, each.method).index(each.method))


def answers(url: str, every: Sequence[Operation]) -> Iterator[Answer]:
    """Send a valid request to each operation, then hostile ones; the first is to no operation."""
    session = Session(load.read(shell.ROOT))
    with httpx.Client(base_url=url, timeout=30) as client:
        session.seed(client)
        client.headers.update(session.credentials)
        valid = [(each, each.values(WORDS)) for each in (Operation("GET /no-such-path"), *every)]
        yield from (_send(client, *pair) for pair in valid)
        hostile: list[tuple[Operation, dict[str, Any], Place, str | bytes]]
        hostile = [(*pair, at, text) for pair in valid for at in _leaves(pair[1]) for text in TEXTS]
        with_body = [pair for pair in valid if "body" in pair[1]]
        hostile += [(*pair, ("body",), x.encode("latin-1")) for pair in with_body for x in BODIES]
        random.seed(0)
        for each in random.sample(hostile, min(MOST, len(hostile))):
            yield _send(client, *each)


def _send(
    client: httpx.Client,
    operation: Operation,
    values: dict[str, Any],
    at: Place = (),
    text: str | bytes = "",
) -> Answer:
    """Send a request, with the text at a place."""
    inside = values = deepcopy(values)
    for key in at[:-1]:
        inside = inside[key]
    if at:
        inside[at[-1]] = text
    answer = client.send(operation.request(client, values))
    kind = answer.headers.get("Content-Type", "") if answer.content else ""
    return Answer(operation.name, ".".join(map(str, at)), text, answer.status_code, kind)


def _leaves(values: Any, at: Place = ()) -> Iterator[Place]:
    """The places of all values that are no lists or objects."""
    if type(values) not in (dict, list):
        yield at
        return
    for key, each in values.items() if isinstance(values, dict) else enumerate(values):
        yield from _leaves(each, (*at, key))
