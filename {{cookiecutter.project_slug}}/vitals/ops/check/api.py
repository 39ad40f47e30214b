"""The API's description, docs/openapi.json: `write` renews it, the check refuses a stale one.

It is what FastAPI says of the application in environment `test`. A service without a path of its
own has none.
"""

import json
import sys

from vitals import settings
from vitals.ops.run import project_file, shell, steps
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


def check() -> str:
    """Say how many paths are described. Raises `Refused` when the committed file is stale."""
    file, text = shell.ROOT / FILE, described()
    committed = file.read_text(encoding="utf-8") if file.is_file() else ""
    if committed != text:
        found = f"{FILE} {'is stale' if committed else 'is missing'}"
        raise Refused(found, "the description of the API as it is now", "`make format`")
    return (
        f"{len(json.loads(text)['paths'])} paths, as in {FILE}" if text else steps.NOTHING_TO_TEST
    )


if __name__ == "__main__":
    steps.exit_with(write if sys.argv[1:] == ["write"] else lambda: steps.say(check()))
