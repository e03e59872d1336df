"""`scripts/bench`: run every measurement, print one table, and with --write put it into docs/performance.md.

Its exit status is 1 only when a ratio is missed by more than a factor of two; it must never fail over milliseconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import uvloop

from bench import agent, footprint, paid, polls, report, reveal, signature, unpaid
from bench.figures import Figure
from bench.length import QUICK, WHOLE, Length
from bench.processes import BenchError
from bench.rig import Rig, open_rig

DOCUMENT = Path("docs/performance.md")
SECTIONS = ("unpaid", "paid", "signature", "polls", "reveal", "store")


def main() -> int:
    """Run; return the exit status."""
    options = _options()
    length = QUICK if options.quick else WHOLE
    try:
        with tempfile.TemporaryDirectory(prefix="phoneagent-bench-") as home:
            for name in ("requests", "life"):
                Path(home, name).mkdir()
            figures = uvloop.run(_measure(Path(home), length, frozenset(options.only or SECTIONS)))
    except BenchError as failure:
        sys.stderr.write(f"bench: {failure}\n")
        return 2
    text = report.table(figures)
    sys.stdout.write(text + "\n")
    if options.write:
        report.write(DOCUMENT, text)
    far_off = [figure for figure in figures if figure.is_far_off]
    for figure in far_off:
        sys.stderr.write(f"bench: {figure.what}: {figure.value:.2f}, promised {figure.bound}\n")
    return 1 if far_off else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short form for CI, under a minute")
    parser.add_argument("--write", action="store_true", help=f"write the table into {DOCUMENT}")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="run only these")
    options = parser.parse_args()
    if options.write and (options.quick or options.only):
        parser.error("the document holds whole runs: --write goes with neither --quick nor --only")
    return options


async def _measure(home: Path, length: Length, only: frozenset[str]) -> list[Figure]:
    everywhere = os.sched_getaffinity(0)  # a rig pins us to the load's cores
    figures: list[Figure] = []
    try:
        if only & {"unpaid", "paid", "polls"}:
            async with open_rig(home / "requests") as rig:
                figures += await _requests(rig, length, only)
        if "signature" in only:
            figures += _said("signature", signature.measure(length))
        if only & {"reveal", "store"}:
            os.sched_setaffinity(0, everywhere)
            async with open_rig(home / "life") as rig:
                figures += await _life(rig, length, only)
    finally:
        os.sched_setaffinity(0, everywhere)
    return figures


async def _requests(rig: Rig, length: Length, only: frozenset[str]) -> list[Figure]:
    """Measure what needs no worker: it would share the load's core and ask about every rental."""
    figures: list[Figure] = []
    async with rig.serving() as server:
        async with rig.working():
            await rig.is_stocked(server)
        if "unpaid" in only:
            figures += _said("unpaid", await unpaid.measure(rig, server, length))
        if "paid" in only:
            figures += _said("paid", await paid.measure(rig, server, length))
        rented = await agent.rent_many(server, rig.keys.pay_to, max(length.polls[0], 1)) if "polls" in only else []
    if rented:
        figures += _said("polls", await polls.measure(rig, rented, length))
    return figures


async def _life(rig: Rig, length: Length, only: frozenset[str]) -> list[Figure]:
    """Measure what takes a worker: SMS, settlement, reveal and the order's end."""
    figures: list[Figure] = []
    async with rig.serving() as server, rig.working():
        await rig.is_stocked(server)
        if "store" in only:
            figures += _said("store", await footprint.measure(rig, server, length))
        if "reveal" in only:
            figures += _said("reveal", await reveal.measure(rig, server, length))
    return figures


def _said(section: str, figures: list[Figure]) -> list[Figure]:
    for figure in figures:
        sys.stderr.write(f"{section:>9}  {figure.what}: {figure.ours}; {figure.beside}\n")
    return figures


if __name__ == "__main__":
    sys.exit(main())
