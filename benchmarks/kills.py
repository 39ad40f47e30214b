"""Durability: `python -m benchmarks.kills` counts the answered writes that survive kill -9.

Starts the service on a real PostgreSQL and kills it right after each answered write.
"""

import os
import subprocess
import sys

from tests import baking

TIMES = 100
PLAY = """
import sys
import httpx
from vitals.ops import services
from vitals.ops.services.serving import serving

kept = []
with services.running() as running:
    services.prepare(running.environment)
    for number in range(int(sys.argv[1])):
        with serving(running.environment) as service:
            new = {"name": f"item {number}", "price": 1}
            kept.append(httpx.post(f"{service.url}/items", json=new).raise_for_status().json())
            service.program.kill()
    with serving(running.environment) as service:
        found = [
            httpx.get(f"{service.url}/items/{item['id']}").json() == item for item in kept
        ]
print(f"{sum(found)} of {len(kept)} answered writes were there after kill -9")
sys.exit(not all(found))
"""


def main() -> int:
    subprocess.run(["make", "--silent", "setup"], cwd=baking.IN_PLACE, check=True)
    python = baking.IN_PLACE / ".venv" / "bin" / "python"
    environment = {**os.environ, "PYTHONPATH": str(baking.IN_PLACE)}
    play = [str(python), "-c", PLAY, str(TIMES)]
    return subprocess.run(play, cwd=baking.IN_PLACE, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
