"""A payment's settlement belongs to one facilitator, for every process, until its authorization has ended."""

import asyncio

import pytest

from phoneagent.core.ports import Assigned
from phoneagent.store import keys
from tests.core.stories import NOW, payment
from tests.store.store_under_test import StoreUnderTest
from tests.waiting import within

PAYMENT = payment()


async def test_the_first_facilitator_has_the_payment_and_keeps_it(store: StoreUnderTest) -> None:
    assert await store.assignments.assign(PAYMENT, "cdp") == Assigned("cdp", is_new=True)
    assert await store.assignments.assign(PAYMENT, "cdp") == Assigned("cdp", is_new=False)
    assert await store.assignments.assign(PAYMENT, "local") == Assigned("cdp", is_new=False)


async def test_one_of_twenty_that_ask_at_once_gets_it(store: StoreUnderTest) -> None:
    asked = [store.assignments.assign(PAYMENT, f"f{number}") for number in range(20)]

    answers = await within(asyncio.gather(*asked))

    assert len({answer.name for answer in answers}) == 1
    assert sum(answer.is_new for answer in answers) == 1


async def test_only_who_has_it_gives_it_back(store: StoreUnderTest) -> None:
    await store.assignments.assign(PAYMENT, "cdp")

    await store.assignments.release(PAYMENT, "local")
    assert await store.assignments.assign(PAYMENT, "local") == Assigned("cdp", is_new=False)
    await store.assignments.release(PAYMENT, "cdp")
    await store.assignments.release(PAYMENT, "cdp")
    assert await store.assignments.assign(PAYMENT, "local") == Assigned("local", is_new=True)


async def test_another_nonce_is_another_payment(sharded: StoreUnderTest) -> None:
    other = payment(payer="0x" + "77" * 20)
    await sharded.assignments.assign(PAYMENT, "cdp")

    assert await sharded.assignments.assign(other, "local") == Assigned("local", is_new=True)


@pytest.mark.parametrize("late_ms", [0, 10**9])
async def test_it_is_forgotten_ten_minutes_after_the_authorization_at_the_earliest(
    store: StoreUnderTest, late_ms: int
) -> None:
    store.time.pass_ms(late_ms)

    await store.assignments.assign(PAYMENT, "cdp")

    left_ms = max(PAYMENT.authorization.valid_before * 1000 - NOW - late_ms, 0) + keys.ASSIGNMENT_MARGIN_MS
    ttl_ms = await store.redis.pttl(keys.settler("s00", PAYMENT.claim_key))
    assert left_ms - 10_000 < ttl_ms <= left_ms
