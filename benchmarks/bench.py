"""The cost of watching each request, here and elsewhere: python -m benchmarks.bench

Every variant does the same work (variants.py). Instructions are counted by callgrind, and a busy
machine does not change them; CPU time and requests/s are taken in turn and compared as ratios.
Writes docs/bench.md and docs/bench.svg, and the table into README.md, in about ten minutes.
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

from benchmarks import chart
from benchmarks.variants import PROJECT, VARIANTS
from benchmarks.work import LENGTHS, path_of

ROOT = Path(__file__).parent.parent
VENV = ROOT / "build" / "bench"
PYTHON = VENV / "bin" / "python"
LOCKS = [PROJECT / "requirements.txt", ROOT / "benchmarks" / "requirements-peers.txt"]
ROUTES = tuple(LENGTHS)
# What C's allocator does depends on what else lies in memory: a percent of a request that looks
# at 1,000 routes, and as much as all that is added to it.
UNCOUNTED = ("malloc", "free", "realloc", "calloc")
BARE = "bare FastAPI"
WRK_ROUNDS, WRK_SECONDS = 5, 2
MARKDOWN_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
QUIET = {**os.environ, "PYTHONHASHSEED": "0"}
Instructions = dict[str, list[int]]  # by variant: for 1, 100, 1000 routes a hit and a 404


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


def count_all(names: list[str], count: Callable[[str], list[int]]) -> Instructions:
    """Count for each variant, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counting = {pool.submit(count, name): name for name in names}
        for number, done in enumerate(as_completed(counting), 1):
            say(f"instructions: {number} of {len(names)}: {counting[done]}: {done.result()}")
    return {name: counted.result() for counted, name in counting.items()}


def instructions(name: str) -> list[int]:
    """Instructions for one request: the difference of two lengths of a run, over its requests."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        command += [f"--toggle-collect={function}" for function in UNCOUNTED]
        command += ["--collect-atstart=yes", "--dump-before=getloadavg"]
        _measured([*command, str(PYTHON), "-m", "benchmarks.work", "instructions", name])
        files = sorted(Path(folder).glob("out.*"), key=lambda file: int(file.suffix[1:]))
        totals = [_total(file) for file in files[1:]]  # the first holds the start
    request_counts = [many - few for _, few, many in LENGTHS.values() for _ in ("hit", "404")]
    runs = zip(totals[::3], totals[1::3], request_counts, strict=False)
    return [round((many - few) / requests) for few, many, requests in runs]


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


def _total(file: Path) -> int:
    found = re.search(r"^totals: (\d+)", file.read_text(), re.MULTILINE)
    if found is None:
        sys.exit(f"{file}: callgrind wrote no total; is it callgrind 3.15 or newer?")
    return int(found[1])


def cpu(names: list[str]) -> dict[str, float]:
    """CPU time for one request over that of the bare one: the median of interleaved rounds."""
    command = [str(PYTHON), "-m", "benchmarks.work", "cpu", *names]
    spent = json.loads(_measured(command))
    return {
        name: statistics.median(a / b for a, b in zip(spent[name], spent[BARE], strict=True))
        for name in names
    }


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
    command.append(f"http://127.0.0.1:{port}{path_of(1, hit=True)}")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        sys.exit(f"wrk did not measure: {done.stdout}")
    return float(found[1])


def figures() -> str:
    """The figures beside the requests, each with its limit."""
    command = [str(PYTHON), "-m", "benchmarks.vitals"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def main() -> None:
    names, before = list(VARIANTS), load()
    say("set up: build/bench")
    set_up()
    say("CPU: in turns")
    used = cpu(names)
    requests_per_second = throughput(names)
    say("figures beside the requests")
    more = figures()
    results = chart.Results(ROUTES, count_all(names, instructions), used, requests_per_second, BARE)
    text = chart.page(results, more, f"{before} when it began and {load()} when it ended")
    show(text)
    (ROOT / "docs" / "bench.svg").write_text(chart.picture(results))
    say(text)


def show(text: str) -> None:
    """Keep the page, and its table in README.md where the earlier one stands."""
    page, readme = ROOT / "docs" / "bench.md", ROOT / "README.md"
    earlier, table = (MARKDOWN_TABLE.findall(each)[0] for each in (page.read_text(), text))
    page.write_text(text)
    readme.write_text(readme.read_text().replace(earlier, table))


if __name__ == "__main__":
    main()
