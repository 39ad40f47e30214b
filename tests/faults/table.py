"""What was asked of the service under each fault, and what was seen?

Figures are printed as they are and asserted at four times, so that a busy machine breaks no build.
"""

from dataclasses import dataclass, field

BUSY = 4  # times slower than asked: still no defect


@dataclass
class Row:
    """One fault. `elsewhere` is what was measured at others."""

    id: str
    fault: str
    elsewhere: str = ""
    asked: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def at_most(self, what: str, seen: float, asked: float, unit: str = "ms") -> None:
        """Hold a figure that may be worse on a busy machine."""
        self._tell(
            what,
            f"≤ {asked:g} {unit}",
            f"{seen:.3g} {unit}" if seen < 100 else f"{seen:.0f} {unit}",
        )
        assert seen <= BUSY * asked, f"{self.id}: {what}: {seen:.0f} {unit}, asked: {asked:g}"

    def exactly(self, what: str, seen: object, asked: object) -> None:
        """Hold what no load excuses."""
        self._tell(what, str(asked), str(seen))
        assert seen == asked, f"{self.id}: {what}: {seen}, asked: {asked}"

    def at_least(self, what: str, seen: float, asked: float) -> None:
        """Hold how much was done: a fault that met nothing proves nothing."""
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
