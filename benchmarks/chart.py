"""The results of the comparison, as a table in Markdown and a picture in SVG."""

import html
import os
import platform
from typing import NamedTuple

WIDTH, ROW, LEFT, TOP = 760, 30, 250, 56
OURS = "this template"


class Results(NamedTuple):
    routes: tuple[int, ...]
    instructions: dict[str, list[int]]  # for each number of routes a hit and a 404
    cpu: dict[str, float]
    requests_per_second: dict[str, float]
    bare: str

    def added(self, name: str, at: int) -> int:
        """Instructions above the bare ones; `at` counts hits and 404s as they are listed."""
        return self.instructions[name][at] - self.instructions[self.bare][at]

    def share(self, name: str) -> float:
        """Instructions above the bare ones for a hit with one route, in percent."""
        return 100 * self.added(name, 0) / self.instructions[self.bare][0]


def page(results: Results, more: str, load: str) -> str:
    """The table and the other figures as a page in Markdown."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"# What watching costs\n\n`make bench` wrote this page, with {python} on "
        f"{os.cpu_count()} processors; their load was {load}.\n\n{table(results)}\n"
        "Instructions are those of one request in process, counted by callgrind without C's\n"
        "`malloc` and `free`, whose work depends on what else lies in memory. CPU is that of a\n"
        "request in process, requests/s are those behind uvicorn, both in turns and over those\n"
        "of bare FastAPI.\n\n"
        "The lines of the log are counted with the requests that wrote them. From run to run a\n"
        "figure moves with the places of objects in memory: by up to 3,000 instructions at one\n"
        f"route, by up to 50,000 at a thousand.\n\n```text\n{more}```\n"
    )


def table(results: Results) -> str:
    """A row for each variant; what is added is what the watching costs."""
    columns = [f"added, {routes:,} route{'s' * (routes > 1)}" for routes in results.routes]
    head = ["", "instructions", *columns, "added, 404", "CPU", "requests/s"]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for name, counts in results.instructions.items():
        added = [f"{results.added(name, 2 * at):+,}" for at in range(len(results.routes))]
        if name == results.bare:
            share, added, missed = f"{counts[0]:,}", ["" for _ in added], f"(of {counts[1]:,})"
        else:
            share, missed = f"{results.share(name):+.1f} %", f"{results.added(name, 1):+,}"
        ratios = [f"{results.cpu[name]:.2f}", f"{results.requests_per_second[name]:.2f}"]
        lines.append([name, share, *added, missed, *ratios])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def picture(results: Results) -> str:
    """Bars: what watching a request adds to its instructions."""
    names = sorted((n for n in results.instructions if n != results.bare), key=results.share)
    longest = max(results.share(name) for name in names)
    height = TOP + ROW * len(names) + 10
    rows = "".join(_bar(at, name, results.share(name), longest) for at, name in enumerate(names))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Instructions added to a request" font-family="system-ui, sans-serif">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        f'<text x="16" y="24" font-size="15" font-weight="600" fill="#1f2328">'
        f"What watching a request adds to its instructions</text>"
        f'<text x="16" y="42" font-size="12" fill="#59636e">'
        f"bare FastAPI = 0 %, one route, counted by callgrind; less is better</text>{rows}</svg>\n"
    )


def _bar(at: int, name: str, share: float, longest: float) -> str:
    top = TOP + at * ROW
    length = max(2.0, (WIDTH - LEFT - 80) * share / longest)
    colour = "#1a7f37" if name.startswith(OURS) else "#8c959f"
    return (
        f'<text x="{LEFT - 10}" y="{top + 18}" font-size="12" text-anchor="end" fill="#1f2328">'
        f"{html.escape(name)}</text>"
        f'<rect x="{LEFT}" y="{top + 5}" width="{length:.1f}" height="18" rx="3" fill="{colour}"/>'
        f'<text x="{LEFT + length + 8:.1f}" y="{top + 18}" font-size="12" fill="#1f2328">'
        f"+{share:.1f} %</text>"
    )
