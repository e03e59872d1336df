"""Several payers and rentals, anything that may happen in any order: the store holds exactly what happened."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from phoneagent.core import transitions as verb
from phoneagent.core.errors import LeaseLost
from phoneagent.core.payment import Payment
from phoneagent.core.ports import AlreadyClaimed, Balance, Claimed
from phoneagent.core.rental import Rental
from phoneagent.store import keys
from phoneagent.store.rentals import LEASE_MS
from tests.core.moves import PATHS, Turn, possible
from tests.core.stories import EXPIRES, NOW, countries_draft, draft, payment
from tests.store.books import Books
from tests.store.store_under_test import StoreUnderTest

SHARDS = 2
PAYERS = [f"0x{number:040x}" for number in (1, 2, 3)]


@dataclass(frozen=True)
class Step:
    """What is drawn for one step: which payment, which move, when, and what goes wrong on the way."""

    which: int
    pick: int
    delay_ms: int
    choice: int
    leap_s: int
    mishap: str
    path: str
    head_start: int


steps = st.builds(
    Step,
    which=st.integers(0, 4),
    pick=st.integers(0, 30),
    delay_ms=st.integers(0, 60_000),
    choice=st.integers(0, 5),
    leap_s=st.sampled_from([0, 0, 0, 1, 61, 600, 3_600]),
    mishap=st.sampled_from(["", "", "", "dies", "is late", "is deaf"]),
    path=st.sampled_from(sorted(PATHS)),
    head_start=st.integers(0, 8),
)


def money(which: int) -> Payment:
    return payment(payer=PAYERS[which % 3], nonce=which + 1, amount_atomic=10_000 if which == 4 else 1_000_000)


class Walk:
    """One example: the store, its books, and a worker to whom everything happens."""

    def __init__(self, store: StoreUnderTest) -> None:
        self.store = store
        self.books = Books(SHARDS)
        self.made = 0

    async def take(self, step: Step) -> None:
        self.store.time.pass_ms(step.leap_s * 1000)
        pays = money(step.which)
        rental = self.books.owner(pays.claim_key)
        if rental is None:
            await self._claim(step, pays)
            return
        moves = possible(rental, self._turn(step))
        if moves:
            await self._write(rental, moves[step.pick % len(moves)].make(rental, self._turn(step)), step.mishap)

    def _turn(self, step: Step) -> Turn:
        return Turn(self.store.time.now_ms, step.delay_ms, step.choice)

    async def _claim(self, step: Step, pays: Payment) -> None:
        payer = pays.authorization.payer
        sight = await self.store.rentals.look(pays)
        assert (sight.rental, sight.epoch) == (None, self.books.epochs[payer])
        self.made += 1
        make = countries_draft if step.which == 4 else draft
        rental = replace(make(self.made, pays=pays, slot=sight.slot), created_at_ms=sight.now_ms)
        answer = await self.store.claim(rental, Balance(10**9, 10**9, sight.epoch))
        assert isinstance(answer, Claimed)
        self.books.note_claim(rental, answer.leased.lease)
        await self._set_out(step, rental)

    async def _set_out(self, step: Step, rental: Rental) -> None:
        """Go some way down a path at once: chance alone seldom gets far."""
        for move in PATHS[step.path][: step.head_start]:
            self.store.time.pass_ms(EXPIRES - NOW if move.name == "expired" else 0)
            if move in possible(rental, self._turn(step)):
                rental = await self._write(rental, move.make(rental, self._turn(step)), "")

    async def _write(self, before: Rental, change: verb.Change, mishap: str) -> Rental:
        rentals = self.store.rentals
        lease = self.books.leases[before.id]
        if mishap == "dies":
            self.store.time.pass_ms(LEASE_MS)
            taken = await rentals.take(before.id)
            assert taken is not None
            assert (taken.rental, taken.lease.fence) == (before, lease.fence + 1)
            with pytest.raises(LeaseLost):
                await rentals.commit(lease, before, change)
            self.books.leases[before.id] = lease = taken.lease
        elif mishap == "is late":
            await rentals.renew(lease)
        after = await rentals.commit(lease, before, change)
        assert after == replace(change.rental, rev=before.rev + 1)
        self.books.note_change(before, after, change)
        if mishap == "is deaf":
            with pytest.raises(LeaseLost):
                await rentals.commit(lease, before, change)
        return after

    async def check_claims(self) -> None:
        for rental in list(self.books.rentals.values()):
            owner = self.books.owner(rental.payment.claim_key)
            if owner is not None:
                rival = replace(rental, id=draft(900 + self.made, slot=f"s{rental.id[2:4]}").id)
                assert await self.store.claim(rival, Balance(0, 0, 0)) == AlreadyClaimed(owner)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(walk=st.lists(steps, min_size=10, max_size=45))
async def test_the_store_holds_exactly_what_happened(redis: Redis, walk: list[Step]) -> None:
    await redis.flushdb()
    example = Walk(StoreUnderTest.on(redis, SHARDS))
    example.store.time.now_ms = NOW

    for step in walk:
        await example.take(step)

    await example.check_claims()
    await example.books.compare(example.store)


def test_the_payers_of_a_walk_lie_in_both_slots() -> None:
    assert {keys.slot_of_payer(payer, SHARDS) for payer in PAYERS} == {"s00", "s01"}
