"""`scripts/interop`: every stock client against the service, then three judges over generated payments.

It must never call a run good in which a client is missing: that is said, and the status is 1.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.interop.agreement import bench, compare, surprises
from tests.interop.clients import PYPI_V2
from tests.interop.differences import DIFFERENCES, expected
from tests.interop.run import full_run, missing, service, table

EXAMPLES = 5
"""Payments of each mutation in each version: more than 500 in all."""

ENOUGH = 500


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def _timed(what: str) -> Iterator[None]:
    started_s = time.monotonic()
    yield
    _say(f"{what}: {time.monotonic() - started_s:.0f} s\n")


def _clients_are_well() -> bool:
    with _timed("clients"), service() as told:
        rows = asyncio.run(full_run(told))
    failed = [row for row in rows if row.fault is not None]
    absent = missing()
    _say(table(rows) + "\n")
    for package in absent:
        _say(f"skipped, not installed: {package.name}")
    _say(f"{len(rows)} checks, {len(failed)} failed, {len(absent)} packages skipped")
    return bool(rows) and not failed and not absent


def _judges_agree() -> bool:
    if PYPI_V2.command() is None:
        return False
    with _timed("judges"), service() as told, bench(told) as judges:
        found = compare(judges, EXAMPLES)
    odd = surprises(found, expected)
    odd += [f"{name} v{version}: taken, and never settled: {why}" for name, version, why in found.unsettleable]
    for line in odd:
        _say(line)
    kinds = len(found.seen)
    _say(f"{found.judged} payments of {kinds} kinds judged by three, {found.forwarded} of them taken by the service")
    _say(f"{len(DIFFERENCES)} differences listed and found, {len(odd)} surprises")
    return not odd and found.judged >= ENOUGH


def _main() -> int:
    outcomes = [_clients_are_well(), _judges_agree()]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(_main())
