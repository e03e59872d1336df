"""What ARCHITECTURE §2 does not draw cannot happen: every missing arrow and every verb at the wrong time is refused."""

from dataclasses import replace
from itertools import product

import pytest

from phoneagent.core import transitions as verb
from phoneagent.core.errors import IllegalTransition
from phoneagent.core.hold import Hold, HoldState
from phoneagent.core.invariants import of_record, of_step
from phoneagent.core.order import Order, OrderState
from phoneagent.core.rental import MessageState, Product, Rental, RentalState
from phoneagent.core.transitions import check_moves
from tests.core.arrows import COUNTRIES_ARROWS, HOLD_ARROWS, INTENT_TO_SUSPECT, ORDER_ARROWS, RENT_ARROWS, Pairs
from tests.core.stories import NOW, STORIES
from tests.core.verbs import ALLOWED, VERBS


def missing(states: type[RentalState] | type[HoldState] | type[OrderState], arrows: Pairs) -> list[tuple[str, str]]:
    pairs = product([state.value for state in states], repeat=2)
    return [(old, new) for old, new in pairs if old != new and (old, new) not in arrows]


def in_state(rental: Rental, state: str) -> Rental:
    return replace(rental, state=RentalState(state))


def with_hold(state: str | None) -> Rental:
    return replace(STORIES["active"], hold=Hold(HoldState(state)) if state else None)


def with_order(state: str | None) -> Rental:
    return replace(STORIES["active"], order=Order(OrderState(state), "smsfast", NOW) if state else None)


@pytest.mark.parametrize(("old", "new"), missing(RentalState, RENT_ARROWS))
def test_a_missing_arrow_of_a_rental_is_refused(old: str, new: str) -> None:
    rental = STORIES["active"]

    with pytest.raises(IllegalTransition, match=f"rental: {old} → {new}"):
        check_moves(in_state(rental, old), in_state(rental, new))


@pytest.mark.parametrize(("old", "new"), missing(RentalState, COUNTRIES_ARROWS))
def test_a_missing_arrow_of_an_inline_payment_is_refused(old: str, new: str) -> None:
    rental = STORIES["countries_paid"]
    assert rental.product is Product.COUNTRIES

    with pytest.raises(IllegalTransition):
        check_moves(in_state(rental, old), in_state(rental, new))


@pytest.mark.parametrize(("old", "new"), missing(HoldState, HOLD_ARROWS))
def test_a_missing_arrow_of_a_hold_is_refused(old: str, new: str) -> None:
    with pytest.raises(IllegalTransition, match=f"hold: {old} → {new}"):
        check_moves(with_hold(old), with_hold(new))


@pytest.mark.parametrize(("old", "new"), missing(OrderState, ORDER_ARROWS | {INTENT_TO_SUSPECT, ("none", "intent")}))
def test_a_missing_arrow_of_an_order_is_refused(old: str, new: str) -> None:
    with pytest.raises(IllegalTransition):
        check_moves(with_order(old), with_order(new))


@pytest.mark.parametrize("state", [state.value for state in HoldState])
def test_a_hold_appears_only_as_held_and_never_disappears(state: str) -> None:
    with pytest.raises(IllegalTransition):
        check_moves(with_hold(state), with_hold(None))
    if state == "held":
        check_moves(with_hold(None), with_hold(state))
        return
    with pytest.raises(IllegalTransition):
        check_moves(with_hold(None), with_hold(state))


@pytest.mark.parametrize("state", [state.value for state in OrderState])
def test_an_order_appears_only_as_an_intent_and_never_disappears(state: str) -> None:
    with pytest.raises(IllegalTransition):
        check_moves(with_order(state), with_order(None))
    if state == "intent":
        check_moves(with_order(None), with_order(state))
        return
    with pytest.raises(IllegalTransition):
        check_moves(with_order(None), with_order(state))


def test_a_written_intent_cannot_be_exchanged_for_another() -> None:
    later = replace(STORIES["intended"], order=Order(OrderState.INTENT, "smsfast", NOW + 1))

    with pytest.raises(IllegalTransition):
        check_moves(STORIES["intended"], later)


def wrong_times() -> list[tuple[str, str]]:
    return [(name, story) for name, story in product(VERBS, STORIES) if story not in ALLOWED[name]]


def right_times() -> list[tuple[str, str]]:
    return [(name, story) for name, story in product(VERBS, STORIES) if story in ALLOWED[name]]


@pytest.mark.parametrize(("name", "story"), wrong_times())
def test_a_verb_at_the_wrong_time_is_refused(name: str, story: str) -> None:
    with pytest.raises(IllegalTransition):
        VERBS[name](STORIES[story])


@pytest.mark.parametrize(("name", "story"), right_times())
def test_a_verb_at_the_right_time_keeps_every_promise(name: str, story: str) -> None:
    before = STORIES[story]

    after = VERBS[name](before).rental

    assert of_record(after) + of_step(before, after) == []


def test_every_allowed_story_exists() -> None:
    assert set().union(*ALLOWED.values()) <= set(STORIES)
    assert set(ALLOWED) == set(VERBS)


def test_a_settle_call_is_never_sent_for_messages_that_are_written_off_already() -> None:
    story = STORIES["coded"]
    off = tuple(replace(message, state=MessageState.WRITTEN_OFF, reason="too_late") for message in story.messages)

    with pytest.raises(IllegalTransition, match="nothing to be paid for"):
        verb.settle_sent(replace(story, messages=off), NOW, NOW)


def test_a_hold_that_was_sent_is_never_voided() -> None:
    with pytest.raises(IllegalTransition, match="cannot be voided"):
        verb.expired(STORIES["unsettled"], NOW, NOW)


def test_a_refusal_changes_nothing_because_records_are_values() -> None:
    before = replace(STORIES["settled"])

    with pytest.raises(IllegalTransition):
        verb.settled(STORIES["settled"], "0x00", 1, NOW)

    assert STORIES["settled"] == before
