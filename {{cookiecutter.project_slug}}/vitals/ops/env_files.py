"""The files of config/, read as Docker Compose and kustomize read them."""

import re
from pathlib import Path
from typing import NamedTuple

ENVIRONMENTS = ("staging", "production")
# What all of them read alike: ASCII without blanks, quotes, $, # and backslashes.
LINE = re.compile(r"([A-Z][A-Z0-9_]*)=([!%&(-[\]-_a-~]*)")
WHY = "# why:"


class Line(NamedTuple):
    name: str
    value: str
    where: str
    why: str


class Configuration:
    """The lines of common.env, staging.env and production.env, by name of the setting."""

    def __init__(self, root: Path) -> None:
        """Read config/ in `root`. What can't be read is listed in `faults`, not raised."""
        self.root = root
        self.faults: list[str] = []
        self.common = self._read("common")
        self.own = {name: self._read(name) for name in ENVIRONMENTS}

    def lines(self) -> list[Line]:
        """All lines of all files."""
        return [line for of in (self.common, *self.own.values()) for line in of.values()]

    def resolved(self, environment: str) -> dict[str, Line]:
        """The lines that apply there."""
        return self.common | self.own[environment]

    def values(self, environment: str) -> dict[str, str]:
        """The settings of the process there."""
        return {name: line.value for name, line in self.resolved(environment).items()}

    def _read(self, name: str) -> dict[str, Line]:
        lines: dict[str, Line] = {}
        file, why = self.root / "config" / f"{name}.env", ""
        if not file.is_file():
            self.faults.append(f"config/{name}.env: no such file. Fix: write it")
            return lines
        for number, text in enumerate(file.read_bytes().decode(errors="replace").split("\n"), 1):
            where = f"config/{name}.env:{number}"
            if text.startswith(WHY):
                why = text.removeprefix(WHY).strip()
            elif found := LINE.fullmatch(text):
                if found[1] in lines:
                    self.faults.append(f"{where}: {found[1]} is given twice. Fix: remove one")
                lines[found[1]], why = Line(found[1], found[2], where, why), ""
            elif text and not text.startswith("#"):
                self.faults.append(
                    f"{where}: found a line with {text.partition('=')[0][:40]!r} that is not "
                    "read alike everywhere; expected NAME=value, without blanks and \"'`$#\\"
                )
        return lines
