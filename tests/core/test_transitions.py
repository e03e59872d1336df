"""Every arrow of ARCHITECTURE §2 leads where it should and leaves exactly what it should behind."""

import pytest

from phoneagent.core import transitions as verb
from phoneagent.core.errors import IllegalTransition
from phoneagent.core.hold import HOLD_MOVES
from phoneagent.core.invariants import of_record, of_step
from phoneagent.core.order import ORDER_MOVES, OrderState
from phoneagent.core.rental import RENTAL_MOVES, Product, Rental, due_times
from phoneagent.core.transitions import Activation
from tests.core.arrows import (
    ARROWS,
    COUNTRIES_ARROWS,
    HOLD_ARROWS,
    INTENT_TO_SUSPECT,
    ORDER_ARROWS,
    RENT_ARROWS,
    Arrow,
    Pairs,
)
from tests.core.stories import BLOCK, EXPIRES, LOOK_AT, MINUTE, NOW, STORIES, TX

each_arrow = pytest.mark.parametrize("arrow", ARROWS.values(), ids=ARROWS)


def states(rental: Rental) -> tuple[str, str | None, str | None]:
    hold = rental.hold.state.value if rental.hold else None
    order = rental.order.state.value if rental.order else None
    return rental.state.value, hold, order


def steps(product: Product, part: int) -> Pairs:
    """The arrows of one part (0 rental, 1 hold, 2 order) that the examples of a product follow."""
    taken = [(states(STORIES[arrow.story]), arrow) for arrow in ARROWS.values()]
    pairs = [(before[part], arrow.leads_to[part]) for before, arrow in taken if _is_of(arrow, product)]
    return frozenset((old, new) for old, new in pairs if old is not None and new is not None and old != new)


def _is_of(arrow: Arrow, product: Product) -> bool:
    return STORIES[arrow.story].product is product


@each_arrow
def test_an_arrow_leads_to_its_states(arrow: Arrow) -> None:
    change = arrow.act(STORIES[arrow.story])

    assert states(change.rental) == arrow.leads_to
    assert change.rental.ended_at_ms == arrow.ended_at_ms
    assert change.rental.claim_is_free is arrow.claim_is_free
    assert tuple(message.state.value for message in change.rental.messages) == arrow.messages


@each_arrow
def test_an_arrow_leaves_its_events_and_ledger_entries_and_no_others(arrow: Arrow) -> None:
    change = arrow.act(STORIES[arrow.story])

    assert tuple(event.type.value for event in change.events) == arrow.events
    assert tuple((entry.kind.value, entry.amount_atomic) for entry in change.ledger) == arrow.ledger
    assert change.blocked_for == arrow.blocked_for
    assert all(entry.reference for entry in change.ledger)


@each_arrow
def test_an_arrow_sets_when_the_rental_is_due_next(arrow: Arrow) -> None:
    change = arrow.act(STORIES[arrow.story])

    assert {job.value: at for job, at in due_times(change.rental).items()} == arrow.due


@each_arrow
def test_an_arrow_keeps_every_promise(arrow: Arrow) -> None:
    before = STORIES[arrow.story]

    after = arrow.act(before).rental

    assert of_record(after) + of_step(before, after) == []


def test_the_examples_cover_every_arrow_of_the_specification() -> None:
    assert steps(Product.RENT, 0) == RENT_ARROWS
    assert steps(Product.COUNTRIES, 0) == COUNTRIES_ARROWS
    assert steps(Product.RENT, 1) == HOLD_ARROWS
    # A purchase the provider closes late is an arrow from bought; `none` may be intended again (ARCHITECTURE §2).
    assert steps(Product.RENT, 2) - {("none", "intent")} == ORDER_ARROWS | {INTENT_TO_SUSPECT}


def test_the_tables_are_those_of_the_specification() -> None:
    assert RENTAL_MOVES[Product.RENT] == RENT_ARROWS
    assert RENTAL_MOVES[Product.COUNTRIES] == COUNTRIES_ARROWS
    assert HOLD_MOVES == HOLD_ARROWS
    assert ORDER_MOVES == ORDER_ARROWS


def test_the_window_counts_from_the_intent_also_for_an_adopted_order() -> None:
    adopted = verb.attached(STORIES["unknown"], Activation("7", "44", None), LOOK_AT).rental

    assert adopted.expires_at_ms == EXPIRES


