"""The table of faults: the goal of each, and the result.

Figures are printed as they are and asserted at four times, so that a busy machine breaks no build.
"""

from dataclasses import dataclass, field

BUSY = 4  # times slower than the goal: no defect yet


@dataclass
class Row:
    """One fault. `elsewhere` is the result of other products."""

    id: str
    fault: str
    elsewhere: str = ""
    goal: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def at_most(self, what: str, seen: float, goal: float, unit: str = "ms") -> None:
        """Check a figure that may be worse on a busy machine."""
        self._tell(
            what,
            f"≤ {goal:g} {unit}",
            f"{seen:.3g} {unit}" if seen < 100 else f"{seen:.0f} {unit}",
        )
        assert seen <= BUSY * goal, f"{self.id}: {what}: {seen:.0f} {unit}, goal: {goal:g}"

    def exactly(self, what: str, seen: object, goal: object) -> None:
        """Check a value that no load may change."""
        self._tell(what, str(goal), str(seen))
        assert seen == goal, f"{self.id}: {what}: {seen}, goal: {goal}"

    def at_least(self, what: str, seen: float, goal: float) -> None:
        """Check the amount of work: a fault without work proves nothing."""
        self._tell(what, f"≥ {goal:,g}", f"{seen:,g}")
        assert seen >= goal, f"{self.id}: {what}: {seen:g}, goal: {goal:g}"

    def _tell(self, what: str, goal: str, seen: str) -> None:
        self.goal.append(f"{what} {goal}")
        self.seen.append(f"{what} {seen}")

    def cells(self) -> list[str]:
        return [self.id, self.fault, "; ".join(self.goal), "; ".join(self.seen), self.elsewhere]


def markdown(rows: list[list[str]]) -> str:
    """The rows as docs/faults.md shows them."""
    lines = [["id", "fault", "asked", "seen", "elsewhere"], ["---"] * 5, *sorted(rows, key=_number)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _number(cells: list[str]) -> tuple[int, str]:
    digits = "".join(c for c in cells[0] if c.isdigit())
    return int(digits), cells[0]
