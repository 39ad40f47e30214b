"""The log: lines are written whole, and no caller waits for them."""

import json
import logging
import os
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.test_layers import PROJECT
from vitals import request_stats
from vitals.observability import logs
from vitals.observability.logs import MAX_LINES, Writer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def writer(file: Path) -> Iterator[Writer]:
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    writer = Writer(descriptor)
    yield writer
    writer.close()
    os.close(descriptor)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """The root logger, whose handlers come back after the test."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", logging.INFO)
    return root


def until(condition: Callable[[], bool], within_seconds: float = 10) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        threading.Event().wait(0.005)


def test_lines_from_many_threads_are_all_written_whole(writer: Writer, file: Path) -> None:
    def write(name: int) -> None:
        for number in range(500):
            writer.write(f"{name}:{number}\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()

    expected = {f"{name}:{number}" for name in range(8) for number in range(500)}
    assert set(file.read_text().splitlines()) == expected
    assert writer.dropped == 0


def test_a_line_is_written_without_anyone_closing_the_writer(writer: Writer, file: Path) -> None:
    writer.write("first\n")
    until(lambda: file.read_text() == "first\n")

    writer.write("second\n")

    until(lambda: file.read_text() == "first\nsecond\n")


def test_a_pipe_that_nobody_reads_drops_lines_and_blocks_no_caller() -> None:
    reader, descriptor = os.pipe()
    writer = Writer(descriptor)
    others = set(threading.enumerate())
    line = "x" * 99 + "\n"

    for _ in range(3 * MAX_LINES):
        writer.write(line)
    writer.close(within_seconds=0.1)

    on_the_way = 65_536 // len(line) + MAX_LINES  # in the pipe, and in what the thread can't write
    assert writer.dropped >= 2 * MAX_LINES - on_the_way
    os.close(reader)  # ends the thread's last write: the reader is gone
    until(lambda: set(threading.enumerate()) <= others)
    os.close(descriptor)


def test_lines_after_a_close_that_timed_out_are_written_too() -> None:
    reader, descriptor = os.pipe()
    writer = Writer(descriptor)
    for _ in range(1_000):  # more than a pipe takes
        writer.write("x" * 99 + "\n")
    writer.close(within_seconds=0.1)

    writer.write("later\n")

    came = bytearray()

    def all_arrived() -> bool:
        with suppress(BlockingIOError):
            came.extend(os.read(reader, 65_536))
        return len(came) == 100_006 and b"later\n" in came

    os.set_blocking(reader, False)
    until(all_arrived)
    writer.close()
    assert writer.dropped == 0
    os.close(reader)
    os.close(descriptor)


def test_lines_that_cannot_be_written_are_counted() -> None:
    reader, descriptor = os.pipe()
    os.close(reader)
    writer = Writer(descriptor)

    for _ in range(3):
        writer.write("lost\n")
    writer.close()

    assert writer.dropped == 3
    os.close(descriptor)


def test_a_line_of_the_applications_own_logger_has_its_request_id(
    writer: Writer, file: Path, root: logging.Logger
) -> None:
    logs.install(writer, "json", "info")
    token = request_stats.current.set(request_stats.RequestStats("01234567"))

    logging.getLogger("mine").info("%d found", 3, extra={"colour": "red\n"})
    root.debug("below the level")

    request_stats.current.reset(token)
    writer.close()
    (line,) = map(json.loads, file.read_text().splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "info",
        "event": "3 found",
        "logger": "mine",
        "request_id": "01234567",
        "route": "",
        "colour": "red\n",
    }


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_exception_is_logged_by_types_and_frames_without_its_message(
    log_format: str, writer: Writer, file: Path, root: logging.Logger
) -> None:
    logs.install(writer, log_format, "info")

    error = ExceptionGroup("hunter2", [ValueError("hunter2")])
    error.__cause__ = KeyError("hunter2")
    try:
        _raise(error)
    except ExceptionGroup:
        root.exception("it failed\nfuture: hunter2")

    writer.close()
    text = file.read_text()
    assert "hunter2" not in text
    assert [n for n in ("ExceptionGroup", "ValueError", "KeyError") if n not in text] == []
    assert re.search(r"test_logs\.py:\d+:_raise", text)


def test_text_from_a_client_cannot_forge_a_line(
    writer: Writer, file: Path, root: logging.Logger
) -> None:
    logs.install(writer, "text", "info")

    root.info("name: %s", "x\n2026-01-01T00:00:00.000Z info forged\r")

    writer.close()
    assert not any(line.startswith("2026-01-01") for line in file.read_text().splitlines())


class Broken:
    """An object of a library that can't be shown, compared or formatted."""

    def __str__(self) -> str:
        raise RuntimeError("hunter2")

    __repr__ = __str__

    def __ne__(self, other: object) -> bool:
        raise RuntimeError("hunter2")

    __hash__ = None  # type: ignore[assignment]


