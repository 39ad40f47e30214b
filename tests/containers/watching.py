"""Watches a version over the last release, on real processes: run in a generated project.

The argument says what happens to a good one after the switch, or which fault a bad one has. The
last line is the outcome, as JSON. A second argument is the rehearsal's mode.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from vitals.ops.deploy import deploy, rehearsal, rehearse, traffic
from vitals.ops.deploy.rehearsal import Rehearsal
from vitals.ops.measure import load
from vitals.ops.run import git
from vitals.ops.run.steps import Refused

MINUTES = 0.75
OUTAGE_SECONDS = 20
FAULT = """

def create_app(settings, whole=create_app):
    import asyncio, os, threading
    from starlette.responses import Response
    from vitals.request_stats import current
    service, requests, leak = whole(settings), [], []

    async def broken(request, call_next):
        if request.url.path in ("/livez", "/readyz", "/health", "/metrics"):
            return await call_next(request)
        requests.append(1)
        if len(requests) > AFTER:
            DOES
        return await call_next(request)

    service.middleware("http")(broken)
    return service
"""
FAULTS = {
    "slow": "await asyncio.sleep(0.3)",  # the fault: more than the 250 ms of slo.toml
    "calls": "[current.get().add('db', 0.1, 'SELECT 1') for _ in range(20)]",
    "memory": "leak.append(b'x' * (1 << 19))",
    "crash": "len(requests) == AFTER + 1 and threading.Timer(12, os._exit, [3]).start()",
    # answered with a status of its own, to tell it from a failure of the deployment
    "errors": "if not len(requests) % 5: await call_next(request); return Response('', PLANTED)",
}


def started_by(parent: int) -> Iterator[int]:
    """The processes below one, at any depth."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" ")
        except OSError:
            continue
        if int(rest.rpartition(")")[2].split()[1]) == parent:
            yield int(pid)
            yield from started_by(int(pid))


def servers(name: str) -> list[int]:
    every = started_by(os.getpid())
    return [p for p in every if name in Path(f"/proc/{p}/cmdline").read_bytes().decode()]


def freeze_the_database(_: Rehearsal) -> None:
    """Let it answer nothing for a while, soon after the switch."""
    time.sleep(8)  # the switch and one look, 5 s apart, have gone well
    frozen = servers("postgres")
    assert frozen
    for sent, seconds in ((signal.SIGSTOP, OUTAGE_SECONDS), (signal.SIGCONT, 0)):
        for pid in frozen:
            os.kill(pid, sent)
        time.sleep(seconds)


def empty_the_cache(about: Rehearsal) -> None:
    """Begin with nothing in the cache, again and again for a while."""
    token = about.staging.target.token("ops_token")
    for _ in range(5):
        with (
            about.staging.target.reach(about.staging.target.state()[0]) as url,
            load.client(url, about.this) as client,
        ):
            answer = client.delete("/cache/items", headers={"Authorization": f"Bearer {token}"})
            assert answer.is_success, answer.text
        time.sleep(2)  # the cache fills again: a change of circumstances, not an outage


def treble_the_traffic(_: Rehearsal) -> None:
    traffic.RATE *= 3


def thin_the_traffic(_: Rehearsal) -> None:
    traffic.RATE /= 10


def do_nothing(_: Rehearsal) -> None: ...


def watch(
    happens: Callable[[Rehearsal], None], fault: str = "", mode: str = "process"
) -> dict[str, object]:
    rehearsal.FAULT = FAULT.replace("DOES", fault or "pass")
    rehearsal.FAULT = rehearsal.FAULT.replace("PLANTED", str(traffic.PLANTED_STATUS))
    tree = git.tree_hash()
    assert tree
    with rehearsal.prepared(mode, tree) as about:
        target = about.staging.target
        rehearse.deploy_the_last_release(about)
        connect = partial(load.client, about.staging.proxy_url(), about.this)
        began = time.monotonic()
        with traffic.Traffic(connect, rehearse._requests(about.known), about.session) as sent:
            sent.wait_for(400)
            switch, threads = target.switch, list[threading.Thread]()

            def switched(slot: str, history: str) -> None:
                switch(slot, history)
                if not threads:
                    threads.append(threading.Thread(target=happens, args=(about,)))
                    threads[0].start()

            target.switch = switched
            started = time.monotonic()
            try:
                deploy.deploy(target, about.failing if fault else about.this, MINUTES)
                worse = ""
            except Refused as refused:
                worse = str(refused)
            seconds = time.monotonic() - started
            threads[0].join()
            rate = len(sent.outcomes) / (time.monotonic() - began)
        live, failures = deploy.live(target)[-1], sent.failures()
        about_it = {"worse": worse, "live": str(live), "seconds": round(seconds, 1)}
        about_it |= {"sent": len(sent.outcomes), "rate": round(rate), "planted": sent.planted}
        return {**about_it, "failures": failures.total(), "failed": dict(failures)}


if __name__ == "__main__":
    name, mode = sys.argv[1:]
    happens = do_nothing if name in FAULTS else globals()[name]
    print(json.dumps(watch(happens, FAULTS.get(name, ""), mode)))
