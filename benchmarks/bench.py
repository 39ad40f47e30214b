"""The cost of watching each request, here and elsewhere: python -m benchmarks.bench

Every variant does the same work (variants.py). Instructions are counted by callgrind, and a busy
machine does not change them; requests/s are taken in turn and compared as ratios.
Writes docs/bench.md, and its first table into README.md, in about fifteen minutes.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from benchmarks import callgrind, tables
from benchmarks.variants import BARE, BUSY, PROJECT, TRACED, VARIANTS
from benchmarks.work import FEW, MANY

ROOT = Path(__file__).parent.parent
VENV = ROOT / "build" / "bench"
PYTHON = VENV / "bin" / "python"
LOCKS = [
    PROJECT / "requirements.txt",
    PROJECT / "requirements-services.txt",
    ROOT / "benchmarks" / "requirements-peers.txt",
]
WRK_ROUNDS, WRK_SECONDS = 7, 1
MARKDOWN_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
QUIET = {**os.environ, "PYTHONHASHSEED": "0"}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def set_up() -> None:
    """Install the service's lock and the peers' into an environment of their own."""
    for program in ("valgrind", "wrk"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not here; install it (Debian: apt install {program})")
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    lines = [argument for lock in LOCKS for argument in ("-r", str(lock))]
    install = [*_installer(), "--quiet", "--require-hashes", *lines]
    subprocess.run(install, check=True)


def _installer() -> list[str]:
    if (uv := shutil.which("uv")) is not None:
        return [uv, "pip", "install", "--python", str(PYTHON)]
    return [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]


def count_all(names: list[str], count: Callable[[str], list[int]]) -> dict[str, list[int]]:
    """Count for each variant, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counting = {pool.submit(count, name): name for name in names}
        for number, done in enumerate(as_completed(counting), 1):
            say(f"instructions: {number} of {len(names)}: {counting[done]}: {done.result()}")
    return {name: counted.result() for counted, name in counting.items()}


def instructions(name: str) -> list[int]:
    """Instructions for one request of each shape: the difference of two lengths of a run."""
    with tempfile.TemporaryDirectory() as folder:
        measured = [str(PYTHON), "-m", "benchmarks.work", "instructions", name]
        _measured([*callgrind.command(folder), *measured])
        found = callgrind.totals(folder)
    return [
        round((many - few) / (MANY - FEW))
        for few, many in zip(found[::3], found[1::3], strict=False)
    ]


def _measured(command: list[str]) -> str:
    """What a measured process wrote to standard error; its lines go nowhere."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=QUIET,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stderr}\n{command} failed; expected 0. Safe to repeat.")
    return done.stderr


def throughput(names: list[str]) -> dict[str, float]:
    """Requests/s behind a real server over the bare one's: the median of interleaved rounds."""
    servers = {name: _serve(name) for name in names}
    try:
        rates: dict[str, list[float]] = {name: [] for name in names}
        for number in range(WRK_ROUNDS):
            say(f"requests/s: round {number + 1} of {WRK_ROUNDS}")
            for name, (_, port) in servers.items():
                rates[name].append(_wrk(port))
    finally:
        for process, _ in servers.values():
            process.kill()
            process.wait()
    return {
        name: statistics.median(a / b for a, b in zip(rates[name], rates[BARE], strict=True))
        for name in names
    }


def _serve(name: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [str(PYTHON), "-m", "benchmarks.work", "serve", name],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    return process, int(process.stderr.readline())


def _wrk(port: int) -> float:
    command = ["wrk", "-t1", "-c16", f"-d{WRK_SECONDS}s"]
    command.append(f"http://127.0.0.1:{port}{BUSY.path()}")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        sys.exit(f"wrk did not measure: {done.stdout}")
    return float(found[1])


def _printed(module: str) -> str:
    """What a module prints that runs in build/bench."""
    command = [str(PYTHON), "-m", module]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def main() -> None:
    names, before = [*VARIANTS, *TRACED], load()
    say("set up: build/bench")
    set_up()
    requests_per_second = throughput(list(VARIANTS))
    say("figures beside the requests")
    more = _printed("benchmarks.vitals")
    results = tables.Results(count_all(names, instructions), requests_per_second)
    served = json.loads(_printed("benchmarks.against_plain"))
    text = tables.page(results, served, more, f"{before} when it began and {load()} when it ended")
    show(text)
    say(text)


def show(text: str) -> None:
    """Keep the page, and its table in README.md where the earlier one stands."""
    page, readme = ROOT / "docs" / "bench.md", ROOT / "README.md"
    earlier, table = (MARKDOWN_TABLE.findall(each)[0] for each in (page.read_text(), text))
    page.write_text(text)
    readme.write_text(readme.read_text().replace(earlier, table))


if __name__ == "__main__":
    main()
