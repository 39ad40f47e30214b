"""Command line of the measurements: `make baseline` and `make compare BASE=v1.2.0`."""

import sys

from vitals.ops.measure.baseline import baseline
from vitals.ops.measure.compare import compare
from vitals.ops.run import steps

COMMANDS = {"baseline": baseline, "compare": compare}

if __name__ == "__main__":
    steps.exit_with(COMMANDS[sys.argv[1]])
