"""How do lines get to standard output, without ever holding up a request?

Lines go into a bounded buffer and one thread writes them: a pipe that nobody reads or a full disk
costs lines, which are counted, and nothing else. An exception is logged with its types and
frames, without its message or any value: those may hold what must not be in a log.
"""

import atexit
import json
import logging
import os
import threading
import time
from collections import deque
from types import TracebackType
from typing import Any

from app.observability import tally

MAX_LINES = 10_000
MAX_TEXT = 65_536  # characters of one message
MAX_ERRORS = 8  # of one chain of causes
MAX_FRAMES = 30
SECOND = "%Y-%m-%dT%H:%M:%S"
GATHER_SECONDS = 0.05  # lines written together
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "color_message", "taskName"}


class Writer:
    """Writes lines to a file descriptor from a thread of its own; `write` never waits."""

    def __init__(self, descriptor: int) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._lines: deque[str] = deque()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Leave a line to the thread; with too many waiting it is dropped and counted."""
        lines = self._lines
        if len(lines) >= MAX_LINES:
            self.dropped += 1
            return
        lines.append(line)
        if len(lines) == 1:
            self._start()

    def close(self, within_seconds: float = 1.0) -> None:
        """Write what is left, but let nobody wait longer than that."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(within_seconds)
            self._thread = None

    def _start(self) -> None:
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
            self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(timeout=1)  # two threads that write at once may both leave it unset
            self._wake.clear()
            self._stop.wait(GATHER_SECONDS)
            self._write_all()
        self._write_all()  # what came while the last lines were written

    def _write_all(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        data = memoryview("".join(lines).encode("utf-8", "backslashreplace"))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # the disk is full, or the reader is gone: say so where it can be seen
            self.dropped += bytes(data).count(b"\n")


stdout = Writer(descriptor=1)
atexit.register(stdout.close)


def install(writer: Writer, log_format: str, level: str) -> None:
    """Send all lines of the standard logging, the server's own too, to the writer."""
    root = logging.getLogger()
    root.handlers = [_Handler(writer, log_format)]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of whole URLs


def account(error: BaseException) -> list[dict[str, Any]]:
    """The types and frames of an exception, its causes and its members; none of their values."""
    todo, told = [error], list[dict[str, Any]]()
    while todo and len(told) < MAX_ERRORS:
        error = todo.pop(0)
        told.append({"type": type(error).__qualname__, "frames": _frames(error.__traceback__)})
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        todo += [*getattr(error, "exceptions", ()), *([cause] if cause is not None else [])]
    return told


def _frames(trace: TracebackType | None) -> list[str]:
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return frames[-MAX_FRAMES:]


def _time(record: logging.LogRecord) -> str:
    """UTC to the millisecond, as RFC 3339 writes it."""
    return f"{time.strftime(SECOND, time.gmtime(record.created))}.{int(record.msecs):03d}Z"


class _Handler(logging.Handler):
    def __init__(self, writer: Writer, log_format: str) -> None:
        super().__init__()
        self._writer = writer
        self._render = _json if log_format == "json" else _text

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.write(self._render(record, _fields(record)))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a line says beside time and level."""
    message = record.getMessage()[:MAX_TEXT]
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        message = message.partition("\n")[0]  # asyncio shows the exception's text below it
    fields = {"event": message, "logger": record.name, "request_id": tally.request_id()}
    if (running := tally.current.get()) is not None:
        fields["route"] = running.route()
    fields |= {k: v for k, v in vars(record).items() if k not in STANDARD}
    return fields | ({"exception": account(error)} if error is not None else {})


def _json(record: logging.LogRecord, fields: dict[str, Any]) -> str:
    head = {"time": _time(record), "level": record.levelname.lower()}
    return json.dumps(head | fields, default=str) + "\n"


def _text(record: logging.LogRecord, fields: dict[str, Any]) -> str:
    event, errors = str(fields.pop("event")), fields.pop("exception", [])
    told = "".join(f" {name}={value}" for name, value in fields.items() if value != "")
    frames = "".join(
        f"\n  {e['type']}" + "".join(f"\n    {f}" for f in e["frames"]) for e in errors
    )
    line = f"{_time(record)} {record.levelname.lower():7} {event}{told}"
    return line.replace("\r", "\\r").replace("\n", "\n    ") + frames + "\n"
