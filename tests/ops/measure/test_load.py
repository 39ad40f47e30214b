"""The load: what config/slo.toml names is sent."""

from pathlib import Path

import pytest

from vitals.ops import slo
from vitals.ops.measure import load
from vitals.ops.measure.load import Request
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

ROUTE = """
[[route]]
route = "/v1/price-lists/{list_id}"
request = "GET /v1/price-lists/7"
rate = 20
p95_ms = 250
availability = 99.9
"""
SEED = '[[seed]]\nrequest = "POST /v1/price-lists"\nbody = { name = "a" }\ntimes = 2\n'


def written(folder: Path, text: str) -> Path:
    (folder / "app" / "price_lists").mkdir(parents=True)
    (folder / "config").mkdir()
    (folder / slo.SOURCE).write_text(text)
    return folder


def test_a_seed_is_sent_as_often_as_times(tmp_path: Path) -> None:
    plan = load.read(written(tmp_path, SEED + ROUTE))

    assert plan.seeds == [Request("POST", "/v1/price-lists", {"name": "a"})] * 2


def test_a_route_is_known_by_its_template_and_clears_the_cache_of_its_feature(
    tmp_path: Path,
) -> None:
    (route,) = load.read(written(tmp_path, ROUTE)).routes

    assert route.name == "GET /v1/price-lists/{list_id}"
    assert route.request == Request("GET", "/v1/price-lists/7")
    assert route.features == ("price_lists",)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SEED.replace("times", "often"), "a seed, a route or a log-in without 'times'"),
        (SEED.replace("2", '"two"'), "a seed, a route or a log-in: invalid literal .*'two'"),
        (SEED.replace('"POST /v1/price-lists"', "1"), "a seed, a route or a log-in: 'int' object"),
        ('login = "GET /login"', "a seed, a route or a log-in: "),
        (ROUTE.replace("rate", "speed"), "a seed, a route or a log-in without 'rate'"),
    ],
)
def test_a_load_that_cannot_be_sent_is_refused(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(Refused, match=found):
        load.read(written(tmp_path, text))


def test_wrong_objectives_are_refused_in_this_project_and_not_in_an_older_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, ROUTE.replace("p95_ms = 250", "p95_ms = 260"))

    assert load.read(tmp_path).routes[0].rate == 20
    monkeypatch.setattr(shell, "ROOT", tmp_path)
    with pytest.raises(Refused, match="p95_ms = 260"):
        load.read(tmp_path)


def test_a_project_without_a_route_or_without_the_file_has_an_empty_load(tmp_path: Path) -> None:
    assert load.read(tmp_path) == load.EMPTY
    assert load.read(written(tmp_path, "")) == load.EMPTY


def test_the_load_of_this_project_can_be_sent() -> None:
    assert load.read(shell.ROOT).routes


def test_a_client_names_the_host_of_the_release(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "staging.env").write_text("APP_ALLOWED_HOSTS=orders.internal\n")
    release = Release(Build("v1", "c0ffee"), tmp_path, "staging")

    with load.client("http://127.0.0.1:1", release) as client:
        assert client.headers["Host"] == "orders.internal"
