"""The security checklist: a line for each finding, and exit code 1 if there is one."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

# importing a group registers its checks
from vitals.ops.check.security import (
    checklist,
    configuration,
    gather,
    repository,
    service,
    source,
    tools,
)
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

GROUPS = (configuration, repository, service, source)
FIRST = (gather.running_service, *tools.LOOK_UPS)  # what takes long
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
    with ThreadPoolExecutor() as pool:
        seen = gather.Evidence(pool, FIRST)
        report = checklist.run(CHECKS, seen)
        lines = sorted(checklist.left(report, exceptions, dt.datetime.now(dt.UTC).date()))
        service = None if report.failed else seen.service
    done = f"{len(CHECKS)} checks, {len(exceptions)} findings accepted"
    if service and not service.operations:
        done = f"{steps.NOTHING_TO_TEST}: no route; {done}"
    if service and service.not_reached:
        done += f"; handlers that no request reached: {', '.join(service.not_reached)}"
    if report.not_run:
        done += "\nnot run: " + ", ".join(f"{id_} ({why})" for id_, why in report.not_run.items())
    if lines:
        raise Refused(f"{len(lines)} findings; {done}", output="\n".join(lines))
    return done


if __name__ == "__main__":
    steps.exit_with(lambda: steps.say(look()))
