"""The servers that `make bench` measures, without callgrind, which takes minutes."""

import subprocess
import sys

import pytest

from tests import baking

ROOT = baking.IN_PLACE.parent
REQUESTS = """
from benchmarks import against_plain, callgrind, variants

for name in ("this template, everything on", "this template, with traces"):
    variants.build(name, variants.ONE)

callgrind.command = lambda _: []
with against_plain.servers() as settings:
    for run in against_plain.RUNS:
        callgrind.totals = lambda _: [0] * 2 * len(run.targets)
        print(run.name(), len(against_plain.count(run, settings)))
"""


@pytest.mark.slow
def test_each_server_of_the_bench_answers_each_request_that_is_measured(tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    locks = [baking.IN_PLACE / f"requirements{name}.txt" for name in ("", "-services")]
    install = ["uv", "pip", "install", "--quiet", "--python", python, "--require-hashes"]
    subprocess.run(
        ["uv", "venv", "--quiet", "--python", sys.executable, tmp_path / ".venv"], check=True
    )
    subprocess.run([*install, *(word for lock in locks for word in ("-r", lock))], check=True)

    done = subprocess.run(
        [python, "-c", REQUESTS], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 8, done.stdout
