"""The whole checklist: a line for each thing that is wrong, and exit code 1 if there is one."""

import datetime as dt
from pathlib import Path

from vitals.ops.check.security import headers, limits, logs, permissions, secrets
from vitals.ops.check.security.checklist import Check, accepted, findings, without_accepted
from vitals.ops.check.security.gather import gather
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

GROUPS = (permissions, secrets, headers, limits, logs, delivery)
CHECKS: list[Check] = [check for group in GROUPS for check in group.CHECKLIST.checks]
ACCEPTED = Path("config/security-accepted.toml")


def look(root: Path) -> str:
    """Run all checks on the project in `root`; return what was done.

    Raises Refused with all findings.
    """
    seen = gather(root)
    try:
        exceptions = accepted(root / ACCEPTED)
    except (OSError, ValueError) as error:
        raise Refused(
            str(error), "entries that are whole", f"see the head of {ACCEPTED}"
        ) from error
    left = without_accepted(findings(CHECKS, seen), exceptions, dt.datetime.now(dt.UTC).date())
    if left:
        said = "\n".join(finding.line for finding in left)
        raise Refused(f"{len(left)} findings in {len(CHECKS)} checks", output=said)
    audit = "not run" if seen.advisories is None else "nothing open"
    return f"{len(CHECKS)} checks, {len(exceptions)} exceptions accepted; pip-audit: {audit}"


if __name__ == "__main__":
    steps.exit_with(lambda: steps.say(look(shell.ROOT)))
