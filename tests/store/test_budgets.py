"""A provider's budget of calls: one bucket for all processes, exceeded in no window, and some kept for orders."""

import asyncio

import pytest

from phoneagent.core.ports import CallRate
from tests.store.store_under_test import StoreUnderTest

RATE = CallRate(per_s=5, burst=5)


async def taken(store: StoreUnderTest, keep: int = 0, rate: CallRate = RATE) -> bool:
    return not (await store.budgets.take("smsfast", rate, keep)).wait_ms


async def test_a_burst_is_there_at_once_and_then_so_many_a_second(store: StoreUnderTest) -> None:
    assert [await taken(store) for _ in range(6)] == [True] * 5 + [False]
    assert (await store.budgets.take("smsfast", RATE, 0)).wait_ms == 200

    store.time.pass_ms(199)
    assert not await taken(store)
    store.time.pass_ms(1)
    assert [await taken(store), await taken(store)] == [True, False]


@pytest.mark.parametrize("per_s", [0.5, 1, 7, 150])
async def test_no_window_holds_more_than_its_burst_and_its_time_allow(store: StoreUnderTest, per_s: float) -> None:
    rate = CallRate(per_s, 3)
    calls: list[int] = []
    start = store.time.now_ms
    for step in range(400):
        store.time.now_ms = start + step * 13
        calls += [
            store.time.now_ms for won in await asyncio.gather(*(taken(store, rate=rate) for _ in range(3))) if won
        ]

    for first in range(len(calls)):
        for last in range(first, len(calls)):
            assert last - first + 1 <= 3 + per_s * (calls[last] - calls[first]) / 1000 + 0.001
    assert len(calls) >= per_s * 400 * 13 / 1000 * 0.9  # nor does it hold back what is there
    await store.redis.flushdb()


async def test_questions_leave_some_for_orders(store: StoreUnderTest) -> None:
    assert [await taken(store, keep=2) for _ in range(4)] == [True, True, True, False]
    assert (await store.budgets.room("smsfast", RATE, 2)).calls == 0
    assert [await taken(store) for _ in range(3)] == [True, True, False]


async def test_looking_takes_nothing_and_providers_do_not_share(store: StoreUnderTest) -> None:
    for _ in range(9):
        assert (await store.budgets.room("smsfast", RATE, 0)).calls == 5
    assert [await taken(store) for _ in range(5)] == [True] * 5
    assert (await store.budgets.room("hero-sms", RATE, 0)).calls == 5
    assert (await store.budgets.room("smsfast", RATE, 0)).wait_ms == 200


async def test_a_clock_that_was_set_back_closes_a_budget_for_no_longer_than_its_burst(store: StoreUnderTest) -> None:
    assert await taken(store)
    store.time.pass_ms(-3_600_000)

    assert (await store.budgets.take("smsfast", RATE, 0)).wait_ms <= 1_000


def test_a_third_of_a_burst_is_kept_for_orders() -> None:
    assert [CallRate(1, burst).kept_for_orders for burst in (1, 3, 5, 9)] == [0, 1, 1, 3]
