"""An upstream activation has one owner for its lifetime, whoever finds it (ARCHITECTURE §2 "Orders")."""

import asyncio

import pytest

from phoneagent.core.transitions import Activation
from phoneagent.store import keys
from tests.core.stories import ACTIVATION, rental_id
from tests.store.store_under_test import StoreUnderTest
from tests.waiting import within

MINE, THEIRS = rental_id(1), rental_id(2)
DAY = 86_400_000


async def test_the_first_claim_owns_the_activation(store: StoreUnderTest) -> None:
    assert await store.activations.claim("smsfast", ACTIVATION, MINE) == MINE
    assert await store.activations.claim("smsfast", ACTIVATION, THEIRS) == MINE
    assert await store.activations.claimed_by("smsfast", MINE) == ACTIVATION
    assert await store.activations.claimed_by("smsfast", THEIRS) is None


async def test_a_claim_may_be_repeated(store: StoreUnderTest) -> None:
    await store.activations.claim("smsfast", ACTIVATION, MINE)

    assert await store.activations.claim("smsfast", ACTIVATION, MINE) == MINE
    assert await store.activations.claimed_by("smsfast", MINE) == ACTIVATION


async def test_one_of_twenty_rentals_gets_an_activation_that_all_have_found(store: StoreUnderTest) -> None:
    finders = [rental_id(number) for number in range(20)]

    owners = await within(
        asyncio.gather(*[store.activations.claim("smsfast", ACTIVATION, finder) for finder in finders])
    )

    assert len(set(owners)) == 1
    claims = await asyncio.gather(*[store.activations.claimed_by("smsfast", finder) for finder in finders])
    assert [claim for claim in claims if claim] == [ACTIVATION]


async def test_another_providers_activation_of_the_same_id_is_another(store: StoreUnderTest) -> None:
    await store.activations.claim("smsfast", ACTIVATION, MINE)

    assert await store.activations.claim("hero", ACTIVATION, THEIRS) == THEIRS
    assert await store.activations.claimed_by("hero", MINE) is None


@pytest.mark.parametrize("activation", [Activation("7", "44", None), Activation("8", "4420", 0), ACTIVATION])
async def test_an_activation_comes_back_as_it_was_claimed(store: StoreUnderTest, activation: Activation) -> None:
    await store.activations.claim("smsfast", activation, MINE)

    assert await store.activations.claimed_by("smsfast", MINE) == activation


async def test_both_sides_are_forgotten_after_thirty_days(store: StoreUnderTest) -> None:
    await store.activations.claim("smsfast", ACTIVATION, MINE)

    for key in (keys.activation("smsfast", ACTIVATION.activation_id), keys.bought("smsfast", MINE)):
        assert 30 * DAY - 60_000 < await store.redis.pttl(key) <= 30 * DAY
