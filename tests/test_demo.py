"""`make demo`: the running service that it shows, and what Ctrl-C leaves behind."""

import re
import urllib.request

import psutil
import pytest

from benchmarks import demo
from tests import session

pytestmark = pytest.mark.xdist_group("demo")  # there is one build/demo


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
    assert started
    assert psutil.wait_procs(started, timeout=10)[1] == []
    assert [line for line in demo.LOG.read_text().splitlines() if "Z error " in line] == []
    expected = session.blocks(session.README.read_text(encoding="utf-8"))[0]
    said = session.show_demo(second.said())
    assert session.without_figures(said) == session.without_figures(expected)
