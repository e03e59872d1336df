"""What a paid POST /rent costs when everybody outside answers at once: processor time, and whose code it goes to.

The shares are samples, and the sum is the kernel's count; a share must never be quoted without the sum beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal

from bench import agent, load
from bench.figures import Figure, middle, no_more_than
from bench.length import Length
from bench.load import Cost
from bench.processes import BenchError, Program
from bench.rig import Rig

CONNECTIONS = 16
WARM_UP = 64
OUTSIDE = "HTTP client"
TELL_WITHIN_S = 5.0
_LOOK_S = 0.02
_OK = 200
_BATCHES = 4


async def measure(rig: Rig, ours: Program, length: Length) -> list[Figure]:
    """Return the cost of one rental, the part that is ours, and the parts."""
    requests = [agent.paid_request(rig.keys.pay_to) for _ in range(WARM_UP + length.rents)]
    await load.drive(ours, iter(requests[:WARM_UP]), _OK, CONNECTIONS)
    os.kill(ours.process.pid, signal.SIGUSR1)
    size = length.rents // _BATCHES
    starts = range(WARM_UP, WARM_UP + size * _BATCHES, size)
    costs = [await load.drive(ours, iter(requests[at : at + size]), _OK, CONNECTIONS) for at in starts]
    return _rows(costs, await _samples(rig, ours))


def _rows(costs: list[Cost], samples: dict[str, int]) -> list[Figure]:
    whole_us, taken = middle([cost.cpu_us for cost in costs]), sum(samples.values())
    parts_us = {part: whole_us * count / taken for part, count in samples.items()}
    own_us = whole_us - parts_us.get(OUTSIDE, 0)
    shares = "; ".join(f"{part} {us:.0f}" for part, us in sorted(parts_us.items(), key=lambda row: -row[1]))
    return [
        Figure("paid POST /rent, whole", f"{whole_us / 1000:.1f} ms of CPU, 4 upstream calls", f"µs: {shares}"),
        Figure(
            "paid POST /rent, beside the HTTP client",
            f"{own_us / 1000:.2f} ms",
            f"with it: {whole_us / 1000:.1f} ms",
            own_us / 1000,
            no_more_than(1, " ms"),
        ),
    ]


async def _samples(rig: Rig, ours: Program) -> dict[str, int]:
    path = rig.samples()
    path.unlink(missing_ok=True)
    os.kill(ours.process.pid, signal.SIGUSR2)
    for _ in range(round(TELL_WITHIN_S / _LOOK_S)):
        await asyncio.sleep(_LOOK_S)
        if path.exists():
            samples: dict[str, int] = json.loads(path.read_text())
            return samples
    raise BenchError("the server did not tell its samples")
