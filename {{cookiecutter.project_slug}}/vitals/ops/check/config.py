"""Rules for config/: staging and production are complete, and differ only where a reason is given.

A new rule is a function in RULES that yields a line for each fault. What the service's settings
refuse is not repeated here. SHOW=staging prints the resolved settings with secrets redacted.
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from vitals import settings
from vitals.ops.check import parity
from vitals.ops.env_files import ENVIRONMENTS, Configuration
from vitals.ops.run import project_file, shell, steps
from vitals.ops.run.steps import Refused

FROM_THE_IMAGE = {"APP_VERSION": "v0.0.0", "APP_COMMIT": "0" * 40}
READ_BY_THE_SERVICE = (settings.PREFIX, "OTEL_")
REFERENCE = re.compile(settings.REFERENCE + r"[a-z][a-z0-9_]*")
GRACE = re.compile(r"\b(?:stop_grace_period|terminationGracePeriodSeconds): *(\d+)s?\b")
CUT_SECONDS = 5  # to end what did not finish, and to write the last lines of the log


@cache
def secrets() -> set[str]:
    """The settings of the service that are secrets."""
    names = settings.secret_names(project_file.load_settings_type())
    return {settings.PREFIX + name.upper() for name in names}


def only_in_one(given: Configuration) -> Iterator[str]:
    for one, other in (ENVIRONMENTS, ENVIRONMENTS[::-1]):
        for name in given.own[one].keys() - given.own[other].keys():
            yield (
                f"{given.own[one][name].where}: {name} is not in config/{other}.env; expected the "
                "same names in both; add it there, or move it to config/common.env"
            )


def the_same_in_both(given: Configuration) -> Iterator[str]:
    staging, production = given.own.values()
    for name in (staging.keys() & production.keys()) - secrets():
        if staging[name].value == production[name].value:
            yield (
                f"{staging[name].where}: {name}={staging[name].value} in production too; expected "
                "a value of its own; move the line to config/common.env"
            )


def given_twice(given: Configuration) -> Iterator[str]:
    for line in given.lines():
        if line.name in given.common and line != given.common[line.name]:
            yield (
                f"{line.where}: {line.name} stands in config/common.env too; expected it in one "
                "place; remove it there if it must differ, otherwise here"
            )


def without_a_reason(given: Configuration) -> Iterator[str]:
    for line in given.lines():
        if line.name not in given.common and len(line.why) < 5:
            yield (
                f"{line.where}: {line.name} has no reason; expected a line `# why: …` above it "
                "that says why it may differ"
            )


def secrets_in_the_open(given: Configuration) -> Iterator[str]:
    for line in given.lines():
        if line.name in secrets() and not REFERENCE.fullmatch(line.value):
            yield (
                f"{line.where}: {line.name} holds its secret; expected secret://name; write that, "
                "renew the secret, and put it into the file of that name in APP_SECRETS_DIR"
            )
        elif line.name not in secrets() and line.value.startswith(settings.REFERENCE):
            yield f"{line.where}: {line.name} is no secret; expected its value; write it there"


def placeholders(given: Configuration) -> Iterator[str]:
    for line in given.lines():
        if line.name not in secrets() and any(w in line.value for w in settings.PLACEHOLDERS):
            yield (
                f"{line.where}: {line.name}: found the placeholder {line.value!r}; expected the "
                "real value; write it there"
            )


def not_of_this_place(given: Configuration) -> Iterator[str]:
    for line in given.lines():
        if line.name in FROM_THE_IMAGE:
            yield f"{line.where}: {line.name} comes from the image; expected no line; remove it"
        if not line.name.startswith(READ_BY_THE_SERVICE):
            yield f"{line.where}: {line.name} is read by nobody; expected APP_… or OTEL_…"
    for name in ENVIRONMENTS:
        line = given.resolved(name).get("APP_ENVIRONMENT")
        if line and line.value != name:
            yield f"{line.where}: found APP_ENVIRONMENT={line.value}; expected {name}; write that"


def refused_by_the_app(given: Configuration) -> Iterator[str]:
    for name in ENVIRONMENTS:
        values = given.values(name)
        # Where a secret lies is known here; what is in it is judged when the service starts.
        unread = tuple(f"{secret}:" for secret in secrets() & values.keys())
        try:
            settings.load(project_file.load_settings_type(), values | FROM_THE_IMAGE)
        except settings.SettingsRefused as refused:
            yield from (f"{name}: {f}" for f in refused.faults if not f.startswith(unread))


def times_that_do_not_fit(given: Configuration) -> Iterator[str]:
    for name in ENVIRONMENTS:
        try:
            drain, shutdown, request = (
                float(given.values(name)[f"APP_{key}_SECONDS"])
                for key in ("DRAIN", "SHUTDOWN", "REQUEST")
            )
        except (KeyError, ValueError):
            continue  # the app refuses it
        if request > shutdown:
            yield (
                f"{name}: found APP_REQUEST_SECONDS={request:g}, longer than APP_SHUTDOWN_SECONDS="
                f"{shutdown:g}; expected that what runs can finish; lengthen the second"
            )
        yield from _wrong_grace_periods(given.root, int(drain + shutdown + CUT_SECONDS))


def _wrong_grace_periods(root: Path, seconds: int) -> Iterator[str]:
    for file in sorted((root / "deploy").rglob("*.yaml")):
        for found in GRACE.finditer(file.read_text(encoding="utf-8")):
            if int(found[1]) != seconds:
                yield (
                    f"{file.relative_to(root)}: found {found[0]!r}; expected {seconds}: the "
                    f"settings' drain and shutdown, and {CUT_SECONDS}; write that"
                )


RULES = (
    only_in_one,
    the_same_in_both,
    given_twice,
    without_a_reason,
    secrets_in_the_open,
    placeholders,
    not_of_this_place,
    refused_by_the_app,
    times_that_do_not_fit,
)


def faults(given: Configuration) -> list[str]:
    """Every fault: where, what was found, what was expected, the fix."""
    found = given.faults + [fault for rule in RULES for fault in rule(given)]
    return list(dict.fromkeys(found))


def check(root: Path) -> str:
    """Check the files in `root`; return what was compared. Raises `Refused` with all faults."""
    given = Configuration(root)
    if found := faults(given):
        raise Refused(f"{len(found)} faults in the configuration", output="\n".join(found))
    counted = f"{len(given.common)} settings are shared, {len(given.own['staging'])} differ"
    return f"{counted}; {parity.compared(given)}"


def show(root: Path, environment: str) -> str:
    """The resolved settings of an environment and where each comes from, secrets redacted."""
    if environment not in ENVIRONMENTS:
        raise Refused(
            f"SHOW={environment}", " or ".join(ENVIRONMENTS), "`make config SHOW=staging`"
        )
    lines = sorted(Configuration(root).resolved(environment).values())
    listed = [(f"{line.name}={_redacted(line.name, line.value)}", line.where) for line in lines]
    width = max(len(text) for text, _ in listed)
    return "\n".join(f"{text:<{width}}  {where}" for text, where in listed)


def _redacted(name: str, value: str) -> str:
    return value if name not in secrets() or REFERENCE.fullmatch(value) else "***"


def main() -> None:
    environment = os.environ.get("SHOW")
    steps.say(show(shell.ROOT, environment) if environment else check(shell.ROOT))


if __name__ == "__main__":
    steps.exit_with(main)
