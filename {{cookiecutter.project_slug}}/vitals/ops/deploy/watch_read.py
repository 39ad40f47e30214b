"""What a watch reads: the replicas of the new version, and whether the old one fails as well."""

import time
from contextlib import suppress
from typing import NamedTuple

import httpx

from vitals.ops import slo
from vitals.ops.deploy import samples, smoke
from vitals.ops.deploy.targets import Target
from vitals.ops.deploy.watch_looks import Look, Seen
from vitals.ops.deploy.watch_rule import Row
from vitals.ops.measure import load
from vitals.ops.release import releases
from vitals.ops.release.releases import Release
from vitals.ops.run.steps import Refused

TIMEOUT_SECONDS = 2  # of one answer of a replica
OLD_TIMEOUT_SECONDS = 5
TOKEN = "APP_OPS_TOKEN"  # noqa: S105  the setting's name


class Watch(NamedTuple):
    """The two sides of a switch; the old one is kept warm in its slot."""

    target: Target
    new: Release
    old: Release
    slot: str
    old_slot: str


def seen(target: Target, slot: str, release: Release) -> dict[str, Seen]:
    """Return what the replicas of a slot say now, by name."""
    file, found = releases.secret_files(release).get(TOKEN), dict[str, Seen]()
    headers = {"Authorization": f"Bearer {target.token(file).strip()}"} if file else {}
    with target.replicas(slot) as replicas:
        for name, url, limit in replicas:
            with load.client(url, release, timeout=TIMEOUT_SECONDS) as client:
                ready, text = _good(client, "/readyz", {}), _good(client, "/metrics", headers)
                sample = None if text is None else samples.read(text)
                found[name] = Seen(ready is not None, sample, limit)
    return found


def look(watch: Watch, at: float, outage: bool) -> Look:
    """Look at the new side, so many seconds after the switch."""
    replicas = dict[str, Seen]()
    with suppress(Refused):
        replicas = seen(watch.target, watch.slot, watch.new)
    return Look(at, watch.target.running(watch.slot), replicas, judged=not outage)


def outage(watch: Watch, seconds: float) -> bool:
    """Wait; return whether the old version failed meanwhile: then it's not the new one's fault.

    The wait ends early when the new version has ended.
    """
    ends, failed = time.monotonic() + seconds, False
    paths = [path for path in ("/readyz", smoke.first_read(watch.old)) if path]
    try:
        with (
            watch.target.reach(watch.old_slot) as url,
            load.client(url, watch.old, timeout=OLD_TIMEOUT_SECONDS) as client,
        ):
            while not (failed := any(client.get(path).status_code >= 500 for path in paths)):
                left = ends - time.monotonic()
                if left <= 0 or not watch.target.running(watch.slot):
                    return False
                time.sleep(min(1, left))
    except (Refused, httpx.ConnectError):
        pass  # nothing runs there: no witness
    except httpx.TransportError:
        failed = True
    time.sleep(max(0, ends - time.monotonic()))
    return failed


def rows(release: Release) -> dict[str, Row]:
    """Return the objectives by route: the widest where methods of one route have their own."""
    found = dict[str, Row]()
    for row in slo.table(release.folder).get("route", []):
        other = found.get(row["route"], row)
        found[row["route"]] = {
            "p95_ms": max(row["p95_ms"], other["p95_ms"]),
            "availability": min(row["availability"], other["availability"]),
        }
    return found


def _good(client: httpx.Client, path: str, headers: dict[str, str]) -> str | None:
    """Return the text of a good answer; None where there is none."""
    with suppress(httpx.TransportError):
        answer = client.get(path, headers=headers)
        return answer.text if answer.is_success else None
    return None
