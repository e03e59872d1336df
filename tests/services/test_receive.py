"""Asking for the SMS: how often, what counts as an answer, and what the last answer of the window decides (I5)."""

from dataclasses import replace

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.order import OrderState
from phoneagent.core.ports import Closed, Waiting, hint_topic
from phoneagent.core.rental import Job, Rental, RentalState
from phoneagent.core.transitions import Change
from phoneagent.services.receive import PollPace, Receive
from tests.services.driver import HookedRentals, Host, events, joined, leased, ledger
from tests.web.harness import Rented, World

WINDOW_S = 600


async def _poll(world: World, rented: Rented, after_s: float = 0) -> Rental:
    world.clock.pass_by(after_s)
    assert await world.work(Job.POLL) == 1
    return await world.record(rented.id)


@pytest.mark.parametrize(
    ("age_s", "next_ms"),
    [(0, 4_000), (89.9, 4_000), (90, 8_000), (590, 8_000), (597, 3_000), (599.5, 500)],
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
    record = await _poll(world, rented, 4)
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
    receive = Receive(engine.rentals, engine.providers, engine.clock, PollPace(), engine.wakeups)
    waiting, ended = await world.rent(), await world.rent()
    await world.cancel(ended)
    host.receive(waiting.number, "here")
    world.clock.pass_by(3)
    await world.work(Job.POLL)
    before = len(host.asked)
    for rented in (waiting, ended):
        await receive(await leased(world, rented.id))
    assert len(host.asked) == before


# ---- many with one question ------------------------------------------------------------------------------------------


def _bulk(host: Host) -> None:
    host.traits = replace(host.traits, can_ask_in_bulk=True)


async def _all_of(world: World, *rented: Rented, calls: int = 10, live: int = 1) -> None:
    engine = world.engine
    receive = Receive(engine.rentals, engine.providers, engine.clock, PollPace(), engine.wakeups)
    batch = [await leased(world, one.id) for one in rented]
    await receive.all_of(batch, world.provider, calls, live)


async def test_one_question_answers_for_many_and_each_answer_is_stored(world: World, host: Host) -> None:
    _bulk(host)
    rented = [await world.rent() for _ in range(3)]
    host.receive(rented[1].number, "the second 4711")
    await _all_of(world, *rented)
    assert host.asked == [("statuses", "a1", "a2", "a3")]
    assert [len((await world.record(one.id)).messages) for one in rented] == [0, 1, 0]
    assert await world.due_in_ms(Job.POLL) == 4_000
    assert await world.due_in_ms(Job.SETTLE) == 0


async def test_what_a_list_shows_is_stored_before_anything_else_is_asked(world: World, host: Host) -> None:
    """I5: an answer that would be lost with this process is written first, whatever else there is to do."""
    _bulk(host)
    rented = [await world.rent() for _ in range(3)]
    host.receive(rented[2].number, "shown by the list")
    host.unlisted = {"a1"}
    stored_at_question: list[int] = []
    sms_stored: list[str] = []

    async def note(_before: Rental, change: Change) -> None:
        if change.rental.messages:
            sms_stored.append(change.rental.id)

    host.while_asked = lambda: stored_at_question.append(len(sms_stored))
    other = joined(world, rentals=HookedRentals(world.engine.rentals, after=note))
    await _all_of(other, *rented)
    assert host.asked[-1] == ("status", "a1")
    assert stored_at_question == [1]


async def test_what_a_list_does_not_show_is_asked_for_singly_before_it_counts_as_over(world: World, host: Host) -> None:
    _bulk(host)
    gone, hidden, shown = [await world.rent() for _ in range(3)]
    host.unlisted = {"a1", "a2"}
    host.closed = {"a1"}
    host.receive(hidden.number, "not in the list")
    await _all_of(world, gone, hidden, shown)
    assert [call[0] for call in host.asked] == ["statuses", "status", "status"]
    assert (await world.record(gone.id)).state is RentalState.RELEASED
    assert (await world.record(hidden.id)).messages[0].text == "not in the list"
    assert (await world.record(shown.id)).state is RentalState.ACTIVE


async def test_more_than_the_budget_has_room_for_stays_due_and_free(world: World, host: Host) -> None:
    _bulk(host)
    rented = [await world.rent() for _ in range(4)]
    host.unlisted = {"a1", "a2", "a3", "a4"}
    await _all_of(world, *rented, calls=3)
    assert [call[0] for call in host.asked] == ["statuses", "status", "status"]
    assert await world.due_in_ms(Job.POLL) == 0
    assert len((await world.engine.rentals.lease_due(Job.POLL, 9)).leased) == 2


async def test_a_list_that_takes_more_calls_than_it_answers_is_not_asked_for(world: World, host: Host) -> None:
    _bulk(host)
    rented = [await world.rent() for _ in range(2)]
    await _all_of(world, *rented, live=150)
    assert host.asked == [("status", "a1"), ("status", "a2")]


async def test_a_list_that_cannot_be_read_is_no_answer(world: World, host: Host) -> None:
    _bulk(host)
    rented = [await world.rent() for _ in range(2)]
    host.is_down = True
    world.clock.pass_by(WINDOW_S)
    await _all_of(world, *rented)
    assert {(await world.record(one.id)).state for one in rented} == {RentalState.ACTIVE}
    assert await world.due_in_ms(Job.POLL) == 5_000


async def test_a_list_read_at_the_end_of_the_window_ends_the_rental(world: World, host: Host) -> None:
    _bulk(host)
    rented = [await world.rent() for _ in range(2)]
    world.clock.pass_by(WINDOW_S)
    host.receive(rented[0].number, "just in time")
    await _all_of(world, *rented)
    assert (await world.record(rented[0].id)).sealed()[0].text == "just in time"
    assert (await world.record(rented[1].id)).state is RentalState.EXPIRED


async def test_one_write_that_fails_takes_no_other_along(world: World, host: Host) -> None:
    _bulk(host)
    rented = [await world.rent() for _ in range(3)]
    for one in rented:
        host.receive(one.number, f"for {one.id}")

    async def fail(before: Rental, _change: Change) -> None:
        if before.id == rented[0].id:
            raise Unavailable("store_unavailable")

    other = joined(world, rentals=HookedRentals(world.engine.rentals, before=fail))
    with pytest.raises(Unavailable):
        await _all_of(other, *rented)
    assert [len((await world.record(one.id)).messages) for one in rented] == [0, 1, 1]


async def test_a_hint_that_comes_while_the_question_is_under_way_leads_to_another(world: World, host: Host) -> None:
    rented = await world.rent()
    host.while_asked = lambda: world.wakeups.ring(hint_topic(rented.id))
    (due,) = (await world.engine.rentals.lease_due(Job.POLL, 1)).leased
    await world._handlers()[Job.POLL](due)
    assert await world.due_in_ms(Job.POLL) == 0


async def test_a_young_number_is_asked_about_more_often_while_somebody_waits(world: World) -> None:
    rented = await world.rent()
    await world.engine.rentals.attend(rented.id, 25_000, 2_000)
    await _poll(world, rented)
    assert await world.due_in_ms(Job.POLL) == 2_000
    world.clock.pass_by(90)
    await world.engine.rentals.attend(rented.id, 25_000, 2_000)
    await _poll(world, rented)
    assert await world.due_in_ms(Job.POLL) == 4_000


async def test_a_host_that_pushes_hints_is_asked_less_often(world: World) -> None:
    engine = world.engine
    rented = await world.rent()
    receive = Receive(engine.rentals, engine.providers, engine.clock, PollPace(), engine.wakeups, pushing={"smsfast"})
    await receive(await leased(world, rented.id))
    assert await world.due_in_ms(Job.POLL) == 12_000
