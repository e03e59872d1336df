"""`phoneagent` with a stopwatch in its pocket, which notes every few milliseconds of CPU time whose code is running.

SIGUSR1 starts a count, SIGUSR2 writes it to the file named first on the command line. It must never change what runs.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from phoneagent.cli import main

SAMPLE_EVERY_S = 0.004
"""The kernel counts processor time in ticks of 4 ms on most machines; less would not be more."""

PARTS = {
    "/httpx/": "HTTP client",
    "/httpcore/": "HTTP client",
    "/h11/": "HTTP client",
    "/anyio/": "HTTP client",
    "/redis/": "redis client",
    "/phoneagent/x402/": "payment: decode and signature",
    "/phoneagent/paywall/": "payment: decode and signature",
    "/phoneagent/store/": "records to and from the store",
    "/phoneagent/services/": "services and core",
    "/phoneagent/core/": "services and core",
    "/phoneagent/facilitators/": "chain, facilitator and provider adapters",
    "/phoneagent/providers/": "chain, facilitator and provider adapters",
    "/phoneagent/web/": "web server and routes",
    "/starlette/": "web server and routes",
    "/uvicorn/": "web server and routes",
}
REST = "event loop and the rest"

_counts: Counter[str] = Counter()


def part_of(frame: FrameType | None) -> str:
    """Return the part that a stack belongs to: its innermost frame with a name of its own."""
    while frame is not None:
        path = frame.f_code.co_filename
        for mark, part in PARTS.items():
            if mark in path:
                return part
        frame = frame.f_back
    return REST


def _watch(out: Path) -> None:
    def sample(_signal: int, frame: FrameType | None) -> None:
        _counts[part_of(frame)] += 1

    def start(_signal: int, _frame: FrameType | None) -> None:
        _counts.clear()
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_EVERY_S, SAMPLE_EVERY_S)

    def tell(_signal: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        scratch = out.with_suffix(".new")
        scratch.write_text(json.dumps(_counts))
        scratch.replace(out)

    signal.signal(signal.SIGPROF, sample)
    signal.signal(signal.SIGUSR1, start)
    signal.signal(signal.SIGUSR2, tell)


if __name__ == "__main__":
    _watch(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
