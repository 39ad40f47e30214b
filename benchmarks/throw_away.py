"""The project's throw-away PostgreSQL: prints its address, and obeys `stop` and `continue`.

Runs in a generated project, by its Python. It ends with its input or on SIGTERM.
"""

import contextlib
import signal
import sys

from vitals.ops import services
from vitals.ops.project import setup
from vitals.ops.services import postgres

SIGNALS = {"stop": signal.SIGSTOP, "continue": signal.SIGCONT}


def main() -> None:
    if not setup.installed(services.REQUIREMENTS):
        setup.install(services.REQUIREMENTS)
    import psutil  # a package of that lock

    def send(number: signal.Signals) -> None:
        for process in psutil.Process().children(recursive=True):
            if process.name() == "postgres":
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), postgres.throw_away() as server:
        try:
            print(server.url, flush=True)
            for line in sys.stdin:
                send(SIGNALS[line.strip()])
        finally:
            send(signal.SIGCONT)


if __name__ == "__main__":
    main()
