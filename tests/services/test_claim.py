"""Claims under contention: one payment that two want, and a balance that changes while it is read (I3, I6)."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.services.driver import ScriptedChain, StaleRentals, joined, rental_ids, scripted
from tests.waiting import within
from tests.web.harness import BODY, PAYER_KEY, Rented, World, address


class _Barrier:
    """Holds a payer's readings back until so many have been made."""

    def __init__(self, parties: int) -> None:
        self._barrier = asyncio.Barrier(parties)

    async def __call__(self) -> None:
        await self._barrier.wait()


class _Once:
    """Something that happens before the first reading."""

    def __init__(self, happens: Callable[[], Awaitable[object]]) -> None:
        self._happens: list[Callable[[], Awaitable[object]]] = [happens]

    async def __call__(self) -> None:
        if self._happens:
            await self._happens.pop()()


class _Interference:
    """Gives one rental back during each reading of the balance, so that the reading is stale."""

    def __init__(self, world: World, rentals: list[Rented]) -> None:
        self._world = world
        self._rentals = rentals

    async def __call__(self) -> None:
        if self._rentals:
            assert (await self._world.cancel(self._rentals.pop())).status_code == 200


async def _rivals(world: World, *bodies: dict[str, object]) -> tuple[list[tuple[int, str]], ScriptedChain]:
    """Requests with one payment of which none sees the other's claim; what each was told."""
    payment = await world.sign()
    rival, chain, _ = scripted(world)
    chain.after_read = _Barrier(len(bodies))
    answers = await within(asyncio.gather(*[rival.post_rent(payment, body) for body in bodies]))
    return [(one.status_code, one.json().get("code", one.json().get("rental_id"))) for one in answers], chain


async def test_two_requests_that_both_find_a_payment_unclaimed_get_one_rental(world: World) -> None:
    answers, chain = await _rivals(world, BODY, BODY)
    (rental_id,) = await rental_ids(world)
    assert answers == [(200, rental_id), (200, rental_id)]
    assert chain.readings == 2
    assert len(world.provider.bought) == 1


async def test_two_requests_for_different_things_cannot_both_have_the_payment(world: World) -> None:
    answers, _ = await _rivals(world, BODY, {**BODY, "duration_minutes": 9})
    assert sorted(code for code, _ in answers) == [200, 409]
    assert (409, "payment_bound_elsewhere") in answers
    assert len(world.provider.bought) == 1


async def test_a_balance_read_before_a_hold_ended_is_read_again(world: World) -> None:
    old = await world.rent()
    busy, chain, _ = scripted(world)
    chain.after_read = _Interference(world, [old])
    assert (await busy.post_rent(await world.sign())).status_code == 200
    assert chain.readings == 2


async def test_a_payer_whose_holds_keep_ending_is_asked_to_come_again_and_nothing_is_claimed(world: World) -> None:
    old = [await world.rent() for _ in range(3)]
    busy, chain, _ = scripted(world)
    chain.after_read = _Interference(world, old)
    payment = await world.sign()
    refused = await busy.post_rent(payment)
    assert (refused.status_code, refused.json()["code"]) == (503, "retry_same_payment")
    assert chain.readings == 3
    assert len(await rental_ids(world)) == 3
    assert (await busy.post_rent(payment)).status_code == 200


async def test_a_payment_that_is_claimed_before_its_balance_is_read_again_leads_to_that_rental(world: World) -> None:
    old = await world.rent()
    payment = await world.sign()
    answers = []

    async def overtake() -> None:
        answers.append(await world.post_rent(payment))

    busy, chain, _ = scripted(world)
    busy = joined(busy, rentals=StaleRentals(world.engine.rentals, then=overtake))
    chain.after_read = _Interference(world, [old])
    answers.append(await busy.post_rent(payment))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert len(world.provider.bought) == 2


async def test_a_payment_that_is_settled_between_look_and_reading_gets_what_it_bought_and_no_402(world: World) -> None:
    payment = await world.sign(path="/countries")
    slow, chain, _ = scripted(world)
    chain.before_read = _Once(lambda: world.get_countries(payment))
    answer = await slow.get_countries(payment)
    assert answer.status_code == 200
    assert world.chain.earned == 10_000


async def test_an_authorization_spent_elsewhere_is_refused_before_anything_is_claimed(world: World) -> None:
    first, second = await world.sign(), await world.sign()
    rented = Rented.of(first, await world.post_rent(first))
    world.chain.refusal = "FiatTokenV2: authorization is used or canceled"
    refused = await world.post_rent(second)
    assert (refused.status_code, refused.json()["code"]) == (402, "transfer_refused")
    assert await rental_ids(world) == [rented.id]
    assert world.chain.balances[address(PAYER_KEY)] == 50_000_000
