"""The service does what its description says, whatever is sent: all checks of schemathesis."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import baking
from tests.security.conftest import Guarded

FOLDER = Path(__file__).parent
EXAMPLES = 200  # for each operation


@pytest.mark.parametrize("who", ["with a token", "without a token"])
def test_no_example_gets_an_answer_that_is_not_described(
    guarded: Guarded, tmp_path: Path, who: str
) -> None:
    program = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        FOLDER / "schemathesis.toml",
    ]
    options = ["--checks", "all", "--max-examples", str(EXAMPLES), "--workers", "1"]
    header = ["--header", f"Authorization: Bearer {guarded.token}"] if "with " in who else []

    done = subprocess.run(
        [*program, "run", f"{guarded.url}/openapi.json", *options, *header],
        cwd=tmp_path,
        env=baking.environment(SCHEMATHESIS_HOOKS="hooks", PYTHONPATH=str(FOLDER)),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr
    print(re.findall(r"(\d+ generated, .*)", done.stdout))
    assert guarded.service.ready()
