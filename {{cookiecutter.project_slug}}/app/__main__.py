"""The one start command, everywhere: python -m app."""

import os
import sys

from app.main import create_app
from vitals.observability import logs
from vitals.server import serve
from vitals.settings import SettingsRefused, load


def main() -> int:
    """Serve until a signal; 2 if the settings are refused, 1 if the port can't be had."""
    try:
        settings = load(os.environ)
        service = create_app(settings)
    except SettingsRefused as refused:
        lines = [*refused.faults, "Not started. Correct the settings and start again."]
        sys.stderr.write("\n".join(lines) + "\n")
        return 2
    logs.install(logs.stdout, settings.log_format, settings.log_level)
    return serve.serve(service, settings)


if __name__ == "__main__":
    sys.exit(main())
