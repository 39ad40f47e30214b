"""The API's description, docs/openapi.json: `write` renews it, the check refuses a stale one.

It is what FastAPI says of the application in environment `test`. A service without a path of its
own has none. What breaks clients of the last release needs a change record that says so.
"""

import json
import sys
from typing import Any

from vitals import settings
from vitals.ops.check.api_changes import breaking_changes
from vitals.ops.release import notes, releases
from vitals.ops.run import git, project_file, shell, steps
from vitals.ops.run.steps import Refused

FILE = "docs/openapi.json"
OF_THE_ENGINE = {"/health", "/livez", "/readyz"}


def described() -> str:
    """The description of the API as it is now; empty while the service has no path of its own."""
    environment = {"APP_ENVIRONMENT": "test"}
    values = settings.load(project_file.load_settings_type(), environment)
    description = project_file.load("application")(values).openapi()
    if description["paths"].keys() <= OF_THE_ENGINE:
        return ""
    return json.dumps(description, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write() -> None:
    """Write the description where it is committed."""
    file, text = shell.ROOT / FILE, described()
    if text:
        file.write_text(text, encoding="utf-8")
    else:
        file.unlink(missing_ok=True)


def of(version: str) -> dict[str, Any]:
    """The description in a release whose tag is here; empty where it had none."""
    if not git.succeeds("cat-file", "-e", f"refs/tags/{version}:{FILE}"):
        return {}
    description: dict[str, Any] = json.loads(git.git("show", f"refs/tags/{version}:{FILE}"))
    return description


def check() -> str:
    """Say how many paths are described. Raises `Refused` when the committed file is stale, and for
    a breaking change that no record names."""
    file, text = shell.ROOT / FILE, described()
    committed = file.read_text(encoding="utf-8") if file.is_file() else ""
    if committed != text:
        found = f"{FILE} {'is stale' if committed else 'is missing'}"
        raise Refused(found, "the description of the API as it is now", "`make format`")
    version, now = releases.last_version(), json.loads(text or "{}")
    breaking = breaking_changes(of(version), now) if version else []
    if breaking and not notes.breaking(notes.since(version)):
        fix = 'keep the old way beside the new one, or say in a change record: breaks = "clients …"'
        found = f"{len(breaking)} changes break clients of {version}"
        raise Refused(found, "none, or a record that says so", fix, "\n".join(breaking))
    since = f", {len(breaking)} breaking changes since {version}, on record" if breaking else ""
    return f"{len(now['paths'])} paths, as in {FILE}{since}" if text else steps.NOTHING_TO_TEST


if __name__ == "__main__":
    steps.exit_with(write if sys.argv[1:] == ["write"] else lambda: steps.say(check()))
