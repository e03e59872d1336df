"""Giving a number back while something else happens to the rental: the first to write decides, everybody is told."""

import asyncio

import pytest

from phoneagent.core import transitions
from phoneagent.core.order import OrderState
from phoneagent.core.ports import Closed
from phoneagent.core.rental import Job, RentalState
from phoneagent.services import cancel
from phoneagent.services.work import working
from tests.core.stories import SMS
from tests.services.driver import Host, events, leased
from tests.waiting import within
from tests.web.fakes import Fault
from tests.web.harness import Rented, World


async def _waiting_cancel(world: World, rented: Rented, happens: Job) -> tuple[int, dict[str, object]]:
    """A cancel that comes while a job has the rental, and what it is told when the job is done."""
    (due,) = (await world.engine.rentals.lease_due(happens, 1)).leased
    cancelling = asyncio.create_task(world.cancel(rented))
    assert await world.wakeups.arrival() == rented.id
    await world._handlers()[happens](due)
    response = await within(cancelling)
    return response.status_code, response.json()


async def test_two_cancels_at_once_are_one(world: World, host: Host) -> None:
    rented = await world.rent()
    busy = await leased(world, rented.id)
    both = [asyncio.create_task(world.cancel(rented)) for _ in range(2)]
    for _ in both:
        assert await world.wakeups.arrival() == rented.id
    await world.engine.rentals.drop(busy.lease)
    answers = await within(asyncio.gather(*both))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert host.asked == [("status", "a1")]
    assert await events(world, rented.id) == ["created", "paid", "active", "released"]


async def test_an_sms_stored_while_a_cancel_waits_wins(world: World, host: Host) -> None:
    rented = await world.rent()
    host.receive(rented.number, "first")
    world.clock.pass_by(3)
    status, body = await _waiting_cancel(world, rented, Job.POLL)
    assert (status, body["code"]) == (409, "already_received")
    assert len((await world.record(rented.id)).messages) == 1


async def test_a_payment_that_leaves_while_a_cancel_waits_wins(world: World) -> None:
    rented = await world.rent()
    busy = await leased(world, rented.id)
    cancelling = asyncio.create_task(world.cancel(rented))
    assert await world.wakeups.arrival() == rented.id
    async with working(world.engine.rentals, busy) as work:
        await work.write(transitions.sms_seen(work.rental, [SMS], world.clock.now_ms()))
        await work.write(transitions.settle_sent(work.rental, world.clock.now_ms() + 1000, world.clock.now_ms()))
    refused = await within(cancelling)
    assert (refused.status_code, refused.json()["code"]) == (409, "settlement_in_flight")


async def test_a_rental_that_expires_while_a_cancel_waits_has_ended(world: World) -> None:
    rented = await world.rent()
    world.clock.pass_by(600)
    status, body = await _waiting_cancel(world, rented, Job.POLL)
    assert (status, body["code"]) == (409, "already_ended")
    assert body["detail"] == "the rental is expired"


async def test_a_number_the_host_closed_is_released_without_anything_to_cancel(world: World, host: Host) -> None:
    rented = await world.rent()
    host.on_status = [Closed("STATUS_CANCEL")]
    assert (await world.cancel(rented)).status_code == 200
    record = await world.record(rented.id)
    assert record.state is RentalState.RELEASED
    assert record.order is not None
    assert (record.order.state, record.order.evidence) == (OrderState.REFUNDED, "STATUS_CANCEL")
    assert await world.due_in_ms(Job.CLOSE) is None


async def test_an_sms_that_the_cancels_own_question_finds_is_stored_and_paid(world: World, host: Host) -> None:
    rented = await world.rent()
    host.receive(rented.number, "code 1234")
    refused = await world.cancel(rented)
    assert (refused.status_code, refused.json()["code"]) == (409, "already_received")
    assert await world.work(Job.SETTLE) == 1
    assert world.chain.earned == 1_000_000
    assert [message["text"] for message in (await world.get_sms(rented)).json()] == ["code 1234"]


@pytest.mark.parametrize("is_settling", [True, False], ids=["unknown", "settled"])
async def test_a_payment_on_its_way_or_made_cannot_be_cancelled(world: World, *, is_settling: bool) -> None:
    rented = await world.rent()
    world.facilitator.fault = Fault.IS_SILENT if is_settling else None
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)
    refused = await world.cancel(rented)
    assert refused.status_code == 409
    assert refused.json()["code"] == ("settlement_in_flight" if is_settling else "already_received")


async def test_the_number_of_a_cancelled_rental_is_given_back_as_soon_as_the_host_allows_it(
    world: World, host: Host
) -> None:
    young, old = await world.rent(), await world.rent()
    await world.cancel(young)
    assert await world.due_in_ms(Job.CLOSE) == 120_000
    world.clock.pass_by(119)
    await world.cancel(old)
    assert await world.work(Job.CLOSE) == 0
    world.clock.pass_by(1)
    assert await world.work(Job.CLOSE) == 2
    assert host.closed == {"a1", "a2"}


async def test_a_cancel_waits_five_seconds_for_work_under_way_and_no_longer(
    world: World, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cancel.TAKE_WITHIN_S == 5.0
    monkeypatch.setattr(cancel, "TAKE_WITHIN_S", 0.01)
    rented = await world.rent()
    await leased(world, rented.id)
    response = await world.cancel(rented)
    assert (response.status_code, response.json()["code"]) == (503, "retry_same_payment")
    assert response.json()["detail"] == "the rental is being worked on; try again"
    assert host.asked == []
