"""The security checklist: a line for each finding, and exit code 1 if there is one.

What passed on the same inputs is not looked at again, but for advisories and the dates of
exceptions.
"""

import datetime as dt

# importing a group registers its checks
from vitals.ops.check import passes
from vitals.ops.check.security import (
    checklist,
    configuration,
    gather,
    repository,
    rules,
    service,
    source,
    tools,
)
from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Refused

GROUPS = (configuration, repository, rules, service, source, tools)
OF_THE_SERVICE = (configuration.__name__, service.__name__)
CHECKS = sorted(checklist.CHECKS)
ACCEPTED = "config/security-accepted.toml"


def look() -> str:
    """Run all checks; say what was done, and last what was not run.

    Raises Refused with all findings.
    """
    try:
        exceptions = checklist.accepted(shell.ROOT / ACCEPTED)
    except (OSError, ValueError) as error:
        raise Refused(str(error), "complete entries", f"see the head of {ACCEPTED}") from error
    keys = _keys()
    found = {part: passes.find(key) for part, key in keys.items()}
    stored = {part: result for part, result in found.items() if result is not None}
    todo = [check for check in CHECKS if part_of(check) not in stored]
    report = checklist.run(todo, seen := gather.Evidence())
    said = stored["service"]["said"] if "service" in stored else _said(report, seen)
    for result in stored.values():
        report.findings.update({(id_, place): line for id_, place, line in result["findings"]})
    lines = sorted(checklist.left(report, exceptions, dt.datetime.now(dt.UTC).date()))
    done = f"{said}{len(CHECKS)} checks, {len(exceptions)} findings accepted"
    if stored:
        done = f"unchanged: {', '.join(stored)}; {done}"
    if report.not_run:
        done += "\nnot run: " + ", ".join(f"{id_} ({why})" for id_, why in report.not_run.items())
    if lines:
        raise Refused(f"{len(lines)} findings; {done}", output="\n".join(lines))
    _store({part: key for part, key in keys.items() if part not in stored}, report, said)
    return done


def part_of(check: checklist.Check) -> str:
    """Which of the parts a check belongs to."""
    if check.id == "SEC-607":
        return "advisories"  # they come without a change of ours
    return "service" if check.look.__module__ in OF_THE_SERVICE else "repository"


def _keys() -> dict[str, str | None]:
    inputs = passes.Inputs()
    return {
        "service": inputs.key("security of the service", documents=False),
        "repository": inputs.key("security of the repository", more=git.history),
    }


def _store(keys: dict[str, str | None], report: checklist.Report, said: str) -> None:
    """Store what passed: each finding is one that was accepted."""
    part = {check.id: part_of(check) for check in CHECKS}
    now = _keys() if keys else {}
    for name, key in keys.items():
        own = [(*where, line) for where, line in report.findings.items() if part[where[0]] == name]
        if key == now[name] and not any(part[id_] == name for id_ in report.not_run):
            passes.store(key, {"findings": own, "said": said})


def _said(report: checklist.Report, seen: gather.Evidence) -> str:
    """What the running service had to say of itself; nothing where it was not seen."""
    if report.failed:
        return ""
    found = "" if seen.service.operations else f"{steps.NOTHING_TO_TEST}: no route; "
    if missed := seen.service.not_reached:
        found += f"handlers that no request reached: {', '.join(missed)}; "
    return found


if __name__ == "__main__":
    steps.exit_with(lambda: steps.say(look()))
