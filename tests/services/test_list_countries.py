"""The list is sold once per payment, whoever asks when, and nothing but proof shows it (I1, I2, I7)."""

import asyncio
from typing import Any

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.hold import HoldState
from phoneagent.core.ports import (
    Dead,
    DeadReason,
    SettleAnswer,
    SettleDeclined,
    SettlementProof,
    SettleUnknown,
    Undecided,
)
from phoneagent.core.rental import Job, Rental, RentalState
from phoneagent.core.transitions import Change
from phoneagent.services.shelf import Shelf
from tests.services.driver import BusyRentals, HookedRentals, joined, leased, rental_ids, scripted
from tests.waiting import within
from tests.web.fakes import Fault
from tests.web.harness import PAYER_KEY, World, address

CENT = 10_000
STOP_S = 300 - 20
"""The last settle call goes out 20 s before validBefore."""


async def _told(world: World, payment: str) -> tuple[int, Any]:
    response = await world.get_countries(payment)
    return response.status_code, response.json()["code"] if response.status_code != 200 else "list"


async def _hold_state(world: World) -> HoldState:
    record = await world.record((await rental_ids(world))[-1])
    assert record.hold is not None
    return record.hold.state


async def test_before_the_first_catalogue_nothing_is_claimed(world: World) -> None:
    payment = await world.sign(path="/countries")
    fresh = joined(world, shelf=Shelf(world.engine.catalogues, world.wakeups, world.clock))
    assert await _told(fresh, payment) == (503, "provider_unavailable")
    assert await rental_ids(world) == []
    assert await _told(world, payment) == (200, "list")


@pytest.mark.parametrize(
    ("seconds", "told"), [(29, (402, "authorization_window_too_short")), (30, (200, "list"))], ids=["29 s", "30 s"]
)
async def test_a_payment_must_last_half_a_minute(world: World, seconds: int, told: tuple[int, str]) -> None:
    payment = await world.sign(path="/countries", validBefore=str(world.now_s + seconds))
    assert await _told(world, payment) == told


