"""A possible stray is written down by the script that may have refused it, until it has an owner or an end."""

import asyncio

import pytest

from phoneagent.core.stray import STRAY_MARK, Stray, StrayEnd, books_of
from phoneagent.core.transitions import Activation
from phoneagent.store import keys
from tests.core.stories import ACTIVATION, NOW, rental_id
from tests.store.store_under_test import StoreUnderTest
from tests.waiting import within

MINE, THEIRS = rental_id(1), rental_id(2)
SECOND = Activation("8", "14155550008", None)
LOOK_MS = 60_000
DAY = 86_400_000


async def due(store: StoreUnderTest) -> list[Stray]:
    return list(await store.strays.take("smsfast", 10))


async def a_stray(store: StoreUnderTest) -> Stray:
    """A late claim whose time to be looked at has come."""
    await store.activations.claim("smsfast", ACTIVATION, MINE, in_time_before_ms=NOW)
    store.time.pass_ms(LOOK_MS)
    (stray,) = await due(store)
    return stray


async def test_a_claim_in_time_leaves_nothing_to_look_at(store: StoreUnderTest) -> None:
    await store.activations.claim("smsfast", ACTIVATION, MINE, in_time_before_ms=NOW + 1)

    store.time.pass_ms(DAY)
    assert await due(store) == []


async def test_a_late_claim_is_looked_at_once_its_rental_has_had_time_to_attach_it(store: StoreUnderTest) -> None:
    assert await store.activations.claim("smsfast", ACTIVATION, MINE, in_time_before_ms=NOW) == MINE

    store.time.pass_ms(LOOK_MS - 1)
    assert await due(store) == []
    store.time.pass_ms(1)
    assert await due(store) == [Stray(ACTIVATION, MINE, "", is_ours=True)]


async def test_what_a_rental_bought_beside_another_number_is_looked_at_even_in_time(store: StoreUnderTest) -> None:
    await store.activations.claim("smsfast", ACTIVATION, MINE, in_time_before_ms=NOW + 1)

    assert await store.activations.claim("smsfast", SECOND, MINE, in_time_before_ms=NOW + 1) == ""

    store.time.pass_ms(LOOK_MS)
    assert await due(store) == [Stray(SECOND, "", "", is_ours=True)]


async def test_what_is_taken_comes_back_if_nobody_says_what_became_of_it(store: StoreUnderTest) -> None:
    stray = await a_stray(store)

    assert await due(store) == []
    store.time.pass_ms(60_000)
    assert await due(store) == [stray]


async def test_it_is_looked_at_again_when_it_was_put_off_to(store: StoreUnderTest) -> None:
    stray = await a_stray(store)

    await store.strays.put_off("smsfast", stray, store.time.now_ms + 5_000)

    store.time.pass_ms(5_000)
    assert await due(store) == [stray]


async def test_a_marked_activation_can_neither_be_claimed_nor_found(store: StoreUnderTest) -> None:
    stray = await a_stray(store)

    assert await store.strays.mark("smsfast", stray)
    assert await store.strays.mark("smsfast", stray)

    assert await store.activations.claimed_by("smsfast", MINE) is None
    for rental in (MINE, THEIRS):
        assert await store.activations.claim("smsfast", ACTIVATION, rental) == STRAY_MARK
    store.time.pass_ms(60_000)
    assert await due(store) == [Stray(ACTIVATION, STRAY_MARK, MINE, is_ours=True)]


async def test_an_activation_that_has_another_owner_by_now_is_not_marked(store: StoreUnderTest) -> None:
    await store.activations.claim("smsfast", ACTIVATION, MINE)
    await store.activations.claim("smsfast", SECOND, MINE)
    store.time.pass_ms(LOOK_MS)
    stray = next(one for one in await due(store) if one.activation == SECOND)
    await store.activations.claim("smsfast", SECOND, THEIRS)

    assert not await store.strays.mark("smsfast", stray)
    assert await store.activations.claimed_by("smsfast", THEIRS) == SECOND


