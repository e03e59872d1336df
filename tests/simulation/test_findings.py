"""What the simulation has found, each in its smallest form: a seed's story may change, these stay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from phoneagent.core.errors import PaymentRefused, Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import AlreadyClaimed, Balance, Caps, Claimed, PayerReading
from phoneagent.core.rental import Product, Rental
from phoneagent.core.transitions import Activation, released_unbought
from phoneagent.services.claim import Claims, ClaimTerms, Wish
from phoneagent.store.activations import RedisActivations
from phoneagent.store.connect import open_client
from phoneagent.store.rentals import RedisRentals
from phoneagent.store.scripts import Scripts
from tests.core.stories import BLOCK, draft, rental_id

CAPS = Caps(open_holds=5, open_atomic=10**12, claims_per_hour=60)
TERMS = ClaimTerms(CAPS, CAPS, b"a secret")
RICH = Balance(atomic=10**12, block=BLOCK, epoch=0)
POOR = PayerReading(BLOCK, 0, is_authorization_used=False, payer_has_code=False, refusal=None)
FIRST, SECOND = Activation("a3", "14155550003", None), Activation("a4", "14155550004", None)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_client(redis_url)
    yield client
    await client.aclose()


@dataclass
class SlowChain:
    """A node that answers only after ``meanwhile`` has claimed the same payment, if there is such a rental."""

    rentals: RedisRentals
    reading: PayerReading
    meanwhile: Rental | None

    async def read_payer(self, _payment: Payment) -> PayerReading:
        if self.meanwhile is not None:
            await self.rentals.claim(self.meanwhile, RICH, CAPS, CAPS)
        return self.reading


async def open_claim(redis: Redis, reading: PayerReading, meanwhile: Rental | None) -> object:
    """What a request gets that looked for the claim of `draft()` before anybody else had it."""
    rentals = RedisRentals(redis, Scripts(redis, lambda: "server"), 1)
    chain = SlowChain(rentals, reading, meanwhile)
    claims = Claims(rentals, cast("Any", chain), cast("Any", None), cast("Any", None), TERMS)
    wanted = draft()
    wish = Wish(Product.RENT, wanted.fingerprint, wanted.price_atomic, wanted.request, wanted.mode)
    return await claims.open(wanted.payment, wish, await claims.look(wanted.payment, wanted.fingerprint))


@pytest.mark.parametrize("reading", [POOR, replace(POOR, balance_atomic=10**12, is_authorization_used=True)], ids=repr)
async def test_a_payment_claimed_while_the_chain_was_asked_is_a_replay_and_no_402(
    redis: Redis, reading: PayerReading
) -> None:
    opened = await open_claim(redis, reading, meanwhile=draft())

    assert isinstance(opened, AlreadyClaimed)
    assert opened.rental.id == draft().id


async def test_a_payment_that_nobody_claimed_meanwhile_is_refused(redis: Redis) -> None:
    with pytest.raises(PaymentRefused, match="insufficient_funds"):
        await open_claim(redis, POOR, meanwhile=None)


async def claimed_again(redis: Redis) -> tuple[Claims, Rental]:
    """A rental that was released unused, whose payment a further request has claimed; and the service's claims."""
    rentals = RedisRentals(redis, Scripts(redis, lambda: "server"), 1)
    claims = Claims(rentals, cast("Any", None), cast("Any", None), cast("Any", None), TERMS)
    first = await rentals.claim(draft(), RICH, CAPS, CAPS)
    assert isinstance(first, Claimed)
    change = released_unbought(first.leased.rental, "verification_refused", "", first.leased.now_ms)
    released = await rentals.commit(first.leased.lease, first.leased.rental, change)
    again = await rentals.claim(replace(draft(), id=rental_id(2)), replace(RICH, epoch=1), CAPS, CAPS)
    assert isinstance(again, Claimed)
    return claims, released


async def test_the_refusal_of_a_released_attempt_is_not_told_once_the_payment_is_claimed_again(redis: Redis) -> None:
    claims, released = await claimed_again(redis)

    with pytest.raises(Unavailable, match="retry_same_payment"):
        await claims.check_not_claimed_anew(released.payment, released.id)


async def test_the_refusal_of_the_rental_that_owns_the_payment_stands(redis: Redis) -> None:
    claims, released = await claimed_again(redis)

    await claims.check_not_claimed_anew(released.payment, rental_id(2))


async def test_a_rental_that_has_adopted_a_number_leaves_the_one_it_bought_to_the_next(redis: Redis) -> None:
    activations = RedisActivations(redis, Scripts(redis, lambda: "server"))
    mine, theirs = rental_id(1), rental_id(2)

    assert await activations.claim("host", FIRST, mine) == mine
    assert await activations.claim("host", SECOND, mine) == ""
    assert await activations.claimed_by("host", mine) == FIRST
    assert await activations.claim("host", SECOND, theirs) == theirs
