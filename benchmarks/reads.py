"""Reads per second of a cache hit over those of a miss, with the project's own environment:

PYTHONPATH={{cookiecutter.project_slug}} <its .venv>/bin/python -m benchmarks.reads

One service runs on a real PostgreSQL and a real Redis-compatible cache. In turn, one item is read
again and again, and a new item each time.
"""

import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import httpx

from vitals.ops import services
from vitals.ops.services.serving import serving

ROUNDS, RUN_SECONDS, ITEMS = 5, 3, 200_000
ANOTHER = """
local id = %d
request = function()
  id = id + 1
  return wrk.format("GET", "/items/" .. id)
end
"""


async def fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO items (name, price_cents) SELECT 'tea', 250 FROM generate_series(1, $1)", ITEMS
    )
    await connection.close()


def rate(url: str, *arguments: str) -> float:
    command = ["wrk", "-t1", "-c8", f"-d{RUN_SECONDS}s", *arguments, url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        sys.exit(f"wrk did not measure: {done.stdout}")
    return float(found[1])


def main() -> None:
    with services.running() as running, tempfile.TemporaryDirectory() as folder:
        asyncio.run(fill(running.environment["APP_DATABASE_URL"]))
        with serving(running.environment | {"APP_LOG_FORMAT": "json"}) as service:
            ratios, script = [], Path(folder, "another.lua")
            for number in range(ROUNDS):
                script.write_text(ANOTHER % (number * ITEMS // ROUNDS))
                miss = rate(service.url, "-s", str(script))
                hit = rate(f"{service.url}/items/1")
                ratios.append(hit / miss)
                sys.stdout.write(f"hit {hit:.0f}/s, miss {miss:.0f}/s\n")
            answer = httpx.get(f"{service.url}/items/1")
            service.program.stop()
            last = service.log.read_text().rpartition('"event":"request"')[2]
    answer.raise_for_status()
    found = re.search(r'"db_calls":(\d+).*"cache":"(\w+)"', last)
    sys.stdout.write(f"a hit's line: db_calls and cache {found and found.groups()}\n")
    sys.stdout.write(f"hit over miss {statistics.median(ratios):.2f}; limit at least 3\n")


if __name__ == "__main__":
    main()
