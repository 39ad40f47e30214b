"""The table of faults: the goal of each, and the result.

Figures are printed as they are and asserted at four times, so that a busy machine breaks no build.
"""

from dataclasses import dataclass, field

BUSY = 4  # times slower than asked: still no defect


@dataclass
class Row:
    """One fault. `elsewhere` is the result of other products."""

    id: str
    fault: str
    elsewhere: str = ""
    asked: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def at_most(self, what: str, seen: float, asked: float, unit: str = "ms") -> None:
        """Check a figure that may be worse on a busy machine."""
        self._tell(
            what,
            f"≤ {asked:g} {unit}",
            f"{seen:.3g} {unit}" if seen < 100 else f"{seen:.0f} {unit}",
        )
        assert seen <= BUSY * asked, f"{self.id}: {what}: {seen:.0f} {unit}, asked: {asked:g}"

    def exactly(self, what: str, seen: object, asked: object) -> None:
        """Check a value that no load may change."""
        self._tell(what, str(asked), str(seen))
        assert seen == asked, f"{self.id}: {what}: {seen}, asked: {asked}"

    def at_least(self, what: str, seen: float, asked: float) -> None:
        """Check the amount of work: a fault without work proves nothing."""
        self._tell(what, f"≥ {asked:,g}", f"{seen:,g}")
        assert seen >= asked, f"{self.id}: {what}: {seen:g}, asked: {asked:g}"

    def _tell(self, what: str, asked: str, seen: str) -> None:
        self.asked.append(f"{what} {asked}")
        self.seen.append(f"{what} {seen}")

    def cells(self) -> list[str]:
        return [self.id, self.fault, "; ".join(self.asked), "; ".join(self.seen), self.elsewhere]


def markdown(rows: list[list[str]]) -> str:
    """The rows as docs/faults.md shows them."""
    lines = [["id", "fault", "asked", "seen", "elsewhere"], ["---"] * 5, *sorted(rows, key=_number)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _number(cells: list[str]) -> tuple[int, str]:
    digits = "".join(c for c in cells[0] if c.isdigit())
    return int(digits), cells[0]
