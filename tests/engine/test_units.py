"""Work outside requests, and commands of a service."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

import vitals
from tests.engine.applications import Lines, install
from vitals import testing
from vitals.request_stats import MAX_CALLS, current, write_unit

PROJECT = Path(__file__).parents[2] / "{{cookiecutter.project_slug}}"
COMMAND = """
import asyncio, sys
import vitals

async def work(settings):
    async with vitals.unit("job", "work"):
        vitals.add_call("db", 1, "SELECT 1")
        {}

sys.exit(vitals.command(work, vitals.Settings))
"""


def run(work: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), **environment}
    command = [sys.executable, "-c", COMMAND.format(work)]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)


async def test_a_unit_has_a_line_metrics_and_a_budget() -> None:
    app = install(FastAPI())
    lines = Lines(app)

    async with testing.cost() as cost:
        write_unit.set(app.state.vitals._access_log.write_unit)
        async with vitals.unit("job", "remind"):
            vitals.add_call("db", 3, "SELECT 1")
            vitals.add_field("reminders", 7)

    line = lines.last()
    assert (line["event"], line["job"], line["outcome"]) == ("job", "remind", "completed")
    assert (line["db_calls"], line["db_ms"], line["reminders"]) == (1, 3.0, 7)
    assert cost.db_calls == 1
    metrics = await app.state.vitals._metrics.text()
    assert 'job_duration_seconds_count{job="remind",outcome="completed"} 1' in metrics
    assert 'db_client_operation_duration_seconds_count{http_route="remind"} 1' in metrics
    rows = (await app.state.vitals._reporter.snapshot())["routes"]
    assert [(row["route"], row["requests"]) for row in rows] == [("remind", 1)]


async def test_a_unit_inside_a_request_has_its_id_and_outside_of_an_application_no_line() -> None:
    app = FastAPI()

    @app.get("/trigger")
    async def trigger() -> None:
        async with vitals.unit("job", "inner"):
            vitals.add_call("db", 1, "SELECT 1")

    lines = Lines(install(app))
    async with testing.client(app) as client:
        await client.get("/trigger")
    async with vitals.unit("job", "outside"):
        pass

    inner, request = (json.loads(line) for line in lines)
    assert inner["request_id"] == request["request_id"]
    assert (inner["job"], inner["db_calls"], request["db_calls"]) == ("inner", 1, 1)


async def test_a_consumer_that_a_lifespan_starts_is_observed() -> None:
    async def consume() -> None:
        async with vitals.unit("job", "consume"):
            raise LookupError

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        [error] = await asyncio.gather(consume(), return_exceptions=True)
        assert isinstance(error, LookupError)
        yield

    app = install(FastAPI(lifespan=lifespan))
    lines = Lines(app)
    async with testing.lifespan(app):
        pass

    line = lines.last()
    assert (line["job"], line["outcome"], line["error"]) == ("consume", "error", "LookupError")


def test_a_command_logs_as_the_service_does() -> None:
    done = run("vitals.add_field('done', True)", APP_ENVIRONMENT="test")

    line = json.loads(done.stdout)
    assert (done.returncode, line["job"], line["db_calls"], line["done"]) == (0, "work", 1, True)


def test_a_command_that_fails_says_so_by_its_status_and_its_log() -> None:
    done = run("raise LookupError('hunter2')", APP_ENVIRONMENT="test")

    job, error = (json.loads(line) for line in done.stdout.splitlines())
    assert (done.returncode, job["error"], error["event"]) == (
        1,
        "LookupError",
        "the command failed",
    )
    assert "hunter2" not in done.stdout + done.stderr


async def test_a_unit_that_runs_others_for_ever_keeps_a_bounded_number_of_their_calls() -> None:
    async with vitals.unit("job", "consumer"):
        for _ in range(3):
            async with vitals.unit("task", "message"):
                for _ in range(MAX_CALLS):
                    vitals.add_call("http", 1, "shop")
        outer = current.get()

    assert outer is not None
    assert len(outer.calls) == MAX_CALLS


def test_a_command_refuses_settings_without_a_traceback() -> None:
    done = run("", APP_ENVIRONMENT="local", APP_LOG_LVL="info")

    assert done.returncode == 2
    assert done.stderr.startswith("APP_LOG_LVL")
    assert "Traceback" not in done.stderr


def test_a_signal_cancels_a_command() -> None:
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "APP_ENVIRONMENT": "test"}
    work = "print('ready', flush=True); await asyncio.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(work)], env=given, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 143
    assert json.loads(output)["error"] == "CancelledError"
