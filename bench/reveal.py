"""How long a client waits once it has paid: from the commit of `settled` to the answer of its long poll.

The beginning is the store's own time in the event's stream id, cut to whole milliseconds, so it never flatters.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import cast

import httpx
from redis.asyncio import Redis

from bench import agent, stubs
from bench.agent import Rented
from bench.figures import Figure, no_more_than, percentile
from bench.length import Length
from bench.polls import Crowd
from bench.processes import BenchError, Program
from bench.rig import Rig
from phoneagent.core.events import EventType

POLLS_PER_RENTAL = 8
"""What dev's limits allow on one rental."""

AT_ONCE = 20
WAIT_S = 25
DRIFT_S = 5.0
"""As long as a waiter sleeps before it reads again: so that the crowd does not read in step."""

SMS_EVERY_S = 0.02
TEXT = "G-478392 is your Google verification code."


async def measure(rig: Rig, ours: Program, length: Length) -> list[Figure]:
    """Return the latency of many codes, each on a long poll of its own, with idle polls beside them."""
    limits = httpx.Limits(max_connections=AT_ONCE * 2)
    async with httpx.AsyncClient(base_url=ours.url, timeout=60, trust_env=False, limits=limits) as http:
        idle = [await agent.rent(http, rig.keys.pay_to) for _ in range(-(-length.beside // POLLS_PER_RENTAL))]
        crowd = await Crowd.drift_in(ours, _paths(idle, length.beside), DRIFT_S)
        try:
            answered_ms: dict[str, float] = {}
            queued_s, started_s = ours.queued_s(), time.perf_counter()
            for _ in range(-(-length.codes // AT_ONCE)):
                answered_ms |= await _codes(rig, http)
            queued = (ours.queued_s() - queued_s) / (time.perf_counter() - started_s)
        finally:
            crowd.close()
    async with Redis.from_url(rig.valkey.url, decode_responses=True) as redis:
        settled_ms = await _settled_at(redis)
    late_ms = [answered - settled_ms[rental_id] for rental_id, answered in answered_ms.items()]
    p50, p99 = percentile(late_ms, 50), percentile(late_ms, 99)
    queueing = f"the server queued for its core {queued:.0%} of the time"
    what = f"settled → revealed, {len(late_ms)} codes beside {length.beside:,} idle polls"
    return [Figure(what, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", queueing, p99, no_more_than(20, " ms"))]


def _paths(rented: Sequence[Rented], count: int) -> list[str]:
    return [rented[at % len(rented)].poll(WAIT_S) for at in range(count)]


async def _codes(rig: Rig, http: httpx.AsyncClient) -> dict[str, float]:
    """Rent some numbers, wait on all, let the SMS come in one by one; return when each was answered, in unix ms."""
    rented = [await agent.rent(http, rig.keys.pay_to) for _ in range(AT_ONCE)]
    waiting = [asyncio.create_task(_revealed_at(http, one)) for one in rented]
    async with httpx.AsyncClient(base_url=rig.outside.url, trust_env=False) as upstream:
        for one in rented:
            (await upstream.post(stubs.SMS_PATH, params={"number": one.number, "text": TEXT})).raise_for_status()
            await asyncio.sleep(SMS_EVERY_S)
    return dict(await asyncio.gather(*waiting))


async def _revealed_at(http: httpx.AsyncClient, rented: Rented) -> tuple[str, float]:
    while True:
        answer = await http.get(rented.poll(WAIT_S))
        answered_ms = time.time() * 1000
        if answer.is_error:
            raise BenchError(f"GET /sms answered {answer.status_code}: {answer.text}")
        if answer.json():
            return rented.id, answered_ms


async def _settled_at(redis: Redis) -> dict[str, int]:
    """Return when each rental was settled, in unix ms by the store's clock, which is this machine's."""
    settled: dict[str, int] = {}
    async for key in redis.scan_iter(match="{s*}:events"):
        rows = cast("list[tuple[str, dict[str, str]]]", await redis.xrange(key))
        for stream_id, fields in rows:
            event = json.loads(fields["event"])
            if event["type"] == EventType.SETTLED:
                settled[event["rental_id"]] = int(stream_id.partition("-")[0])
    return settled
