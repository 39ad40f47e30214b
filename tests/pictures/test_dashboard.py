"""The dashboard's file. Grafana itself is not run: the structure is checked, and
test_prometheus.py evaluates each expression on a real Prometheus."""

import itertools
import json

import yaml

from tests.baking import IN_PLACE

GRAFANA = IN_PLACE / "deploy" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "service-vitals.json").read_text("utf-8"))
PANELS = DASHBOARD["panels"]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def test_its_rows_go_from_the_symptom_to_the_cause():
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]

    assert rows == ["Health", "Routes", "Dependencies", "Changes"]
    tops = [panel["gridPos"]["y"] for panel in PANELS]
    assert tops == sorted(tops)


def test_no_panel_overlaps_another_or_the_border():
    for panel in PANELS:
        assert 0 <= panel["gridPos"]["x"] <= 24 - panel["gridPos"]["w"], panel["title"]
    for one, other in itertools.combinations([panel["gridPos"] for panel in PANELS], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


def test_every_panel_asks_the_chosen_prometheus_and_the_chosen_service():
    drawn = [panel for panel in PANELS if panel["type"] != "row"]
    targets = [target for panel in drawn for target in panel["targets"]]

    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in drawn}) == len(drawn)
    assert all(each["datasource"] == SOURCE for each in [*drawn, *targets])
    assert {"datasource", "job"} == {each["name"] for each in DASHBOARD["templating"]["list"]}
    unbound = [t["expr"] for t in targets if '{job="$job"' not in t["expr"]]
    assert unbound == ['count(ALERTS{alertstate="firing"}) or vector(0)']


def test_the_provisioned_files_are_where_compose_mounts_them():
    (provider,) = yaml.safe_load(
        (GRAFANA / "provisioning" / "dashboards" / "service.yaml").read_text("utf-8")
    )["providers"]
    (source,) = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yaml").read_text("utf-8")
    )["datasources"]
    services = yaml.safe_load((IN_PLACE / "deploy" / "compose.yaml").read_text("utf-8"))["services"]

    mounts = services["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts
    assert "./grafana/provisioning:/etc/grafana/provisioning:ro" in mounts
    assert source["url"] == "http://prometheus:9090"
    assert services["prometheus"]["ports"][0].endswith(":9090")
