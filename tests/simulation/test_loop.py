"""The virtual-time loop: order by the seed, time by jumps, and no waiting for ever."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.simulation.loop import Deadlock, VirtualLoop


def run(seed: int, coro: Coroutine[Any, Any, list[str]]) -> tuple[list[str], float]:
    """What a coroutine returns under a seed, and how much time passed for it."""
    loop = VirtualLoop(random.Random(seed))  # noqa: S311  a simulation, not a secret
    try:
        return loop.run_until_complete(coro), loop.time()
    finally:
        loop.close()


async def race() -> list[str]:
    order: list[str] = []

    async def enter(name: str) -> None:
        await asyncio.sleep(0)
        order.append(name)

    await asyncio.gather(*[enter(name) for name in "abcdef"])
    return order


def test_the_seed_decides_who_goes_first() -> None:
    orders = {tuple(run(seed, race())[0]) for seed in range(20)}

    assert len(orders) > 5
    assert run(3, race()) == run(3, race())


def test_a_day_passes_in_a_moment() -> None:
    async def sleep_long() -> list[str]:
        await asyncio.sleep(86_400)
        return []

    assert run(0, sleep_long())[1] == pytest.approx(86_400)


def test_timers_fire_in_their_order_whatever_the_seed() -> None:
    async def count_down() -> list[str]:
        order: list[str] = []
        loop = asyncio.get_running_loop()
        for seconds in (3, 1, 2):
            loop.call_later(seconds, order.append, str(seconds))
        await asyncio.sleep(4)
        return order

    assert [run(seed, count_down())[0] for seed in range(5)] == [["1", "2", "3"]] * 5


def test_waiting_for_what_never_comes_is_a_deadlock() -> None:
    async def wait_for_ever() -> list[str]:
        await asyncio.Event().wait()
        return []

    waiting = wait_for_ever()
    with pytest.raises(Deadlock):
        run(0, waiting)
    waiting.close()
