"""What an unpaid request costs: our 402, the same bytes from bare Starlette, and the official middleware's 402.

Most requests of a paid service are unpaid; they must never reach a store, and here they show that they do not.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench import load, rivals
from bench.figures import Figure, at_least, middle
from bench.length import Length
from bench.load import Cost
from bench.processes import Program
from bench.rig import Rig

REQUESTS = {"rent": ("POST /rent", load.post("/rent")), "countries": ("GET /countries", load.get("/countries"))}
BOUNDS = {
    "bare Starlette, same bytes": at_least(0.6),
    "x402 2.25 middleware, discoverable": at_least(5),
    "x402 2.25 middleware, offer only": None,
}
"""The official one has no version 1; its bare offer tells catalogues nothing either, and is a sixth of our bytes."""

WARM_UP_S = 0.2
PAYMENT_REQUIRED = 402


async def measure(rig: Rig, ours: Program, length: Length) -> list[Figure]:
    """Return a row per request and rival; rounds alternate between the servers, and the medians are compared."""
    answers = await rivals.unpaid_answers(ours)
    figures = []
    async with (
        rivals.bare_starlette(rig, answers) as bare,
        rivals.official_middleware(rig, is_discoverable=True) as discoverable,
        rivals.official_middleware(rig, is_discoverable=False) as plain,
    ):
        servers = {"ours": ours, **dict(zip(BOUNDS, (bare, discoverable, plain), strict=True))}
        for name, (title, request) in REQUESTS.items():
            costs = await _alternate(servers, request, length)
            figures += _rows(f"unpaid {title}", costs, rivals.size(answers[name]))
    return figures


async def _alternate(servers: Mapping[str, Program], request: bytes, length: Length) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {name: [] for name in servers}
    for server in servers.values():
        await load.drive(server, load.for_seconds(request, WARM_UP_S), PAYMENT_REQUIRED)
    for _ in range(length.rounds):
        for name, server in servers.items():
            costs[name].append(await load.drive(server, load.for_seconds(request, length.round_s), PAYMENT_REQUIRED))
    return costs


def _rows(what: str, costs: Mapping[str, list[Cost]], size: int) -> list[Figure]:
    cpu_us = {name: middle([cost.cpu_us for cost in runs]) for name, runs in costs.items()}
    ours = f"{cpu_us['ours']:.0f} µs of CPU for {size / 1024:.1f} KiB"
    return [
        Figure(what, ours, f"{rival}: {cpu_us[rival]:.0f} µs", cpu_us[rival] / cpu_us["ours"], bound)
        for rival, bound in BOUNDS.items()
    ]
