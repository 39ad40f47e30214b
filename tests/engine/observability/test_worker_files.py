"""Counts of several workers: complete whatever ends a worker, each once, and bounded."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.test_layers import PROJECT
from vitals.observability import worker_file, worker_files
from vitals.observability.worker_file import WorkerFile
from vitals.observability.worker_files import Folder

ORDERS = "orders_total\t\t"
DURATIONS = "seconds\t1,2\t"
COUNTS_AND_WAITS = """
import os, sys, time
from pathlib import Path
from vitals.observability.worker_files import Folder
Folder(Path(sys.argv[1])).join().add("orders_total", (), "")[0] += 5
if len(sys.argv) > 2 and os.fork():
    os._exit(0)
print(os.getpid(), flush=True)  # the child, where one was forked
time.sleep(60)  # until it is killed
"""


def die(file: WorkerFile) -> None:
    """What the system does at the end of a process."""
    file._held.close()


def worker(folder: Path, *more: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-c", COUNTS_AND_WAITS, str(folder), *more]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as lines:
        return process, lines.readline()


def test_counters_and_histograms_of_all_workers_are_added_up(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for amount in (1, 2):
        file = folder.join()
        file.add("orders_total", (), "")[0] += amount
        histogram = file.add("seconds", (1, 2), "")
        histogram.observe(1.5)
        histogram.observe(4)

    assert folder.sums() == {ORDERS: [3], DURATIONS: [0, 2, 2, 11.0]}


def test_a_worker_that_was_killed_keeps_its_counts_and_is_not_alive(tmp_path: Path) -> None:
    process, _ = worker(tmp_path)
    folder = Folder(tmp_path)
    assert len(folder.alive()) == 1

    process.kill()
    process.wait()

    assert folder.alive() == []
    assert folder.sums() == folder.sums() == {ORDERS: [5]}
    assert [path.name for path in tmp_path.glob("*.worker")] == []


def test_a_child_that_a_worker_forked_does_not_keep_it_alive(tmp_path: Path) -> None:
    process, child = worker(tmp_path, "fork")
    assert process.wait(20) == 0

    try:
        assert Folder(tmp_path).alive() == []
    finally:
        os.kill(int(child), signal.SIGKILL)


def test_a_dead_worker_counts_once_if_the_one_that_adds_it_dies_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, killed = Folder(tmp_path), KeyboardInterrupt()
    for _ in range(2):
        file = folder.join()
        file.add("orders_total", (), "")[0] += 5
        die(file)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda _: (_ for _ in ()).throw(killed))
        with pytest.raises(KeyboardInterrupt):
            folder.sums()

    assert folder.sums() == Folder(tmp_path).sums() == {ORDERS: [10]}


def test_a_replaced_worker_gets_the_number_that_is_free(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    first, _ = folder.join(), folder.join()
    die(first)

    assert folder.join().path.name.startswith("0001-")
    assert len(folder.alive()) == 2


def test_without_space_further_series_are_left_out_and_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_file, "CAPACITY", worker_file.STEP)
    monkeypatch.setattr(worker_files, "CAPACITY", worker_file.STEP)
    folder = Folder(tmp_path)
    file = folder.join()

    with caplog.at_level(logging.WARNING):
        for number in range(worker_file.STEP + 10):
            file.add("orders_total", (), f'kind="{number}"')[0] += 1

    assert len(folder.sums()) == worker_file.STEP
    assert caplog.text.count("no space is left") == 1


def test_a_full_disk_neither_stops_a_worker_nor_spoils_its_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(file: int, content: bytes, at: int) -> int:
        return written(file, content[: len(content) // 2], at)

    folder, written = Folder(tmp_path), os.pwrite
    file = folder.join()
    file.add("orders_total", (), "")[0] += 1
    monkeypatch.setattr(os, "pwrite", torn)

    file.add("lost_total", (), "")[0] += 1

    assert folder.sums() == {ORDERS: [1]}


def test_a_worker_that_was_stopped_holds_others_for_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_files, "WAIT_SECONDS", 0.05)
    folder = Folder(tmp_path)

    with folder._only_one(), pytest.raises(TimeoutError, match="locked by another worker"):
        Folder(tmp_path).sums()


def test_the_series_of_dead_workers_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_files, "MAX_PAST", 10)
    folder = Folder(tmp_path)
    for generation in range(3):
        file = folder.join()
        for number in range(8):
            file.add("orders_total", (), f'kind="{generation}-{number}"')[0] += 1
        die(file)

    assert len(folder.sums()) == 10