def test_a_second_intent_opens_a_new_window() -> None:
    again = verb.intended(STORIES["none"], "smsfast", 0, NOW + MINUTE).rental

    assert again.expires_at_ms == EXPIRES + MINUTE
    assert again.order is not None
    assert again.order.evidence is None


def test_an_activation_is_kept_with_its_number_and_cost() -> None:
    order = STORIES["active"].order

    assert order is not None
    assert (order.activation_id, order.number, order.cost_atomic) == ("635468024", "14155550123", 220_000)
    assert order.bought_at_ms == NOW


def test_a_cost_the_provider_does_not_tell_is_booked_as_zero() -> None:
    change = verb.attached(STORIES["intended"], Activation("7", "44", None), NOW)

    assert [entry.amount_atomic for entry in change.ledger] == [0]
    assert change.rental.order is not None
    assert change.rental.order.cost_atomic is None


def test_the_first_settle_call_dates_the_moment_the_authorization_became_public() -> None:
    first = verb.settle_sent(STORIES["coded"], NOW + 5_000, NOW).rental
    second = verb.settle_sent(first, NOW + 9_000, NOW + 5_000).rental

    assert second.hold is not None
    assert (second.hold.attempts, second.hold.sent_at_ms) == (2, NOW)
    assert second.was_sent
    assert not STORIES["coded"].was_sent


def test_an_undecided_settlement_keeps_the_last_hash_and_counts_whose_fault_it_was() -> None:
    hinted = verb.settle_undecided(STORIES["settling"], "pending", NOW, tx_hash=TX).rental
    blamed = verb.settle_undecided(hinted, "insufficient_funds", NOW, payer_at_fault=True).rental

    assert blamed.hold is not None
    assert (blamed.hold.tx_hash, blamed.hold.payer_at_fault) == (TX, 1)
    assert blamed.hold.reason == "insufficient_funds"


def test_the_proof_replaces_the_hint() -> None:
    hinted = verb.settle_undecided(STORIES["settling"], "pending", NOW, tx_hash="0x00").rental

    change = verb.settled(hinted, TX, BLOCK + 5, NOW)

    assert change.rental.hold is not None
    assert (change.rental.hold.tx_hash, change.rental.hold.block, change.rental.hold.reason) == (TX, BLOCK + 5, None)
    assert change.ledger[0].reference == TX
    assert change.events[0].data == {"tx_hash": TX}


def test_a_rejection_blocks_only_a_payer_who_caused_it() -> None:
    change = verb.rejected(STORIES["settling"], "authorization_expired", BLOCK, NOW, payer_is_to_blame=False)

    assert change.blocked_for is None
    assert change.rental.release_code == "resign"
    assert change.events[0].data == {"reason": "authorization_expired"}
    assert change.rental.messages[0].reason == "authorization_expired"


def test_a_refused_verification_says_why() -> None:
    rental = STORIES["refused"]

    assert (rental.release_code, rental.release_detail) == ("verification_refused", "no")


def test_asking_again_moves_only_the_time() -> None:
    polled = verb.poll_again(STORIES["active"], NOW + 5_000)
    closed = verb.close_later(STORIES["cancelling"], NOW + 5_000)

    assert (polled.rental.poll_at_ms, closed.rental.close_at_ms) == (NOW + 5_000, NOW + 5_000)
    assert polled.events + closed.events + polled.ledger + closed.ledger == ()


def test_retirement_forgets_the_sms_and_the_number_and_frees_the_claim() -> None:
    rental = verb.retired(STORIES["finished"]).rental

    assert rental.order is not None
    assert (rental.messages, rental.order.number) == ((), None)
    assert rental.is_retired
    assert rental.claim_is_free
    assert due_times(rental) == {}


def test_retirement_of_a_rental_without_order_forgets_nothing_else() -> None:
    rental = verb.retired(STORIES["countries_settled"]).rental

    assert rental.order is None
    assert rental.hold == STORIES["countries_settled"].hold


@pytest.mark.parametrize("state", [OrderState.INTENT, OrderState.UNKNOWN, OrderState.BOUGHT, OrderState.CODED])
def test_an_order_does_not_end_in_a_state_that_is_no_end(state: OrderState) -> None:
    with pytest.raises(IllegalTransition):
        verb.order_ended(STORIES["cancelling"], state, "proof", NOW)
