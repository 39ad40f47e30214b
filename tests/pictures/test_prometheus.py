"""Expressions of dashboard, rules and alerts, evaluated on a real Prometheus."""

import contextlib
import itertools
import json
import math
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest
import yaml

from benchmarks import traffic
from tests import baking
from tests.baking import IN_PLACE
from tests.faults.client import ask
from tests.faults.service import OPS_TOKEN, Project, Service
from tests.pictures import monitoring
from tests.pictures.monitoring import Monitoring

PROMETHEUS = IN_PLACE / "deploy" / "prometheus"
DASHBOARD = json.loads(
    (IN_PLACE / "deploy/grafana/dashboards/service-vitals.json").read_text(encoding="utf-8")
)
COMPARISON = re.compile(r"\s+(?:>=|==|>) (?:[\d.e-]+|db_client_connections_max|on \(.+)$")
ALWAYS_BETWEEN_0_AND_1 = re.compile(r"ratio_rate|percentunit|health_check_up")
QUOTED = re.compile(r'"[^"]*"')
DRAINING = 'health_check_up{check="draining"}'


def panels() -> Iterator[tuple[str, str]]:
    """The expression of each panel and annotation, with its unit."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            unit = panel["fieldConfig"]["defaults"]["unit"]
            yield f"panel {panel['title']}, {unit}", target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["expr"]


def rules() -> Iterator[tuple[str, str]]:
    """Each recording rule, and the left side of the comparisons in each alert."""
    for file in sorted((PROMETHEUS / "rules").glob("*.yaml")):
        for rule in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"][0]["rules"]:
            if "record" in rule:
                yield rule["record"], rule["expr"]
                continue
            for part in re.split(r"\s+and\s+|\s+or\s+absent", rule["expr"].strip()):
                if not part.startswith("("):
                    yield f"alert {rule['alert']}", COMPARISON.sub("", part)


EXPRESSIONS = [(where, text.replace("$job", "service")) for where, text in (*panels(), *rules())]


@pytest.fixture(scope="module")
def service(project: Project, held, tmp_path_factory) -> Iterator[Service]:
    """A service that is not local: its metrics are for operators."""
    log = tmp_path_factory.mktemp("service") / "log"
    database, cache = held
    running = Service(
        project, log, database_url=database.url, cache_url=cache.url, drain_seconds=30
    ).up()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def watched(project: Project, service: Service, tmp_path_factory) -> Iterator[Monitoring]:
    """A Prometheus that has seen traffic with errors, misses and slow requests for a while."""
    address, ended = f"http://127.0.0.1:{service.port}", threading.Event()
    traffic.send(address)

    def go_on() -> None:
        for after in itertools.count():
            if ended.wait(0.02):
                return
            page = f"/items?after={after}"  # each of its own, so that some are not in the cache
            for path in ("/items/1", page, "/items/404", "/reports/prices"):
                with contextlib.suppress(OSError):  # the last test ends the service
                    traffic.ask("GET", address + path)

    going = threading.Thread(target=go_on)
    folder = tmp_path_factory.mktemp("monitoring")
    with monitoring.watching(project, service.port, folder) as prometheus:
        going.start()
        try:
            baking.wait_until(lambda: all_recorded(prometheus), 60)
            yield prometheus
        finally:
            ended.set()
            going.join()


def all_recorded(prometheus: Monitoring) -> bool:
    names = {name for name, _ in EXPRESSIONS if name.startswith("route:")}
    return names <= {
        series["metric"]["__name__"] for series in prometheus.query('{__name__=~"route:.+"}')
    }


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_an_expression_has_a_finite_result(watched: Monitoring, where: str, expression: str):
    if expression == DRAINING:
        return  # see the last test: then it drains

    values = [float(series["value"][1]) for series in watched.query(expression)]

    assert values, expression
    assert all(math.isfinite(value) and value >= 0 for value in values), values
    if ALWAYS_BETWEEN_0_AND_1.search(f"{where} {expression}"):
        assert max(values) <= 1, values


def test_the_figures_are_those_of_the_traffic(watched: Monitoring):
    hits = watched.query('route:cache_hits:ratio_rate5m{http_route="/items/{item_id}"}')
    calls = watched.query(
        'route:http_server_request_db_calls:mean_5m{http_route="/reports/prices"}'
    )

    assert 0.4 < float(hits[0]["value"][1]) < 0.9  # half of the reads are of an item that is not
    assert float(calls[0]["value"][1]) == pytest.approx(41, abs=0.5)
    baking.wait_until(lambda: "RepeatedStatements" in watched.firing(), 30)


def test_every_label_that_is_named_is_emitted(watched: Monitoring):
    named = {
        label
        for _, expression in EXPRESSIONS
        for labels in re.findall(r" by \(([^)]*)\)|{([^}]*)}", QUOTED.sub("", expression))
        for label in re.findall(r"\w+", ",".join(labels))
    }
    legends = {
        label
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", [])
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"])
    }

    assert {"job", "http_route", "le", "check"} <= named
    assert named | legends <= set(watched.ask("/api/v1/labels"))


def test_every_metric_that_is_emitted_is_documented_and_the_other_way_round(service: Service):
    emitted = ask(service.port, "/metrics", token=OPS_TOKEN).body.decode()
    documented = (PROMETHEUS / "README.md").read_text(encoding="utf-8")

    names = set(re.findall(r"^# TYPE (\w+)", emitted, re.MULTILINE))

    assert names == set(re.findall(r"^\| `(\w+)`", documented, re.MULTILINE))


def test_the_runbooks_commands_work(service: Service):
    runbook = (IN_PLACE / "RUNBOOK.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", runbook, re.DOTALL)
    reached = {"URL": f"http://127.0.0.1:{service.port}", "OPS_TOKEN": OPS_TOKEN}

    for block in blocks:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            env=os.environ | reached,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, block + done.stderr
        assert not re.search(r'(metrics |"status": ?)401', done.stdout), block
    assert len(blocks) >= 5


def test_an_alert_goes_all_the_way_to_its_receiver(watched: Monitoring, cache):
    cache.stop()

    def of_the_cache() -> list[dict]:
        return [a for a in watched.receiver.alerts if a["labels"].get("check") == "cache"]

    baking.wait_until(of_the_cache, 30)
    alert = of_the_cache()[0]
    assert alert["status"] == "firing"
    assert alert["labels"]["alertname"] == "CheckFailing"
    assert alert["labels"]["severity"] == "ticket"
    assert alert["annotations"]["runbook_url"] == "RUNBOOK.md#checkfailing"

    cache.start()

    baking.wait_until(lambda: of_the_cache()[-1]["status"] == "resolved", 60)


def test_a_drain_is_seen_and_then_the_missing_target(watched: Monitoring, service: Service):
    service.signal(signal.SIGTERM)

    baking.wait_until(lambda: watched.query(DRAINING), 20)
    baking.wait_until(lambda: "DrainStuck" in watched.firing(), 20)

    service.signal(signal.SIGTERM)  # a second one ends it at once

    baking.wait_until(lambda: "TargetAway" in watched.firing(), 20)
