"""Every order comes to a proven end, however its purchase went and whatever became of its rental (I4)."""

import asyncio
import contextlib

import pytest

from phoneagent.core.hold import HoldState
from phoneagent.core.order import OrderState
from phoneagent.core.ports import CancelHasCode, CancelTooEarly, Closed, PurchaseUnknown, Waiting
from phoneagent.core.rental import Job, MessageState, RentalState
from phoneagent.core.transitions import Activation
from phoneagent.services.close import Close
from tests.services.driver import Host, events, leased, ledger, rental_ids
from tests.web.harness import OTHER_KEY, PAYER_KEY, Rented, World

LOOK_S = 50
"""An intent is looked at 30 s after the purchase timeout (20 s here)."""

REFUND_S = 1500
LOST = Activation("lost", "14155559999", 250_000)


async def _dead_purchase(world: World) -> tuple[str, str]:
    """A rental whose request died while the host was being asked for a number: its id and the payment."""
    payment = await world.sign()
    request = await world.begin_rent(payment)
    request.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await request
    world.provider.gate.set()
    (rental_id,) = await rental_ids(world)
    return rental_id, payment


async def _unanswered(world: World, host: Host, key: str = PAYER_KEY) -> tuple[str, str]:
    """A rental whose purchase was never answered: its id and the payment."""
    payment = await world.sign(key=key)
    host.next_answer = PurchaseUnknown("timeout")
    await world.post_rent(payment)
    host.next_answer = None
    return (await rental_ids(world))[-1], payment


async def _order(world: World, rental_id: str) -> OrderState:
    order = (await world.record(rental_id)).order
    assert order is not None
    return order.state


async def _cancelled(world: World) -> Rented:
    """A rental that its client has just given back: its number is still to be cancelled."""
    rented = await world.rent()
    assert (await world.cancel(rented)).status_code == 200
    return rented


async def test_an_intent_is_left_alone_while_its_purchase_may_be_under_way(world: World) -> None:
    rental_id, _ = await _dead_purchase(world)
    world.clock.pass_by(LOOK_S - 1)
    assert await world.work(Job.CLOSE) == 0
    assert await _order(world, rental_id) is OrderState.INTENT


async def test_an_intent_that_nobody_can_look_up_becomes_suspect_and_sets_the_client_free(
    world: World, host: Host
) -> None:
    rental_id, payment = await _dead_purchase(world)
    world.clock.pass_by(LOOK_S)
    assert await world.work(Job.CLOSE) == 1

    record = await world.record(rental_id)
    assert (record.state, record.release_code) == (RentalState.RELEASED, "resign")
    assert record.hold is not None
    assert record.hold.state is HoldState.VOIDED
    assert await _order(world, rental_id) is OrderState.SUSPECT
    again = await world.post_rent(payment)
    assert (again.status_code, again.json()["code"]) == (402, "resign")
    assert len(host.purchases) == 1


async def test_a_request_that_died_between_slot_claim_and_attach_is_carried_to_its_number(
    world: World, host: Host
) -> None:
    rental_id, payment = await _dead_purchase(world)
    await world.engine.activations.claim("smsfast", LOST, rental_id)
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)

    record = await world.record(rental_id)
    assert record.state is RentalState.ACTIVE
    again = await world.post_rent(payment)
    assert (again.status_code, again.json()["phone_number"]) == (200, LOST.number)
    assert len(host.purchases) == 1
    assert await ledger(world, rental_id) == [("number_cost", -250_000, "lost")]


async def test_a_number_that_was_bought_without_an_answer_is_adopted(world: World, host: Host) -> None:
    host.list_activations()
    host.loses_reply = True
    started_s = world.now_s
    payment = await world.sign()
    assert (await world.post_rent(payment)).status_code == 503
    (rental_id,) = await rental_ids(world)
    assert await _order(world, rental_id) is OrderState.UNKNOWN

    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)

    again = await world.post_rent(payment)
    assert (again.status_code, again.json()["phone_number"]) == (200, "14155550001")
    record = await world.record(rental_id)
    assert record.expires_at_ms == (started_s + 600) * 1000  # the window counts from the intent
    assert len(host.purchases) == 1


