"""What one rental costs the store over its whole life: commands run and bytes kept.

It counts a rental that was paid for, from the claim to the closed order; retention later gives most bytes back.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import httpx
from redis.asyncio import Redis

from bench import agent, stubs
from bench.agent import Rented
from bench.figures import Figure
from bench.length import Length
from bench.processes import BenchError, Program
from bench.reveal import TEXT, WAIT_S
from bench.rig import Rig

RENTALS = 20
CLOSED_WITHIN_S = 30.0
_LOOK_S = 0.1
_KIND = re.compile(r"\{[^}]*\}:([a-z]+)")


async def measure(rig: Rig, ours: Program, _length: Length) -> list[Figure]:
    """Return two rows: commands, and bytes by kind of key."""
    async with (
        Redis.from_url(rig.valkey.url, decode_responses=True) as redis,
        httpx.AsyncClient(base_url=ours.url, timeout=60, trust_env=False) as http,
        httpx.AsyncClient(base_url=rig.outside.url, trust_env=False) as upstream,
    ):
        bytes_before = await _bytes(redis)
        commands_before = await _commands(redis)
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        rented = [await agent.rent(http, rig.keys.pay_to) for _ in range(RENTALS)]
        await asyncio.gather(*(_life(http, upstream, one) for one in rented))
        await _are_closed(redis, rented)
        lasted_s = loop.time() - started_s
        commands = await _commands(redis) - commands_before
        kept = await _bytes(redis)
        kept.subtract(bytes_before)
        idle = await _idle_commands(redis, lasted_s)
    return [_commands_row(commands, idle), _bytes_row(kept)]


def _commands_row(commands: Counter[str], idle: Counter[str]) -> Figure:
    own = {name: max(0.0, (count - idle[name]) / RENTALS) for name, count in commands.items()}
    top = sorted(((count, name) for name, count in own.items() if name != "evalsha" and count >= 1), reverse=True)
    inside = ", ".join(f"{name} {count:.0f}" for count, name in top)
    whole = sum(own.values()) - own.get("evalsha", 0)
    return Figure(
        "store commands per paid rental", f"{own.get('evalsha', 0):.0f} scripts, {whole:.0f} commands", inside
    )


def _bytes_row(kept: Counter[str]) -> Figure:
    each = {kind: size / RENTALS for kind, size in kept.items() if size > RENTALS}
    kinds = ", ".join(f"{kind} {size:,.0f}" for kind, size in sorted(each.items(), key=lambda row: -row[1]))
    return Figure("store bytes per paid rental", f"{sum(each.values()):,.0f} B", kinds)


async def _life(http: httpx.AsyncClient, upstream: httpx.AsyncClient, rented: Rented) -> None:
    (await upstream.post(stubs.SMS_PATH, params={"number": rented.number, "text": TEXT})).raise_for_status()
    while not (await http.get(rented.poll(WAIT_S))).raise_for_status().json():
        continue


async def _are_closed(redis: Redis, rented: list[Rented]) -> None:
    for _ in range(round(CLOSED_WITHIN_S / _LOOK_S)):
        keys = [key async for key in redis.scan_iter(match=f"{{*:rental:{rented[-1].id}")]
        values = [await redis.hvals(f"{keys[0].rpartition(':')[0]}:{one.id}") for one in rented]
        if all("finished" in each for each in values):
            return
        await asyncio.sleep(_LOOK_S)
    raise BenchError("the orders were not finished")


async def _commands(redis: Redis) -> Counter[str]:
    """Return how often each command has run, inside scripts and out; what this bench asks is left out."""
    stats = await redis.info("commandstats")
    asked = {"info", "scan", "hvals", "hello", "memory|usage", "client|setinfo"}
    found = {name.removeprefix("cmdstat_"): int(row["calls"]) for name, row in stats.items()}
    return Counter({name: calls for name, calls in found.items() if name not in asked})


async def _idle_commands(redis: Redis, lasted_s: float) -> Counter[str]:
    """Return what the service runs in such a time with nothing to do."""
    sample_s = 3.0
    before = await _commands(redis)
    await asyncio.sleep(sample_s)
    after = await _commands(redis)
    return Counter({name: round((after[name] - before[name]) * lasted_s / sample_s) for name in after})


async def _bytes(redis: Redis) -> Counter[str]:
    """Return the memory of all keys by kind."""
    sizes: Counter[str] = Counter()
    async for key in redis.scan_iter(count=1000):
        found = _KIND.match(key)
        sizes[found[1] if found else key] += await redis.memory_usage(key, samples=0) or 0
    return sizes
