"""Metrics in Prometheus' text format, whose number no client can increase."""

import random
import re
import string

import httpx
from fastapi import FastAPI

from vitals import request_stats
from vitals.health.checks import CheckState
from vitals.observability import metrics as module
from vitals.observability.metrics import Metrics


async def test_a_request_is_counted_under_method_route_and_status(
    app: FastAPI, client: httpx.AsyncClient, metrics: Metrics
) -> None:
    @app.get("/spend/{calls}")
    async def spend(calls: int) -> None:
        for _ in range(calls):
            request_stats.add_call("db", 20, "SELECT 1")
        request_stats.cache("miss")

    await client.get("/spend/3")
    await client.get("/spend/0")

    text = await metrics.text()
    labels = 'http_request_method="GET",http_route="/spend/{calls}",http_response_status_code="200"'
    assert f"http_server_request_duration_seconds_count{{{labels}}} 2\n" in text
    route = 'http_route="/spend/{calls}"'
    assert f'http_server_request_db_calls_bucket{{{route},le="0"}} 1\n' in text
    assert f'http_server_request_db_calls_bucket{{{route},le="3"}} 2\n' in text
    assert f'db_client_operation_duration_seconds_bucket{{{route},le="0.01"}} 0\n' in text
    assert f'db_client_operation_duration_seconds_bucket{{{route},le="0.025"}} 3\n' in text
    assert f'cache_requests_total{{{route},result="miss"}} 2\n' in text


async def test_random_paths_and_methods_add_at_most_two_series(
    client: httpx.AsyncClient, metrics: Metrics
) -> None:
    chance = random.Random(5)
    known = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"]
    for _ in range(500):
        word = "".join(chance.choices(string.ascii_letters, k=8))
        await client.request(chance.choice([*known, word.upper()]), f"/{word}")

    series = re.findall(
        r"^http_server_request_duration_seconds_count", await metrics.text(), re.MULTILINE
    )
    assert len(series) <= 2


async def test_checks_and_gauges_are_read_when_the_metrics_are() -> None:
    state = CheckState("database", required=True, up=False, duration_seconds=0.25)
    metrics = Metrics({"version": 'a"b'}, lambda: [state], [lambda: {"event_loop_lag_seconds": 1}])

    text = await metrics.text()

    assert 'app_info{version="a\\"b"} 1\n' in text
    assert 'health_check_up{check="database"} 0\n' in text
    assert 'health_check_duration_seconds{check="database"} 0.25\n' in text
    assert "\nevent_loop_lag_seconds 1\n" in text
    assert "\nlog_lines_dropped_total 0\n" in text


async def test_each_metric_is_described_once(client: httpx.AsyncClient, metrics: Metrics) -> None:
    await client.get("/nope")

    described = re.findall("# TYPE (.*) ", await metrics.text())
    assert sorted(set(described)) == sorted(described)
    assert set(described) <= set(module.METRICS)