async def test_a_purchase_absent_from_a_complete_list_never_was_and_a_living_client_buys_anew(
    world: World, host: Host
) -> None:
    host.list_activations()
    rental_id, payment = await _unanswered(world, host)
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)

    record = await world.record(rental_id)
    assert (record.state, record.order and record.order.state) == (RentalState.PAID, OrderState.NONE)
    assert record.order is not None
    assert record.order.evidence == "absent from the provider's list"

    again = await world.post_rent(payment)
    assert (again.status_code, again.json()["rental_id"]) == (200, rental_id)
    assert len(host.purchases) == 2
    assert len(host.bought) == 1


async def test_a_purchase_that_never_was_is_not_repeated_for_a_client_that_is_gone(world: World, host: Host) -> None:
    host.list_activations()
    rental_id, _ = await _unanswered(world, host)
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)
    world.clock.pass_by(60)
    await world.work()

    record = await world.record(rental_id)
    assert (record.state, record.claim_is_free) == (RentalState.RELEASED, True)
    assert len(host.purchases) == 1


async def test_an_activation_is_adopted_by_one_rental_only(world: World, host: Host) -> None:
    host.list_activations()
    first, _ = await _unanswered(world, host, PAYER_KEY)
    second, _ = await _unanswered(world, host, OTHER_KEY)
    host.bought.append(LOST)
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)

    states = [await _order(world, rental_id) for rental_id in (first, second)]
    assert sorted(states) == [OrderState.BOUGHT, OrderState.NONE]


async def test_a_list_that_cannot_be_read_proves_nothing(world: World, host: Host) -> None:
    host.list_activations()
    host.refuses_to_list = True
    rental_id, _ = await _unanswered(world, host)
    world.clock.pass_by(LOOK_S)
    await world.work(Job.CLOSE)
    assert await _order(world, rental_id) is OrderState.UNKNOWN
    assert await world.due_in_ms(Job.CLOSE) == 10_000


async def test_a_suspect_order_is_watched_to_the_end_of_the_refund_window_and_then_refunded(
    world: World, host: Host
) -> None:
    rental_id, _ = await _unanswered(world, host)
    for second in range(10, REFUND_S, 60):
        world.clock.at_ms = (await world.record(rental_id)).created_at_ms + second * 1000
        assert await world.work(Job.CLOSE) == 1
    assert await _order(world, rental_id) is OrderState.SUSPECT
    assert (
        await world.engine.rentals.lease_due(Job.CLOSE, 0)
    ).next_in_ms == 50_000  # not a minute: the window ends before

    world.clock.pass_by(50)
    await world.work(Job.CLOSE)
    record = await world.record(rental_id)
    assert record.order is not None
    assert (record.order.state, record.order.evidence) == (OrderState.REFUNDED, "refund window over")
    assert await ledger(world, rental_id) == []  # no cost was ever booked
    assert host.asked == []


async def test_a_number_found_after_its_rental_was_given_up_is_taken_in_and_given_back(
    world: World, host: Host
) -> None:
    rental_id, payment = await _unanswered(world, host)
    await world.engine.activations.claim("smsfast", LOST, rental_id)
    host.on_cancel = [CancelTooEarly(7_000)]

    world.clock.pass_by(10)
    await world.work(Job.CLOSE)  # attached, and at once on its way back
    assert await _order(world, rental_id) is OrderState.CANCELLING
    assert host.closing_calls() == []
    assert await world.due_in_ms(Job.CLOSE) == 120_000  # the host's early-cancel clock

    world.clock.pass_by(120)
    await world.work(Job.CLOSE)
    assert await world.due_in_ms(Job.CLOSE) == 7_000
    world.clock.pass_by(7)
    await world.work(Job.CLOSE)

    assert host.closing_calls() == [("cancel", "lost"), ("cancel", "lost")]
    assert await _order(world, rental_id) is OrderState.CANCELLED
    assert await ledger(world, rental_id) == [("number_cost", -250_000, "lost"), ("number_refund", 250_000, "lost")]
    assert await events(world, rental_id) == ["created", "paid", "released"]
    again = await world.post_rent(payment)
    assert (again.status_code, again.json()["code"]) == (402, "resign")


