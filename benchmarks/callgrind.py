"""Callgrind: how it is started, and the instructions that it counted until each mark.

A mark is a call of `getloadavg`, a C function that nothing else here calls. What C's allocator
does depends on what else lies in memory, so it is not counted.
"""

import re
import sys
from pathlib import Path

UNCOUNTED = ("malloc", "free", "realloc", "calloc")


def command(folder: str) -> list[str]:
    """What stands before the command of a measured process; the counts go into the folder."""
    return [
        *("valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"),
        *(f"--toggle-collect={function}" for function in UNCOUNTED),
        *("--collect-atstart=yes", "--dump-before=getloadavg"),
    ]


def totals(folder: str) -> list[int]:
    """The instructions between two marks each; those before the first are left out."""
    files = sorted(Path(folder).glob("out.*"), key=lambda file: int(file.suffix[1:]))
    return [_total(file) for file in files[1:]]


def _total(file: Path) -> int:
    found = re.search(r"^totals: (\d+)", file.read_text(), re.MULTILINE)
    if found is None:
        sys.exit(f"{file}: callgrind wrote no total; is it callgrind 3.15 or newer?")
    return int(found[1])
