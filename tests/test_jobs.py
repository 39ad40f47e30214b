"""Background jobs, as docs/background-jobs.md shows them, while versions come and go.

Versions are deployed, rolled back and refused as a rehearsal does it, under traffic whose writes
make jobs; beside each slot runs a worker of its version.
"""

import re
from pathlib import Path

import pytest

from tests import baking, walk

PAGE, STORE = "background-jobs.md", Path("app/reports/store.py")
LOAD = """
scopes = "reports:write"

[[seed]]
request = "POST /reports"
body = { text = "one two three" }
times = 5

[[route]]
route = "/reports/{report_id}"
request = "GET /reports/1"
rate = 20
p95_ms = 250
availability = 99.9
"""
SLOW = [
    ("from sqlalchemy import String\n", "import asyncio\n\nfrom sqlalchemy import String\n"),
    (
        'second run does no harm."""\n',
        'second run does no harm."""\n        await asyncio.sleep(0.1)\n',
    ),
]
DECLARED = '        jobs.add("count_words", self.count_words)\n'
# The next version has a second task, which the first does not know.
NEXT = [
    (DECLARED, DECLARED + DECLARED.replace("count_words", "count_again", 1)),
    ('session, "count_words"', 'session, "count_again"'),
]
REHEARSAL = """
import asyncio, os, signal, subprocess, sys, time
from functools import partial

import asyncpg

from vitals.ops.deploy import rehearsal, rehearse
from vitals.ops.deploy.traffic import Traffic
from vitals.ops.measure import load
from vitals.ops.release import releases
from vitals.ops.release.releases import Build
from vitals.ops.run import git

first = Build("v0.0.1", git.git("rev-parse", "HEAD"))
rehearsal._last_release = lambda tree: releases.unpacked(first, rehearse.ENVIRONMENT)
workers = {}


def query(target, statement):
    async def fetch():
        connection = await asyncpg.connect(target._known_secrets["APP_DATABASE_URL"])
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()
    return asyncio.run(fetch())


def wait_for(condition):
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def start(target, release):
    environment = {**os.environ, **target._environment(release, target.slots[0])}
    command = [sys.executable, "-m", "app.commands.worker"]
    log = open(f"build/worker-{release.build.version}.log", "ab")
    workers[release] = subprocess.Popen(
        command, cwd=release.folder, env=environment, stdout=log, stderr=log
    )
    wait_for(lambda: len(query(target, "SELECT 1 FROM procrastinate_workers")) == len(workers))


def stop(release):
    worker = workers.pop(release)
    worker.terminate()
    assert worker.wait(60) == 143, worker.returncode


with rehearsal.prepared("process", git.tree_hash()) as about:
    target, before, this = about.staging.target, about.before, about.this
    try:
        rehearse.deploy_the_last_release(about)
        start(target, before)
        connect = partial(load.client, about.staging.proxy_url(), this)
        requests = rehearse._requests(about.known)
        with Traffic(connect, requests, about.session) as traffic:
            rehearse.deploy_this_tree(about)
            start(target, this)
            traffic.wait_for(len(traffic.outcomes) + 50)
            rehearse.roll_back(about)
            stop(this)
            rehearse.refuse_a_broken_build(about)
            stop(before)
            start(target, before)
            traffic.wait_for(len(traffic.outcomes) + 50)
        unknown = query(target, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")
        start(target, this)
        wait_for(lambda: not query(target, "SELECT 1 FROM procrastinate_jobs"))
        counted = "SELECT count(*), count(words), count(*) FILTER (WHERE runs <> 1) FROM reports"
        print("counted", *query(target, counted)[0], unknown[0][0], traffic.failures().total())
        stop(before)
        stop(this)
    finally:
        for worker in workers.values():
            worker.kill()
"""


def change(project: Path, changes: list[tuple[str, str]]) -> None:
    text = (project / STORE).read_text()
    for was, becomes in changes:
        assert text.count(was) == 1, was
        text = text.replace(was, becomes)
    (project / STORE).write_text(text)


@pytest.mark.slow
def test_a_deployment_a_rollback_and_a_refused_build_lose_no_job_and_run_none_twice(
    tmp_path: Path,
):
    project = walk.repository(baking.generate(tmp_path, **baking.VARIANTS["database"]))
    walk.play(project / "docs" / PAGE, project, without=("make format",))
    slo = project / "config" / "slo.toml"
    slo.write_text(LOAD + slo.read_text())  # `scopes` belongs to no table
    change(project, SLOW)
    walk.run(project, "git add -A && git commit -qnm 'The first version'")
    change(project, NEXT)
    (project / "rehearsal.py").write_text(REHEARSAL)

    said = walk.run(project, "PYTHONPATH=. .venv/bin/python rehearsal.py")

    print(said)
    (figures,) = re.findall(r"^counted (.+)$", said, re.MULTILINE)
    orders, done, not_once, failed_jobs, failed_requests = map(int, figures.split())
    assert orders == done > 100
    assert (not_once, failed_jobs, failed_requests) == (0, 0, 0)
