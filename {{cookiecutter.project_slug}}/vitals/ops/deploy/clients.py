"""Clients of the last release: what they send is sent to both versions, and the answers compared.

That is the seeds and routes of its slo.toml, and one request for each operation of its description.
The new version must answer with the same class of status, and as that description promises.
"""

import json
import secrets
from collections.abc import Iterator
from itertools import islice

import httpx

from vitals.ops.check import api, api_answers
from vitals.ops.check.security import observe
from vitals.ops.check.security.observe import Answer
from vitals.ops.check.security.operations import Operation
from vitals.ops.check.security.requests import Requests
from vitals.ops.check.security.schemas import Schema
from vitals.ops.deploy.targets import Target
from vitals.ops.measure import load
from vitals.ops.measure.load import Load
from vitals.ops.measure.session import Session
from vitals.ops.project.token import Issuer
from vitals.ops.release import notes
from vitals.ops.release.releases import Release
from vitals.ops.run.steps import Refused

CONFLICT = 409  # with what was stored through the other version


def compare(target: Target, before: Release, session: Session, issuer: Issuer) -> str:
    """Ask the last release, which is kept warm, and the live version; return how often.

    Raises `Refused` with each answer that its clients don't expect, unless a change record says
    that they break.
    """
    file, (live, _) = before.folder / api.FILE, target.state()
    description = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    answers = list[dict[str, Answer]]()
    for slot in sorted(target.slots, key=live.__eq__):  # the live one is the second
        with target.reach(slot) as url:
            answers.append(_answers(url, before, description, session, issuer))
    differences = [
        f"{name}: {difference}"
        for name in answers[0].keys() & answers[1].keys()
        for difference in _differences(answers[0][name], answers[1][name], description)
    ]
    version, found = before.build.version, "\n".join(sorted(differences))
    if differences and not notes.breaking(notes.since(before.build.commit)):
        fix = 'answer as before, or say in a change record: breaks = "clients …"'
        raise Refused(f"clients of {version} break", "answers as it describes them", fix, found)
    on_record = f"; {len(differences)} break, as a record says" if differences else ""
    return f"{len(answers[0])} requests of clients of {version}{on_record}"


def _answers(
    url: str, before: Release, description: Schema, session: Session, issuer: Issuer
) -> dict[str, Answer]:
    """The answers, by what was asked."""
    plan = load.read(before.folder)
    with load.client(url, before, timeout=observe.ANSWER_SECONDS) as client:
        # Each version gets texts of its own, so that what the other has stored is no conflict.
        texts = {at: "".join(map(secrets.choice, [observe.LETTERS] * 14)) for at in observe.SENT}
        requests = Requests(client, issuer, texts, plan if plan.login else load.EMPTY)
        planned = dict(_planned(client, plan, session))
        return planned | dict(_of_each_operation(client, requests, description))


def _planned(client: httpx.Client, plan: Load, session: Session) -> Iterator[tuple[str, Answer]]:
    """The seeds and routes of slo.toml, each once."""
    named = {f"{each.method} {each.path}": each for each in plan.seeds}
    named |= {route.name: route.request for route in plan.routes}
    for name, request in named.items():
        if request.method != "DELETE":  # what the second one would look for
            try:
                answer = session.send(client, request)
            except httpx.TransportError as error:
                raise Refused(f"{name}: {error!r}", "an answer") from error
            seen = Answer(Operation(name), "", answer.status_code, answer.headers, answer.text)
            yield f"{name} of slo.toml", seen


def _of_each_operation(
    client: httpx.Client, requests: Requests, description: Schema
) -> Iterator[tuple[str, Answer]]:
    """One request for each; what deletes is sent only for what was created here."""
    parts, operations = description.get("components", {}), list[Operation]()
    for path, methods in description.get("paths", {}).items():
        for method, spec in methods.items():
            public = not spec.get("security") or {} in spec["security"]
            one = Operation.of(f"{method.upper()} {path}", spec, parts)
            operations.append(one._replace(public=public))
    for sent in islice(requests.all(operations, 0), len(operations)):
        name, method = sent.operation.name, sent.operation.method
        if method != "DELETE" or name.partition(" ")[2].partition("/{")[0] in requests.created:
            yield name, observe.receive(client, sent)


def _differences(old: Answer, new: Answer, description: Schema) -> Iterator[str]:
    if old.status // 100 == new.status // 100:
        before = set(api_answers.faults(old, description))
        yield from (x for x in api_answers.faults(new, description) if x not in before)
    elif new.status != CONFLICT:
        yield f"answered {new.status}, before {old.status}"
