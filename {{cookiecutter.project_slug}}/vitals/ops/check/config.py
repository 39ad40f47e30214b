"""Rules for config/: staging and production are complete, and differ only where a reason is given.

A new rule is a function in RULES that yields a fault. What the service's settings refuse is not
repeated here. SHOW=staging prints the resolved settings, secrets redacted.
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
EXIT_SECONDS = 5  # to cancel what did not finish, and to write the last lines of the log


@cache
def secrets() -> set[str]:
    """The settings of the service that are secrets."""
    names = settings.secret_names(project_file.load_settings_type())
    return {settings.PREFIX + name.upper() for name in names}


def only_in_one(given: Configuration) -> Iterator[Refused]:
    for one, other in (ENVIRONMENTS, ENVIRONMENTS[::-1]):
        for name in given.own[one].keys() - given.own[other].keys():
            found = f"{given.own[one][name].where}: {name} is not in config/{other}.env"
            fix = "add it there, or move it to config/common.env"
            yield Refused(found, "the same names in both", fix)


def the_same_in_both(given: Configuration) -> Iterator[Refused]:
    staging, production = given.own.values()
    for name in (staging.keys() & production.keys()) - secrets():
        if (line := staging[name]).value == production[name].value:
            found = f"{line.where}: {name}={line.value} in production too"
            yield Refused(found, "a value of its own", "move the line to config/common.env")


def given_twice(given: Configuration) -> Iterator[Refused]:
    for line in given.lines():
        if line.name in given.common and line != given.common[line.name]:
            found = f"{line.where}: {line.name} is in config/common.env too"
            yield Refused(found, "one place", "remove it there if it must differ, otherwise here")


def without_a_reason(given: Configuration) -> Iterator[Refused]:
    for line in given.lines():
        if line.name not in given.common and len(line.why) < 5:
            found = f"{line.where}: {line.name} has no reason"
            yield Refused(found, "a line `# why: …` above it", "write why it may differ")


def secrets_in_the_open(given: Configuration) -> Iterator[Refused]:
    for line in given.lines():
        if line.name in secrets() and not REFERENCE.fullmatch(line.value):
            found = f"{line.where}: {line.name} holds its secret"
            fix = "renew the secret, and put it into the file of that name in APP_SECRETS_DIR"
            yield Refused(found, "secret://name", fix)
        elif line.name not in secrets() and line.value.startswith(settings.REFERENCE):
            yield Refused(f"{line.where}: {line.name} is no secret", "its value")


def placeholders(given: Configuration) -> Iterator[Refused]:
    for line in given.lines():
        if line.name not in secrets() and any(w in line.value for w in settings.PLACEHOLDERS):
            found = f"{line.where}: {line.name} is the placeholder {line.value!r}"
            yield Refused(found, "the real value")


def not_of_this_place(given: Configuration) -> Iterator[Refused]:
    for line in given.lines():
        if line.name in FROM_THE_IMAGE:
            yield Refused(f"{line.where}: {line.name} is set by the image", fix="remove the line")
        if not line.name.startswith(READ_BY_THE_SERVICE):
            yield Refused(f"{line.where}: {line.name} is not read", "APP_… or OTEL_…")
    for name in ENVIRONMENTS:
        line = given.resolved(name).get("APP_ENVIRONMENT")
        if line and line.value != name:
            yield Refused(f"{line.where}: APP_ENVIRONMENT={line.value}", name)


def refused_by_the_service(given: Configuration) -> Iterator[str]:
    for name in ENVIRONMENTS:
        values = given.values(name)
        # Where a secret lies is known here; its text is checked when the service starts.
        unread = tuple(f"{secret}:" for secret in secrets() & values.keys())
        try:
            settings.load(project_file.load_settings_type(), values | FROM_THE_IMAGE)
        except settings.SettingsRefused as refused:
            yield from (f"{name}: {f}" for f in refused.faults if not f.startswith(unread))


def times_that_do_not_fit(given: Configuration) -> Iterator[Refused]:
    for name in ENVIRONMENTS:
        try:
            drain, shutdown, request = (
                float(given.values(name)[f"APP_{key}_SECONDS"])
                for key in ("DRAIN", "SHUTDOWN", "REQUEST")
            )
        except (KeyError, ValueError):
            continue  # the settings refuse it
        if request > shutdown:
            yield Refused(
                f"{name}: APP_REQUEST_SECONDS={request:g}, APP_SHUTDOWN_SECONDS={shutdown:g}",
                "that running requests can finish",
                "lengthen the second",
            )
        yield from _wrong_grace_periods(given.root, int(drain + shutdown + EXIT_SECONDS))


def _wrong_grace_periods(root: Path, seconds: int) -> Iterator[Refused]:
    expected = f"{seconds}: the settings' drain and shutdown, and {EXIT_SECONDS}"
    for file in sorted((root / "deploy").rglob("*.yaml")):
        for found in GRACE.finditer(file.read_text(encoding="utf-8")):
            if int(found[1]) != seconds:
                yield Refused(f"{file.relative_to(root)}: {found[0]!r}", expected)


RULES = (
    only_in_one,
    the_same_in_both,
    given_twice,
    without_a_reason,
    secrets_in_the_open,
    placeholders,
    not_of_this_place,
    refused_by_the_service,
    times_that_do_not_fit,
    parity.secrets_that_do_not_arrive,
)


def faults(given: Configuration) -> list[str]:
    """Every fault: where, what was found, what is expected, the fix."""
    found = given.faults + [str(fault) for rule in RULES for fault in rule(given)]
    return list(dict.fromkeys(found))


def check(root: Path) -> str:
    """Check the files in `root`; return what was compared. Raises `Refused` with all faults."""
    given = Configuration(root)
    if found := faults(given):
        raise Refused(f"{len(found)} faults in the configuration", output="\n".join(found))
    counted = f"{len(given.common)} settings are shared, {len(given.own['staging'])} differ"
    return f"{counted}; {parity.compare(given)}"


def show(root: Path, environment: str) -> str:
    """The resolved settings of an environment and where each comes from, secrets redacted."""
    if environment not in ENVIRONMENTS:
        expected = " or ".join(ENVIRONMENTS)
        raise Refused(f"SHOW={environment}", expected, "`make config SHOW=staging`")
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
