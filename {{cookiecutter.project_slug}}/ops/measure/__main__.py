"""The two commands: `make baseline` and `make compare BASE=v1.2.0`."""

import sys

from ops import steps
from ops.measure.baseline import baseline
from ops.measure.compare import compare

COMMANDS = {"baseline": baseline, "compare": compare}

if __name__ == "__main__":
    steps.exit_with(COMMANDS[sys.argv[1]])