async def test_a_payment_the_facilitator_refuses_is_free_again(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.refuses = "invalid_payload"
    assert await _told(world, payment) == (402, "verification_refused")
    assert (await world.record((await rental_ids(world))[0])).claim_is_free
    world.facilitator.refuses = None
    assert await _told(world, payment) == (200, "list")
    assert world.chain.earned == CENT


async def test_a_request_that_died_unverified_is_carried_on_by_the_next(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.is_down = True
    assert await _told(world, payment) == (503, "facilitator_unavailable")
    assert await _told(world, payment) == (503, "facilitator_unavailable")
    world.facilitator.is_down = False
    assert await _told(world, payment) == (200, "list")
    assert len(await rental_ids(world)) == 1


async def test_two_requests_with_one_payment_settle_it_once(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.gate.clear()
    first = asyncio.create_task(world.get_countries(payment))
    await within(world.facilitator.is_asked.wait())
    second = asyncio.create_task(world.get_countries(payment))
    assert await world.wakeups.arrival() == (await rental_ids(world))[0]
    world.facilitator.gate.set()
    answers = await within(asyncio.gather(first, second))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert len(world.facilitator.settled) == 1


async def test_two_requests_that_both_find_a_payment_unclaimed_settle_it_once(world: World) -> None:
    rival, chain, facilitator = scripted(world)
    barrier = asyncio.Barrier(2)

    async def meet() -> None:
        await barrier.wait()

    chain.after_read = meet
    payment = await world.sign(path="/countries")
    answers = await within(asyncio.gather(rival.get_countries(payment), rival.get_countries(payment)))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(facilitator.settled) == 1
    assert chain.earned == CENT


async def test_whoever_waits_for_another_request_is_asked_to_come_again_after_twenty_five_seconds(
    world: World,
) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.gate.clear()
    first = asyncio.create_task(world.get_countries(payment))
    await within(world.facilitator.is_asked.wait())
    second = asyncio.create_task(world.get_countries(payment))
    await world.wakeups.arrival()
    world.clock.elapsed_s += 25  # by this process's clock: the first one's lease goes on
    world.wakeups.ring_all()
    answer = await within(second)
    world.facilitator.gate.set()
    await within(first)
    assert (answer.status_code, answer.json()["code"]) == (503, "retry_same_payment")


async def test_a_payment_that_its_owner_loses_meanwhile_is_told_so(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.gate.clear()
    first = asyncio.create_task(world.get_countries(payment))
    await within(world.facilitator.is_asked.wait())
    second = asyncio.create_task(world.get_countries(payment))
    await world.wakeups.arrival()
    await world.engine.redis.flushall()
    world.wakeups.ring_all()
    assert (await within(second)).json()["code"] == "retry_same_payment"
    world.facilitator.gate.set()
    await within(first)


@pytest.mark.parametrize(
    ("said", "found", "told"),
    [
        (SettleDeclined("busy", payer_at_fault=False), Undecided(is_used=False), (502, "settlement_failed")),
        (SettleDeclined("poor", payer_at_fault=True), Undecided(is_used=False), (502, "settlement_failed")),
        (SettleDeclined("used", payer_at_fault=False), Undecided(is_used=True), (503, "retry_same_payment")),
        (SettleUnknown("no answer"), Undecided(is_used=False), (503, "retry_same_payment")),
        (SettleUnknown("no answer"), Dead(DeadReason.CANCELLED, 9), (402, "resign")),
        (SettleDeclined("used", payer_at_fault=False), Dead(DeadReason.USED_ELSEWHERE, 9), (402, "resign")),
    ],
    ids=["declined", "declined for the payer", "declined but used", "silent", "cancelled", "used elsewhere"],
)
async def test_every_answer_without_a_settlement_says_what_may_still_happen(
    world: World, said: SettleAnswer, found: SettlementProof, told: tuple[int, str]
) -> None:
    own, chain, facilitator = scripted(world)
    facilitator.says, chain.finds = said, found
    payment = await own.sign(path="/countries")
    assert await _told(own, payment) == told
    facilitator.says = chain.finds = None
    later = await _told(own, payment)
    assert later == ((402, "resign") if told[0] == 402 else (200, "list"))


async def test_a_refusal_that_the_chain_cannot_confirm_is_not_called_one(world: World) -> None:
    own, chain, facilitator = scripted(world)
    payment = await own.sign(path="/countries")
    await _cut_after_verify(own).get_countries(payment)
    facilitator.says = SettleDeclined("busy", payer_at_fault=False)
    chain.is_down = True
    assert await _told(own, payment) == (503, "chain_unavailable")
    assert await _hold_state(own) is HoldState.UNKNOWN


async def test_a_settled_reply_that_nobody_heard_is_found_and_never_paid_twice(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.chain.is_shallow = True
    assert await _told(world, payment) == (503, "retry_same_payment")
    world.chain.is_shallow = False
    sent = len(world.facilitator.settled)
    assert await _told(world, payment) == (200, "list")
    assert len(world.facilitator.settled) == sent
    assert world.chain.earned == CENT


async def test_nothing_is_sent_in_the_last_twenty_seconds(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.fault = Fault.IS_SILENT
    await _told(world, payment)
    world.clock.pass_by(STOP_S)
    assert await _told(world, payment) == (503, "retry_same_payment")
    assert len(world.facilitator.settled) == 1


async def test_workers_never_send_an_inline_payment_but_find_its_end(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.fault = Fault.IS_SILENT
    await _told(world, payment)
    world.clock.pass_by(2)
    assert await world.work(Job.SETTLE) == 1
    assert len(world.facilitator.settled) == 1
    assert await _hold_state(world) is HoldState.UNKNOWN
    world.clock.pass_by(301)
    await world.work(Job.SETTLE)
    assert await _hold_state(world) is HoldState.REJECTED
    assert await _told(world, payment) == (402, "resign")


async def test_a_list_settled_by_nobodys_request_is_shown_to_the_next_one(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.fault = Fault.IS_SILENT
    await _told(world, payment)
    world.facilitator.fault = None
    rental_id = (await rental_ids(world))[0]
    world.chain.transfer((await world.record(rental_id)).payment)
    world.clock.pass_by(2)
    await world.work(Job.SETTLE)
    assert (await world.record(rental_id)).state is RentalState.SETTLED
    assert await _told(world, payment) == (200, "list")


async def test_an_abandoned_payment_buys_the_list_later(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.is_down = True
    await _told(world, payment)
    world.facilitator.is_down = False
    world.clock.pass_by(60)
    assert await world.work(Job.ABANDON) == 1
    assert await _told(world, payment) == (200, "list")
    assert len(await rental_ids(world)) == 2


async def test_whoever_waits_on_an_attempt_that_is_abandoned_sends_the_same_payment_again(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.is_down = True
    await _told(world, payment)
    rental_id = (await rental_ids(world))[0]
    await leased(world, rental_id)  # by a process that dies
    rentals = BusyRentals(world.engine.rentals)
    waiting = asyncio.create_task(joined(world, rentals=rentals).get_countries(payment))
    await within(rentals.was_refused.wait())
    world.clock.pass_by(60)
    await world.work(Job.ABANDON)
    answer = await within(waiting)
    assert (answer.status_code, answer.json()["code"]) == (503, "retry_same_payment")


async def test_the_payer_of_a_list_is_not_charged_when_its_balance_is_gone(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.chain.balances[address(PAYER_KEY)] = CENT - 1
    assert await _told(world, payment) == (402, "insufficient_funds")
    assert await rental_ids(world) == []


def _cut_after_verify(world: World) -> World:
    async def fail(rental: Rental, _: Change) -> None:
        if rental.state is RentalState.PAID:
            raise Unavailable("store_unavailable")

    return joined(world, rentals=HookedRentals(world.engine.rentals, before=fail))