class BrokenText(str):
    __slots__ = ()

    def __format__(self, spec: str) -> str:
        raise RuntimeError("hunter2")


def cycle() -> list[object]:
    members: list[object] = []
    members.append(members)
    return members


def deep() -> list[object]:
    members: list[object] = []
    for _ in range(100_000):
        members = [members]
    return members


WRONG_CALLS: dict[str, tuple[object, tuple[object, ...], dict[Any, Any]]] = {
    "a number that is none": ("%d found", ("two",), {}),
    "too few arguments": ("%s and %s", ("one",), {}),
    "too many arguments": ("none", ("one",), {}),
    "an argument that can't be shown": ("%s", (Broken(),), {}),
    "a message that can't be shown": (Broken(), (), {}),
    "a key that is no text": ("m", (), {(1, 2): 3}),
    "a key within that is no text": ("m", (), {"a": {(1, 2): 3}}),
    "a cycle": ("m", (), {"a": cycle()}),
    "deep nesting": ("m", (), {"a": deep()}),
    "a value that can't be shown": ("m", (), {"a": Broken()}),
    "a value within that can't be shown": ("m", (), {"a": [Broken()]}),
    "a text of a kind of its own": ("m", (), {"a": BrokenText("x")}),
}
SHOWN = {  # as text anything can be shown that has a text
    "text": {"a key that is no text", "a key within that is no text", "a cycle"},
    "json": {"a text of a kind of its own"},
}


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("what", WRONG_CALLS)
def test_a_wrong_log_call_raises_nothing_keeps_its_line_and_is_counted(
    what: str, log_format: str, writer: Writer, file: Path
) -> None:
    logs.install(writer, log_format, "info")
    message, arguments, extra = WRONG_CALLS[what]

    try:
        _raise(KeyError("hunter2"))
    except KeyError:
        logging.getLogger("library").exception(message, *arguments, extra=extra)

    writer.close()
    wrong = what not in SHOWN[log_format]
    text = file.read_text()
    assert writer.errors == wrong
    assert ("wrong log call in test_logs.py:" in text) == wrong
    assert [word for word in ("library", "KeyError", "test_logs.py:") if word not in text] == []
    assert "hunter2" not in text
    if log_format == "json":
        assert json.loads(text)["level"] == "error"


def test_an_exception_with_members_that_are_none_is_described(
    writer: Writer, file: Path, root: logging.Logger
) -> None:
    class Many(Exception):
        exceptions = ("hunter2", 7)

    logs.install(writer, "json", "info")

    root.error("it failed", exc_info=Many())

    writer.close()
    assert json.loads(file.read_text())["exception"] == [{"type": Many.__qualname__, "frames": []}]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_extra_replaces_no_field_of_the_engine(
    log_format: str, writer: Writer, file: Path, root: logging.Logger
) -> None:
    logs.install(writer, log_format, "info")
    ours = ("time", "level", "event", "logger", "request_id", "route", "exception")
    token = request_stats.current.set(request_stats.RequestStats("01234567"))

    root.info("told", extra=dict.fromkeys(ours, "forged") | {"own": "kept"})
    root.error("failed", extra=dict.fromkeys(ours, "forged"), exc_info=KeyError())

    request_stats.current.reset(token)
    writer.close()
    text = file.read_text()
    assert "kept" in text
    first, failed = text.splitlines()[0], text.partition("\n")[2]
    assert first.count("forged") == 1  # without an error there is no field `exception` of ours
    assert "forged" not in failed


