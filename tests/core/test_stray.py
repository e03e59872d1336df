"""What a rental has to do with an activation it once claimed, and what a stray's end means for the books."""

from dataclasses import replace

import pytest

from phoneagent.core.events import LedgerKind
from phoneagent.core.order import FINAL_ORDER_STATES, UNDECIDED_ORDER_STATES, Order, OrderState
from phoneagent.core.stray import Stray, StrayEnd, Tie, books_of, tie
from phoneagent.core.transitions import Activation
from tests.core.stories import ACTIVATION, NOW, STORIES

OPEN = {*UNDECIDED_ORDER_STATES, OrderState.SUSPECT}


@pytest.mark.parametrize("state", sorted(OPEN | FINAL_ORDER_STATES))
def test_an_order_without_a_number_may_still_take_one_until_it_is_final(state: OrderState) -> None:
    rental = replace(STORIES["intended"], order=Order(state, "smsfast", NOW))

    assert tie(rental, "7") is (Tie.PENDING if state in OPEN else Tie.NONE)


@pytest.mark.parametrize("story", ["active", "cancelling", "finished", "cancelled"])
def test_an_order_keeps_its_number_and_takes_no_second(story: str) -> None:
    assert tie(STORIES[story], ACTIVATION.activation_id) is Tie.ATTACHED
    assert tie(STORIES[story], "another") is Tie.NONE


def test_a_rental_that_is_gone_or_never_bought_has_no_tie() -> None:
    assert tie(None, "7") is Tie.NONE
    assert tie(STORIES["paid"], "7") is Tie.NONE


@pytest.mark.parametrize(
    ("end", "kinds", "total"),
    [
        (StrayEnd.CANCELLED, [LedgerKind.NUMBER_COST, LedgerKind.NUMBER_REFUND], 0),
        (StrayEnd.LOST, [LedgerKind.NUMBER_COST, LedgerKind.LOSS], -250_000),
        (StrayEnd.REPORTED, [], 0),
    ],
)
def test_the_books_say_what_a_stray_has_cost(end: StrayEnd, kinds: list[LedgerKind], total: int) -> None:
    books = books_of(Stray(Activation("7", "44", 250_000), "", "", is_ours=True), end, NOW)

    assert [entry.kind for entry in books] == kinds
    assert sum(entry.amount_atomic for entry in books) == total
    assert {entry.reference for entry in books} <= {"7"}
