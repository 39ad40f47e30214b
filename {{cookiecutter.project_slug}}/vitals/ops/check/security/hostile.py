"""Hostile texts in each place of each operation that a client controls.

hostile.json has them by the categories of the Big List of Naughty Strings. The requests are made
from the schemas of the application's routes and sent with its log-in.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from vitals.ops.check.security import defective
from vitals.ops.check.security.bodies import body_of
from vitals.ops.check.security.operations import Operation
from vitals.ops.check.security.requests import ORDER
from vitals.ops.check.security.schemas import resolve, value
from vitals.ops.measure import load
from vitals.ops.measure.session import Session
from vitals.ops.run import shell

DATA = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
BODIES: list[str] = DATA.pop("bodies")
TEXTS = [text for texts in DATA.values() for text in texts] + ["\ud800", "A" * 201, "é" * 5_000]
TEXTS += ["👩" * 2_000, "((((" * 500, "a/" * 500]
WORDS = {"body": "canary", "password": "a canary in it"}
MOST = 1_200  # requests with a hostile text
REFUSED = (401, 403)


class Answer(NamedTuple):
    operation: str
    place: str  # empty for the request that is valid
    text: str
    status: int
    media_type: str


def operations(app: Any) -> list[Operation]:
    """The operations of an application's routes, hidden ones too; what deletes comes last."""
    found = defective.operations(app, set())
    return sorted(found, key=lambda each: (*ORDER, each.method).index(each.method))


def answers(url: str, every: Sequence[Operation]) -> Iterator[Answer]:
    """Send a valid request to each operation, then hostile ones; the first is to no operation."""
    plan = load.read(shell.ROOT)
    session = Session(plan)
    with httpx.Client(base_url=url, timeout=30) as client:
        session.seed(client)
        client.headers.update(session.credentials)
        yield _send(client, Operation("GET /no-such-path"), {})
        made = [(each, _valid(each)) for each in every if each.name.partition(" ")[0]]
        yield from (_send(client, each, valid) for each, valid in made)
        hostile = [(*pair, at, text) for pair in made for at in _leaves(pair[1]) for text in TEXTS]
        hostile += [
            (*pair, ("raw",), text) for pair in made if "body" in pair[1] for text in BODIES
        ]
        random.seed(0)
        for operation, valid, at, text in random.sample(hostile, min(MOST, len(hostile))):
            yield _send(client, operation, _replaced(valid, at, text), ".".join(map(str, at)), text)


def _valid(operation: Operation) -> dict[str, Any]:
    """The parts of a request that fits the schemas."""
    parts: dict[str, Any] = {}
    for each in operation.parameters:
        made = value(each["schema"], operation.schemas, WORDS, each["name"])
        parts.setdefault(each["in"], {})[each["name"]] = made
    for content in list(operation.content.values())[:1]:
        parts["body"] = value(content.get("schema", {}), operation.schemas, WORDS)
    return parts


def _send(
    client: httpx.Client,
    operation: Operation,
    parts: dict[str, Any],
    place: str = "",
    text: str = "",
) -> Answer:
    method, _, path = operation.name.partition(" ")
    for name, given in parts.get("path", {}).items():
        path = path.replace(f"{{{name}}}", quote(str(given).encode(errors="replace"), safe=""))
    headers = {name: _one_line(str(given)) for name, given in parts.get("header", {}).items()}
    query = {name: _encodable(given) for name, given in parts.get("query", {}).items()}
    content: dict[str, Any] = {}
    for media_type, described in list(operation.content.items())[:1]:
        headers["Content-Type"] = media_type.encode()
        schema = resolve(described.get("schema", {}), operation.schemas)
        if "raw" in parts:
            content = {"content": parts["raw"].encode("latin-1")}
        elif media_type.endswith("json"):
            content = {"content": json.dumps(parts["body"]).encode()}  # with lone surrogates
        elif content := body_of(media_type, schema, _encodable(parts["body"]), "a.txt"):
            del headers["Content-Type"]
        else:
            content = {"content": str(parts["body"]).encode(errors="replace")}
    answer = client.request(method, path, params=query, headers=headers, **content)
    kind = answer.headers.get("Content-Type", "") if answer.content else ""
    return Answer(operation.name, place, text, answer.status_code, kind)


def _leaves(parts: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all values that are no lists or objects."""
    if type(parts) not in (dict, list):
        yield at
        return
    for key, each in parts.items() if isinstance(parts, dict) else enumerate(parts):
        yield from _leaves(each, (*at, key))


def _replaced(parts: Any, at: tuple[Any, ...], text: str) -> Any:
    """A copy with the text at a place."""
    if not at:
        return text
    copy = parts.copy()
    copy[at[0]] = _replaced(
        copy.get(at[0]) if isinstance(copy, dict) else copy[at[0]], at[1:], text
    )
    return copy


def _encodable(made: Any) -> Any:
    """The same without lone surrogates, which only JSON can carry."""
    return json.loads(json.dumps(made, ensure_ascii=False).encode(errors="replace"))


def _one_line(text: str) -> bytes:
    return re.sub("[\0-\x1f\x7f]", "", text).strip().encode(errors="replace")
