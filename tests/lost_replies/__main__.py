"""`python -m tests.lost_replies [RENTALS]`: half of the replies to purchases are lost, at a host of each kind."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path

from phoneagent.dev.valkey import EmbeddedValkey
from tests.lost_replies.run import SIMULATORS, Result, run

DEFAULT_RENTALS = 1_000


def told(name: str, result: Result, took_s: float) -> str:
    """One host's line, and its faults."""
    head = (
        f"{name}: {result.rentals} rentals, {result.purchases} purchases, {result.lost} replies lost, "
        f"orders {dict(result.outcomes)}, spent {result.spent_by_host_atomic} by the host and "
        f"{result.spent_by_books_atomic} by our books (micro-USD), {len(result.faults)} faults, {took_s:.0f} s"
    )
    return "\n  ".join([head, *result.faults[:20]])


async def main(rentals: int) -> int:
    """Run both hosts; return how many faults were found."""
    logging.getLogger().addHandler(logging.NullHandler())  # half of all purchases would warn
    faults = 0
    for name in SIMULATORS:
        started_s = time.monotonic()
        result = await on_a_store_of_its_own(name, rentals)
        print(told(name, result, time.monotonic() - started_s))  # noqa: T201  this is a command
        faults += len(result.faults)
    return faults


async def on_a_store_of_its_own(name: str, rentals: int) -> Result:
    """Run one host on an empty store."""
    with tempfile.TemporaryDirectory() as directory:
        server = await EmbeddedValkey.start(Path(directory))
        try:
            return await run(server.url, name, rentals, rentals // 2)
        finally:
            await server.stop()


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_RENTALS)) else 0)
