"""`make demo`: the running service that it shows, and what Ctrl-C leaves behind."""

import json
import re
import urllib.error
import urllib.request

import psutil
import pytest

from benchmarks import demo, demo_database
from tests import baking, session


@pytest.mark.slow
def test_ctrl_c_in_set_up_leaves_no_process_and_the_next_demo_serves(tmp_path):
    with session.demo(tmp_path / "first.log") as first:
        first.wait_for("make setup")
        started = first.press_ctrl_c()
        assert first.process.wait(60) == 130
    assert psutil.wait_procs(started, timeout=10)[1] == []
    assert "Interrupted. Nothing is left running. Safe to retry: make demo" in first.said()

    with session.demo(tmp_path / "second.log") as second:
        second.wait_for("Ctrl-C stops it.")
        address = re.search(r"http://127\.0\.0\.1:\d+", second.said())[0]
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            assert answer.status == 200
        started = second.press_ctrl_c()
        assert second.process.wait(60) == 0
        lines = demo.LOG.read_text().splitlines()
    assert started
    assert psutil.wait_procs(started, timeout=10)[1] == []
    assert [line for line in lines if "Z error " in line] == []
    expected = session.blocks(session.README.read_text(encoding="utf-8"))[0]
    said = session.show_demo(second.said())
    assert session.without_figures(said) == session.without_figures(expected)
    assert len(second.said().splitlines()) <= 12


def health(address: str) -> dict:
    try:
        return json.loads(baking.ask(f"{address}/health"))
    except urllib.error.HTTPError as error:
        with error:
            return json.loads(error.read())


@pytest.mark.slow
def test_the_broken_database_is_named_and_the_service_recovers(tmp_path, monkeypatch):
    monkeypatch.setenv("BREAK", "database")

    with session.demo(tmp_path / "demo.log") as running:
        running.wait_for("PostgreSQL is stopped")
        address = re.search(r"http://127\.0\.0\.1:\d+", running.said())[0]
        within = demo_database.STOPPED_SECONDS
        baking.wait_until(lambda: health(address)["status"] == "fail", within)
        failed = health(address)["checks"]["database"]
        running.wait_for("PostgreSQL runs again")
        baking.wait_until(lambda: health(address)["status"] == "pass", 20)
        started = running.press_ctrl_c()
        assert running.process.wait(60) == 0

    assert failed[0]["status"] == "fail"
    assert psutil.wait_procs(started, timeout=20)[1] == []


@pytest.mark.slow
def test_ctrl_c_while_the_database_is_stopped_leaves_no_process(tmp_path, monkeypatch):
    monkeypatch.setenv("BREAK", "database")

    with session.demo(tmp_path / "demo.log") as running:
        running.wait_for("PostgreSQL is stopped")
        started = running.press_ctrl_c()
        assert running.process.wait(60) == 0

    assert started
    assert psutil.wait_procs(started, timeout=20)[1] == []


def test_an_unknown_break_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("BREAK", "cache")

    with session.demo(tmp_path / "demo.log") as running:
        assert running.process.wait(60) == 1

    assert "BREAK=cache; expected database" in running.said()
