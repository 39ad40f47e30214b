"""The files of the project: those that are, or would be, in its repository."""

import os
import re
from pathlib import Path

from vitals.ops.run import git, shell

GENERATED = re.compile(r"\.git|\.venv|build|__pycache__|\..*_cache").fullmatch


def of_the_repository() -> tuple[str, ...]:
    """The files that git does not ignore, by their paths; without it, all but generated ones."""
    if git.is_repository():
        listed = git.git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
        return tuple(sorted(set(listed.split("\0")) - {""}))
    found = list[str]()
    for folder, inside, names in os.walk(shell.ROOT):
        inside[:] = [name for name in inside if not GENERATED(name)]
        found += [str(Path(folder, name).relative_to(shell.ROOT)) for name in names]
    return tuple(sorted(found))
