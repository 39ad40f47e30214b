"""What is planted into one project at once, and what `make security` must say about it."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

from tests.ops.security import planted, planted_application, planted_delivery

FOLDER = Path(__file__).parent
FAULTY, HARMLESS = FOLDER / "routes_with_faults.py", FOLDER / "routes_without.py"
PATCHES = {
    **planted_application.ALONE,
    **planted_delivery.ALONE,
}
RUNS = ("routes", *PATCHES)


class Look(NamedTuple):
    """What the checklist said: the exit code, the findings, and each by its id and place."""

    code: int
    lines: list[str]
    places: list[tuple[str, str]]
    last: str

    def missed(self, wanted: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The planted faults that no line names."""
        return [w for w in wanted if not any(is_it(line, *w) for line in self.lines)]


def said(code: int, output: str) -> Look:
    """Read what was printed."""
    lines = re.findall(r"^SEC-.*$", output, re.MULTILINE)
    places = re.findall(r"^(SEC-\d+) (.+?): ", output, re.MULTILINE)
    done = re.findall(r"^.*\d+ checks, .*$", output, re.MULTILINE)
    return Look(code, lines, places, done[-1] if done else output)


def wanted(name: str) -> list[tuple[str, str]]:
    """The ids and places that a run must find; those of routes are comments beside them."""
    if name == "routes":
        return re.findall(r"^ *# (SEC-\d+) (.+)$", FAULTY.read_text(), re.MULTILINE)
    return [pair for fault in PATCHES[name] for pair in fault.finds.items()]


def plant(project: Path, name: str) -> None:
    """Plant the faults of a run into a project with all options."""
    if name == "routes":
        plant_routes(project, FAULTY)
    else:
        planted.apply(project, PATCHES[name])


def plant_harmless(project: Path) -> None:
    """Plant the neighbours of the faults, which are none."""
    plant_routes(project, HARMLESS)
    planted.apply(project, [*planted_delivery.HARMLESS, *planted_application.HARMLESS])


def plant_routes(project: Path, routes: Path) -> None:
    """Have the application add a module of routes, and run what is left for later."""
    shutil.copy(routes, project / "app/planted.py")
    main = project / "app/main.py"
    imported = "import vitals\nfrom app import planted\n"
    text = main.read_text().replace("import vitals\n", imported, 1)
    call = "    planted.add(app, settings)\n    vitals.install(\n"
    later = '    getattr(app.state, "later", int)()\n    return app\n'
    text = text.replace("    vitals.install(\n", call).replace("    return app\n", later)
    main.write_text(text)


def is_it(line: str, id_: str, says: str) -> bool:
    """Whether a line is of the check, and its place the wanted one: its route and all words."""
    place = re.sub(r":\d+", "", line.removeprefix(f"{id_} ").partition(": ")[0])
    same = route(place) == route(says) and all(word in place for word in says.split())
    return line.startswith(f"{id_} ") and (says in line or same)


def route(place: str) -> list[str]:
    """The method and the path, or the file and a rule, that a place begins with."""
    return re.sub(r":\d+", "", place).split()[:2]
