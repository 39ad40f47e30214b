"""Faults that a team could make, as patches of a project's files."""

import re
from pathlib import Path
from typing import NamedTuple


class Fault(NamedTuple):
    """A change of one file: `was` becomes `becomes`; without `was` it is added at the end."""

    finds: dict[str, str]  # the id, and what its line says: the place
    file: str
    was: str
    becomes: str


def apply(folder: Path, faults: list[Fault]) -> None:
    """Plant faults into the project in `folder`."""
    for fault in faults:
        file = folder / fault.file
        file.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text() if file.exists() else ""
        assert fault.was in text, f"{fault.file} does not hold {fault.was!r}"
        if fault.was.endswith("="):  # a setting: the rest of its line goes too
            text = re.sub(f"^{fault.was}.*", fault.becomes, text, flags=re.MULTILINE)
        else:
            text = text.replace(fault.was, fault.becomes, 1) if fault.was else text + fault.becomes
        file.write_text(text)
