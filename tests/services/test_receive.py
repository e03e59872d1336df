"""Asking for the SMS: how often, what counts as an answer, and what the last answer of the window decides (I5)."""

import pytest

from phoneagent.core.order import OrderState
from phoneagent.core.ports import Closed, Waiting
from phoneagent.core.rental import Job, Rental, RentalState
from phoneagent.services.receive import PollPace, Receive
from tests.services.driver import Host, events, leased, ledger
from tests.web.harness import Rented, World

WINDOW_S = 600


async def _poll(world: World, rented: Rented, after_s: float = 0) -> Rental:
    world.clock.pass_by(after_s)
    assert await world.work(Job.POLL) == 1
    return await world.record(rented.id)


@pytest.mark.parametrize(
    ("age_s", "next_ms"),
    [(0, 2_000), (89.9, 2_000), (90, 5_000), (590, 5_000), (597, 3_000), (599.5, 500)],
    ids=["at once", "still young", "older", "old", "the window ends before", "at the very end"],
)
async def test_a_number_is_asked_about_often_while_it_is_young_and_always_at_the_end_of_its_window(
    world: World, age_s: float, next_ms: int
) -> None:
    await _poll(world, await world.rent(), age_s)
    assert await world.due_in_ms(Job.POLL) == next_ms


async def test_a_question_at_the_end_of_the_window_ends_the_rental(world: World, host: Host) -> None:
    rented = await world.rent()
    record = await _poll(world, rented, WINDOW_S)
    assert record.state is RentalState.EXPIRED
    assert record.order is not None
    assert record.order.state is OrderState.CANCELLING
    assert (
        await world.engine.rentals.lease_due(Job.CLOSE, 0)
    ).next_in_ms == 0  # the early-cancel clock has run long ago
    assert host.asked == [("status", "a1")]
    assert await events(world, rented.id) == ["created", "paid", "active", "expired"]


async def test_a_question_asked_before_the_end_decides_nothing_though_it_is_answered_after_it(
    world: World, host: Host
) -> None:
    rented = await world.rent()
    host.while_asked = lambda: world.clock.pass_by(5)
    record = await _poll(world, rented, WINDOW_S - 1)
    assert record.state is RentalState.ACTIVE
    host.while_asked = lambda: None
    assert (await _poll(world, rented, 5)).state is RentalState.EXPIRED


async def test_what_the_last_answer_shows_is_in_time(world: World, host: Host) -> None:
    rented = await world.rent()
    world.clock.pass_by(WINDOW_S + 3)
    host.receive(rented.number, "just in time 4711")
    await world.work(Job.POLL, Job.SETTLE)
    assert [message["text"] for message in (await world.get_sms(rented)).json()] == ["just in time 4711"]
    assert world.chain.earned == 1_000_000


async def test_a_fault_is_no_answer_and_keeps_the_rental_alive_past_its_window(world: World, host: Host) -> None:
    rented = await world.rent()
    host.is_down = True
    record = await _poll(world, rented, WINDOW_S)
    assert record.state is RentalState.ACTIVE
    assert await world.due_in_ms(Job.POLL) == 5_000
    host.is_down = False
    host.receive(rented.number, "came meanwhile")
    assert (await _poll(world, rented, 5)).sealed()[0].text == "came meanwhile"


async def test_a_number_closed_upstream_releases_the_rental_and_books_the_refund(world: World, host: Host) -> None:
    rented = await world.rent()
    host.on_status = [Waiting(), Closed("STATUS_CANCEL")]
    await _poll(world, rented)
    record = await _poll(world, rented, 2)
    assert (record.state, record.release_code) == (RentalState.RELEASED, "already_ended")
    assert record.order is not None
    assert (record.order.state, record.order.evidence) == (OrderState.REFUNDED, "STATUS_CANCEL")
    assert await ledger(world, rented.id) == [("number_cost", -250_000, "a1"), ("number_refund", 250_000, "a1")]
    assert host.closing_calls() == []
    again = await world.post_rent(rented.payment)
    assert (again.status_code, again.json()["phone_number"]) == (200, rented.number)  # it was active once (I8)


async def test_a_number_closed_upstream_after_the_window_is_an_ordinary_expiry(world: World, host: Host) -> None:
    rented = await world.rent()
    host.on_status = [Closed("STATUS_CANCEL")]
    record = await _poll(world, rented, WINDOW_S)
    assert (record.state, record.release_code) == (RentalState.EXPIRED, None)
    assert await world.due_in_ms(Job.CLOSE) is None


async def test_a_question_that_comes_after_the_sms_or_after_the_end_is_not_asked(world: World, host: Host) -> None:
    engine = world.engine
    receive = Receive(engine.rentals, engine.providers, engine.clock, PollPace())
    waiting, ended = await world.rent(), await world.rent()
    await world.cancel(ended)
    host.receive(waiting.number, "here")
    world.clock.pass_by(3)
    await world.work(Job.POLL)
    before = len(host.asked)
    for rented in (waiting, ended):
        await receive(await leased(world, rented.id))
    assert len(host.asked) == before
