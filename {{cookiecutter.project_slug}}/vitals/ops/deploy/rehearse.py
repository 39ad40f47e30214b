"""Would the next deployment go well, and the way back? A rehearsal on a throw-away staging.

The last release goes live; under traffic this tree is deployed over it, the rollback is executed,
and a broken build is refused. What came out is remembered in build/rehearsal.json for this tree.
"""

import json
import os
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from vitals.ops.deploy import deploy, smoke, staging, targets
from vitals.ops.deploy.staging import ENVIRONMENT, Stage
from vitals.ops.deploy.traffic import Traffic
from vitals.ops.project.token import Issuer
from vitals.ops.release import releases
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import git, shell, steps
from vitals.ops.run.steps import Refused, Result, Step

RECORD = shell.ROOT / "build" / "rehearsal.json"
ENOUGH_REQUESTS = 200
# Ready and healthy, and yet no good: what a gate that only asks probes would put live.
FAULT = """

class Broken:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"] not in ("/livez", "/readyz", "/health"):
            raise RuntimeError("a fault that the rehearsal planted")
        await self.app(scope, receive, send)


whole = create_app


def create_app(settings):
    service = whole(settings)
    service.add_middleware(Broken)
    return service
"""


class Play(NamedTuple):
    stage: Stage
    before: Release
    this: Release
    broken: Release


def deploy_the_last_release(play: Play) -> None:
    deploy.deploy(play.stage.target, play.before)
    smoke.wait_until_ready(play.stage.front(), lambda: True, releases.host(play.before))


def deploy_this_tree(play: Play) -> None:
    deploy.deploy(play.stage.target, play.this)


def roll_back(play: Play) -> str:
    started = time.monotonic()
    deploy.rollback(play.stage.target, ENVIRONMENT, lambda _: True)
    seconds = time.monotonic() - started
    _must_be_live(play, play.before)
    return f"the traffic went back {seconds:.2f} s after the command"


def work_on_the_new_schema(play: Play) -> str:
    return smoke.check(play.stage.front(), play.before.build, releases.host(play.before))


def refuse_a_broken_build(play: Play) -> str:
    try:
        deploy.deploy(play.stage.target, play.broken)
    except Refused:
        _must_be_live(play, play.before)
        return "refused, as it must be"
    raise Refused("a broken build went live", "the smoke test to refuse it")


SCENES = (deploy_this_tree, roll_back, work_on_the_new_schema, refuse_a_broken_build)


def rehearse(mode: str) -> int:
    """Play all scenes until one fails, and remember how this tree came out; the exit code."""
    tree = git.tree_hash()
    if tree is None:
        raise git.no_repository()
    issuer = Issuer()
    with _play(mode, tree, issuer) as play:
        steps.say(f"rehearsing {play.before.build.version} → this tree, mode {mode}")
        steps.say(f"  with {play.stage.rehearsed}")
        results = [_played(deploy_the_last_release, play)]
        with Traffic(play.stage.front(), staging.headers(play.this, issuer)) as traffic:
            for scene in SCENES:
                results += [_played(scene, play)] if results[-1].ok else []
            traffic.wait_for(ENOUGH_REQUESTS)
        requests, failures = traffic.seen()
    steps.say(f"\n{requests} requests meanwhile, {failures.total()} failed {dict(failures) or ''}")
    steps.say(f"not rehearsed: {play.stage.not_rehearsed}")
    ok = all(each.ok for each in results) and not failures and requests >= ENOUGH_REQUESTS
    counted = {"requests": requests, "failed": failures.total()}
    _remember(mode, ok, tree, results, {"from": play.before.build.version, **counted})
    steps.say("the rehearsal passed" if ok else "the rehearsal FAILED")
    return 0 if ok else 1


def demanded() -> str:
    """The mode that MODE names, or else the one that pyproject.toml demands for a release."""
    project = tomllib.loads((shell.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    mode = os.environ.get("MODE") or str(project["tool"]["vitals"]["rehearsal"])
    if mode not in (modes := targets.rehearsable()):
        raise Refused(f"MODE={mode}", " or ".join(modes), "`make rehearse MODE=process`")
    return mode


@contextmanager
def _play(mode: str, tree: str, issuer: Issuer) -> Iterator[Play]:
    """All that a rehearsal needs, in folders that go with it."""
    with ExitStack() as stack:
        private = tempfile.TemporaryDirectory(prefix="rehearsal-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(private))
        this = Release(Build("this-tree", tree), folder / "this", ENVIRONMENT)
        git.unpack(tree, this.folder)
        broken = Release(Build("broken", tree), folder / "broken", ENVIRONMENT)
        shutil.copytree(this.folder, broken.folder)
        with (broken.folder / "app" / "main.py").open("a") as source:
            source.write(FAULT)
        stage = stack.enter_context(staging.raised(mode, folder, issuer))
        yield Play(stage, _last_release(tree), this, broken)


def _last_release(tree: str) -> Release:
    """The newest version that this history holds; before the first, this tree once more."""
    if version := releases.last_version():
        return releases.of(version, ENVIRONMENT)
    return releases.unpacked(Build("before-the-first", tree), ENVIRONMENT)


def _played(scene: Callable[[Play], str | None], play: Play) -> Result:
    name = scene.__name__.replace("_", " ")
    steps.say(f"\n{name}")
    result = steps.run_one(Step(name, partial(scene, play)))
    steps.say(f"  {'ok' if result.ok else 'FAILED'}  {result.seconds:.1f} s  {result.detail}")
    if result.output:
        steps.say(result.output)
    return result


def _must_be_live(play: Play, release: Release) -> None:
    live = deploy.live(play.stage.target)[-1].version
    if live != release.build.version:
        raise Refused(f"{live} is live", release.build.version)
    smoke.check(play.stage.front(), release.build, releases.host(release))


def _remember(mode: str, ok: bool, tree: str, results: list[Result], more: dict[str, Any]) -> None:
    record = {
        "tree": tree,
        "ok": ok,
        "mode": mode,
        "steps": [
            {"name": r.name, "ok": r.ok, "seconds": r.seconds, "detail": r.detail} for r in results
        ],
        **more,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    steps.exit_with(lambda: rehearse(demanded()))