@pytest.mark.parametrize("info", [("no", "such", "error"), (1,), (None, None, None)])
def test_an_exc_info_that_holds_no_exception_raises_nothing(
    info: Any, writer: Writer, file: Path, root: logging.Logger
) -> None:
    logs.install(writer, "json", "info")

    root.error("it failed", exc_info=info)

    writer.close()
    assert json.loads(file.read_text())["event"] == "it failed"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("nan")]])
def test_a_number_that_json_lacks_leaves_a_line_of_json(
    value: object, writer: Writer, file: Path, root: logging.Logger
) -> None:
    logs.install(writer, "json", "info")

    root.info("measured", extra={"ratio": value})

    writer.close()
    assert "measured" in json.loads(file.read_text(), parse_constant=pytest.fail)["event"]
    assert writer.errors == 1


def test_a_pipe_that_is_full_for_a_moment_gets_every_line() -> None:
    reader, pipe = os.pipe()
    os.set_blocking(pipe, False)  # as a parent process may set what it shares
    writer, lines = Writer(pipe), [f"{number:0999}\n" for number in range(200)]

    for line in lines:
        writer.write(line)
    found = b""
    with suppress(BlockingIOError):
        until(lambda: select.select([reader], [], [], 0)[0] != [])
        while len(found) < 200_000 and select.select([reader], [], [], 5)[0]:
            found += os.read(reader, 4_096)
    writer.close()
    for end in (reader, pipe):
        os.close(end)

    assert found.decode() == "".join(lines)
    assert writer.dropped == 0


FORKS = """
import os
from vitals.observability import logs
logs.stdout.write("parent\\n")
if os.fork():
    os.wait()
else:
    logs.stdout.write("child\\n")
    logs.stdout.close()
    os._exit(0)
"""


def test_a_child_that_was_forked_writes_its_own_lines_and_no_other() -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", FORKS]

    output = subprocess.check_output(command, env=environment, text=True, timeout=60)

    assert sorted(output.splitlines()) == ["child", "parent"]


CONTROLS = [*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A)]


def test_no_control_character_reaches_a_terminal(
    writer: Writer, file: Path, root: logging.Logger
) -> None:
    logs.install(writer, "text", "info")
    raw = "".join(map(chr, CONTROLS))

    root.info("%s", raw, extra={"value": raw, raw: "name"})

    writer.close()
    assert set(map(ord, file.read_text(encoding="utf-8"))) & set(CONTROLS) == {ord("\n")}
    assert file.read_text(encoding="utf-8").count("\n") == 1
    assert "\\x1b" in file.read_text(encoding="utf-8")


@given(
    message=st.text(),
    extra=st.dictionaries(
        (st.text(min_size=1) | st.integers() | st.tuples(st.integers())).filter(
            lambda name: name not in logs.STANDARD  # the standard library refuses these itself
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner),
            max_leaves=9,
        ),
        max_size=5,
    ),
)
def test_whatever_is_logged_makes_one_line(message: str, extra: dict[Any, Any]) -> None:
    for log_format in logs.FORMATS:
        writer, lines = Writer(-1), list[str]()
        writer.write = lines.append  # type: ignore[method-assign]
        record = logging.makeLogRecord({**extra, "msg": message, "args": None, "levelname": "INFO"})

        logs._Handler(writer, log_format).emit(record)

        assert [len(line.splitlines()) for line in lines] == [1]
        assert lines[0].endswith("\n")


def _raise(error: Exception) -> None:
    raise error