@pytest.mark.parametrize("reason", ["after_cancel", "too_late"])
async def test_an_sms_that_comes_before_the_cancel_is_written_off_and_its_number_finished(
    world: World, host: Host, reason: str
) -> None:
    if reason == "after_cancel":
        rented = await _cancelled(world)
    else:
        rented = await world.rent()
        world.clock.pass_by(600)
        await world.work(Job.POLL)
    host.receive(rented.number, "too late for you")
    host.on_cancel = [CancelHasCode("ACCESS_CANCEL_DENIED")]
    world.clock.pass_by(120)
    await world.work(Job.CLOSE)

    record = await world.record(rented.id)
    (message,) = record.messages
    assert (message.state, message.reason) == (MessageState.WRITTEN_OFF, reason)
    assert record.order is not None
    assert (record.order.state, record.order.evidence) == (OrderState.FINISHED, "ACCESS_ACTIVATION")
    assert host.closing_calls() == [("cancel", "a1"), ("finish", "a1")]
    assert await ledger(world, rented.id) == [("number_cost", -250_000, "a1"), ("write_off", 0, reason)]
    assert (await world.get_sms(rented)).json() == []
    assert world.facilitator.settled == []


async def test_a_cancel_refused_for_a_code_on_a_number_that_is_closed_is_a_refund(world: World, host: Host) -> None:
    rented = await _cancelled(world)
    host.on_cancel, host.on_status = [CancelHasCode("BAD_STATUS")], [Closed("STATUS_CANCEL")]
    world.clock.pass_by(120)
    await world.work(Job.CLOSE)
    record = await world.record(rented.id)
    assert record.order is not None
    assert (record.order.state, record.order.evidence) == (OrderState.CANCELLED, "STATUS_CANCEL")
    assert await ledger(world, rented.id) == [("number_cost", -250_000, "a1"), ("number_refund", 250_000, "a1")]


async def test_a_cancel_refused_for_a_code_that_is_not_shown_yet_is_asked_again(world: World, host: Host) -> None:
    rented = await _cancelled(world)
    host.on_cancel, host.on_status = [CancelHasCode("BAD_STATUS")], [Waiting()]
    world.clock.pass_by(120)
    await world.work(Job.CLOSE)
    assert await _order(world, rented.id) is OrderState.CANCELLING
    assert await world.due_in_ms(Job.CLOSE) == 10_000
    world.clock.pass_by(10)
    await world.work(Job.CLOSE)
    assert await _order(world, rented.id) is OrderState.CANCELLED


async def test_a_provider_that_is_away_only_delays_the_end(world: World, host: Host) -> None:
    rented = await _cancelled(world)
    host.is_down = True
    world.clock.pass_by(120)
    await world.work(Job.CLOSE)
    assert await _order(world, rented.id) is OrderState.CANCELLING
    assert await world.due_in_ms(Job.CLOSE) == 10_000
    host.is_down = False
    world.clock.pass_by(10)
    await world.work(Job.CLOSE)
    assert await _order(world, rented.id) is OrderState.CANCELLED


async def test_a_paid_number_is_finished_once(world: World, host: Host) -> None:
    rented = await world.settled()
    await world.work(Job.CLOSE)
    world.clock.pass_by(3600)
    await world.work(Job.CLOSE)
    record = await world.record(rented.id)
    assert record.order is not None
    assert (record.order.state, record.order.evidence) == (OrderState.FINISHED, "ACCESS_ACTIVATION")
    assert host.closing_calls() == [("finish", "a1")]
    assert [kind for kind, _, _ in await ledger(world, rented.id)] == ["number_cost", "sale"]


@pytest.mark.parametrize("is_over", [True, False], ids=["ended", "alive"])
async def test_a_job_that_comes_when_there_is_nothing_to_close_touches_nothing(
    world: World, host: Host, *, is_over: bool
) -> None:
    rented = await world.settled() if is_over else await world.rent()
    await world.work(Job.CLOSE)
    before, asked = await world.record(rented.id), list(host.asked)
    engine = world.engine
    close = Close(engine.rentals, engine.activations, engine.providers, engine.clock)
    await close(await leased(world, rented.id))
    assert await world.record(rented.id) == before
    assert host.asked == asked
