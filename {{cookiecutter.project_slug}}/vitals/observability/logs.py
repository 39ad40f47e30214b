"""The log: lines on standard output that never delay a request.

Lines go into a bounded buffer and one thread writes them: if a pipe is not read or a disk is
full, lines are dropped and counted. An exception is logged with its types and
frames, without its message or any value: those may hold what must not be in a log.
"""

import atexit
import json
import logging
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from vitals import request_stats

MAX_LINES = 10_000
MAX_TEXT = 65_536  # characters of one message
MAX_ERRORS = 8  # of one chain of causes
MAX_FRAMES = 30
GATHER_SECONDS = 0.05  # lines written together
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "color_message", "taskName"}
# What moves a terminal's cursor, begins a line, or turns a text's direction.
CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0))}
CONTROLS |= {code: f"\\u{code:04x}" for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A))}


class Writer:
    """Writes lines to a file descriptor from a thread of its own; `write` never waits."""

    def __init__(self, descriptor: int) -> None:
        self.dropped = 0  # lines
        self.errors = 0  # log calls that could not be written as they are
        self._descriptor = descriptor
        self._lines = deque[str]()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Hand a line to the thread; with too many waiting it is dropped and counted."""
        if len(self._lines) >= MAX_LINES:
            self.dropped += 1
            return
        self._lines.append(line)
        if self._thread is None:
            self._start()

    def close(self, within_seconds: float = 1.0) -> None:
        """Write what is left, for at most that long."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._closing.set()
            thread.join(within_seconds)

    @contextmanager
    def discarded(self) -> Iterator[None]:
        """Discard all lines until the block ends."""
        before, self._descriptor = self._descriptor, os.open(os.devnull, os.O_WRONLY)
        try:
            yield
        finally:
            self.close()
            os.close(self._descriptor)
            self._descriptor = before

    def renew(self) -> None:
        """Start anew in a forked child: the thread and the lines are its parent's."""
        self._thread, self._lock = None, threading.Lock()
        self._lines.clear()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._closing = threading.Event()  # another thread may still be at its last lines
                self._thread = threading.Thread(
                    target=self._work, args=(self._closing,), name="log-writer", daemon=True
                )
                self._thread.start()

    def _work(self, closing: threading.Event) -> None:
        """Poll for lines: waking the thread for each line would cost more than it saves."""
        last = False
        while not last:
            last = closing.wait(GATHER_SECONDS)
            with self._lock:
                lines = [self._lines.popleft() for _ in range(len(self._lines))]
            self._write(memoryview("".join(lines).encode("utf-8", "backslashreplace")))

    def _write(self, data: memoryview) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # somebody else has made this pipe one that does not wait
                time.sleep(GATHER_SECONDS)
            except OSError:  # the disk is full, or the reader is gone: /metrics shows it
                self.dropped += bytes(data).count(b"\n")
                return


stdout = Writer(descriptor=1)
atexit.register(stdout.close)
if hasattr(os, "register_at_fork"):  # not every system forks
    os.register_at_fork(after_in_child=stdout.renew)


def to_the_second(seconds: float) -> str:
    """A time in UTC as RFC 3339 begins it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def as_json(fields: Mapping[str, Any]) -> str:
    """One line for machines; nothing in it can begin another, or move a terminal's cursor."""
    return json.dumps(fields, default=str, separators=(",", ":"), allow_nan=False) + "\n"


def as_text(fields: Mapping[str, Any]) -> str:
    """One line for people; the frames of an exception follow, indented."""
    rest = dict(fields)
    head = f"{rest.pop('time')} {rest.pop('level'):7} {rest.pop('event')}"
    errors = rest.pop("exception") if isinstance(rest.get("exception"), list) else []
    line = head + "".join(f" {name}={value}" for name, value in rest.items() if value != "")
    frames = [each.translate(CONTROLS) for e in errors for each in (e["type"], *e["frames"])]
    return "\n    ".join((line.translate(CONTROLS), *frames)) + "\n"


FORMATS: dict[str, Callable[[Mapping[str, Any]], str]] = {"json": as_json, "text": as_text}


def install(writer: Writer, log_format: str, level: str) -> None:
    """Send all lines of the standard logging, the server's own too, to the writer."""
    root = logging.getLogger()
    root.handlers = [_Handler(writer, log_format)]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs


class _Handler(logging.Handler):
    def __init__(self, writer: Writer, log_format: str) -> None:
        super().__init__()
        self._writer = writer
        self._format = FORMATS[log_format]

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._format(_fields(record))
        except Exception:  # arguments that don't fit, what is no JSON, code of others
            self._writer.errors += 1
            known = {name: value for name, value in vars(record).items() if name in STANDARD}
            said = record.msg if isinstance(record.msg, str) else ""
            known["msg"] = f"wrong log call in {record.filename}:{record.lineno}: {said}"
            line = self._format(_fields(logging.makeLogRecord(known | {"args": None})))
        self._writer.write(line)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a line, with all that its author gave as `extra`."""
    message = record.getMessage()[:MAX_TEXT]
    error = next((e for e in record.exc_info or () if isinstance(e, BaseException)), None)
    if error is not None:
        message = message.partition("\n")[0]  # asyncio shows the exception's text below it
    time = f"{to_the_second(record.created)}.{int(record.msecs):03d}Z"
    fields = {"time": time, "level": record.levelname.lower()}
    fields |= {"event": message, "logger": record.name, "request_id": request_stats.request_id()}
    if (running := request_stats.current.get()) is not None:
        fields["route"] = running.route()
    extra = {name: value for name, value in vars(record).items() if name not in STANDARD}
    fields = fields | extra | fields  # none of ours is replaced
    return fields | ({"exception": describe_exception(error)} if error is not None else {})


def describe_exception(error: BaseException) -> list[dict[str, Any]]:
    """The types and frames of an exception, its causes and its members; none of their values."""
    todo, described = [error], list[dict[str, Any]]()
    while todo and len(described) < MAX_ERRORS:
        error = todo.pop(0)
        frames = [
            f"{frame.f_code.co_filename}:{line}:{frame.f_code.co_name}"
            for frame, line in traceback.walk_tb(error.__traceback__)
        ]
        described.append({"type": type(error).__qualname__, "frames": frames[-MAX_FRAMES:]})
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        todo += [*members, *([cause] if cause is not None else [])]
    return described