async def test_a_mark_of_one_activation_leaves_the_other_that_its_rental_has(store: StoreUnderTest) -> None:
    await store.activations.claim("smsfast", ACTIVATION, MINE)
    other_claim = Stray(SECOND, MINE, "", is_ours=True)
    await store.redis.set(keys.activation("smsfast", SECOND.activation_id), MINE, px=DAY)
    await store.strays.note("smsfast", Activation("9", "1", None), 0)
    await store.redis.hset(keys.stray("smsfast", SECOND.activation_id), "activation", "{}")

    assert await store.strays.mark("smsfast", other_claim)

    assert await store.activations.claimed_by("smsfast", MINE) == ACTIVATION


async def test_what_is_forgotten_is_its_owners_again_and_no_late_mark_takes_it(store: StoreUnderTest) -> None:
    stray = await a_stray(store)
    await store.strays.mark("smsfast", stray)

    await store.strays.forget("smsfast", stray, MINE)

    assert await store.activations.claimed_by("smsfast", MINE) == ACTIVATION
    assert not await store.strays.mark("smsfast", stray)
    store.time.pass_ms(DAY)
    assert await due(store) == []


async def test_twenty_ends_are_one_with_one_line_in_the_books(store: StoreUnderTest) -> None:
    stray = await a_stray(store)
    books = books_of(stray, StrayEnd.CANCELLED, NOW)

    ended = await within(
        asyncio.gather(
            *[store.strays.end("smsfast", stray, StrayEnd.CANCELLED, "ACCESS_CANCEL", books) for _ in range(20)]
        )
    )

    assert ended.count(True) == 1
    rows = (await store.contents())[keys.provider_ledger("smsfast")]
    assert len(rows) == len(books)
    record = await store.redis.hgetall(keys.stray("smsfast", ACTIVATION.activation_id))
    assert (record["ended_as"], record["evidence"]) == ("cancelled", "ACCESS_CANCEL")
    assert 29 * DAY < await store.redis.pttl(keys.stray("smsfast", ACTIVATION.activation_id)) <= 30 * DAY
    await store.strays.put_off("smsfast", stray, 0)
    store.time.pass_ms(DAY)
    assert await due(store) == []


async def test_a_listed_activation_is_noted_once_and_only_if_nobody_has_claimed_it(store: StoreUnderTest) -> None:
    await store.activations.claim("smsfast", ACTIVATION, MINE, in_time_before_ms=NOW + 1)

    assert not await store.strays.note("smsfast", ACTIVATION, 0)
    assert await store.strays.note("smsfast", SECOND, 1_000)
    assert not await store.strays.note("smsfast", SECOND, 0)

    assert await due(store) == []
    store.time.pass_ms(1_000)
    assert await due(store) == [Stray(SECOND, "", "", is_ours=False)]


async def test_what_was_only_reported_is_ours_once_a_purchase_is_answered_with_it(store: StoreUnderTest) -> None:
    await store.strays.note("smsfast", ACTIVATION, 0)
    (listed,) = await due(store)
    await store.strays.end("smsfast", listed, StrayEnd.REPORTED, "unknown", ())

    stray = await a_stray(store)

    assert stray == Stray(ACTIVATION, MINE, "", is_ours=True)
    assert await store.strays.end("smsfast", stray, StrayEnd.LOST, "ACCESS_ACTIVATION", ())


@pytest.mark.parametrize("pause_ms", [1, 60_000])
async def test_one_of_many_sweeps_in_a_pause(store: StoreUnderTest, pause_ms: int) -> None:
    allowed = await within(asyncio.gather(*[store.strays.may_sweep("smsfast", pause_ms) for _ in range(10)]))

    assert allowed.count(True) == 1
    store.time.pass_ms(pause_ms - 1)
    assert not await store.strays.may_sweep("smsfast", pause_ms)
    store.time.pass_ms(1)
    assert await store.strays.may_sweep("smsfast", pause_ms)


async def test_another_providers_strays_are_its_own(store: StoreUnderTest) -> None:
    await a_stray(store)
    store.time.pass_ms(DAY)

    assert await store.strays.take("hero", 10) == []
