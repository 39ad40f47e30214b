"""The security checklist: a line for each finding, and exit code 1 if there is one."""

import datetime as dt

from vitals.ops.check.security import checklist, configuration, repository, service
from vitals.ops.check.security.checklist import accepted, findings, without_accepted
from vitals.ops.check.security.gather import gather
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

GROUPS = (configuration, repository, service)  # importing them registers their checks
CHECKS = sorted(checklist.CHECKS)
ACCEPTED = "config/security-accepted.toml"


def look() -> str:
    """Run all checks; say what was done, and last what was not run.

    Raises Refused with all findings.
    """
    try:
        exceptions = accepted(shell.ROOT / ACCEPTED)
    except (OSError, ValueError) as error:
        raise Refused(str(error), "complete entries", f"see the head of {ACCEPTED}") from error
    seen = gather()
    today = dt.datetime.now(dt.UTC).date()
    left = without_accepted(findings(CHECKS, seen), exceptions, today)
    not_run = "; not run: SEC-607" if seen.advisories is None else ""
    done = f"{len(CHECKS)} checks, {len(exceptions)} findings accepted{not_run}"
    if left:
        lines = "\n".join(sorted(left))
        raise Refused(f"{len(left)} findings; {done}", output=lines)
    nothing = "" if seen.service.operations else f"{steps.NOTHING_TO_TEST}: no route; "
    return nothing + done


if __name__ == "__main__":
    steps.exit_with(lambda: steps.say(look()))
