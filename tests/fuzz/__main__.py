"""`scripts/fuzz`: the long form. Prints what was sent and answered, and ends 1 if anything was wrong."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from phoneagent.dev.valkey import EmbeddedValkey
from tests.fuzz.headers import Tally, fuzz_headers
from tests.fuzz.schema import fuzz_schema


def main() -> int:
    """Run both halves."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--headers", type=int, default=200_000, help="payment headers, in this process")
    parser.add_argument("--requests", type=int, default=20_000, help="requests from the document, over HTTP")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the same seed sends the same")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)  # noqa: T201  this is a command
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        if options.headers:
            tally = asyncio.run(_headers(Path(name) / "valkey", options.headers, options.seed))
            print(tally.text(), flush=True)  # noqa: T201  this is a command
            faults += len(tally.faults)
        if options.requests:
            finding = fuzz_schema(Path(name), options.requests, options.seed)
            print(finding.text(), flush=True)  # noqa: T201  this is a command
            faults += len(finding.faults)
    print("no fault" if faults == 0 else f"{faults} faults")  # noqa: T201  this is a command
    return 1 if faults else 0


async def _headers(folder: Path, count: int, seed: int) -> Tally:
    async with await EmbeddedValkey.start(folder) as valkey:
        return await fuzz_headers(valkey.url, count, seed)


sys.exit(main())
