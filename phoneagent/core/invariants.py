"""What must hold of every record and of every step between two: the promises of ARCHITECTURE §1 as pure functions.

Tests, the simulation and `audit` call them; they must never repair anything, only say what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from phoneagent.core.errors import IllegalTransition
from phoneagent.core.events import LedgerEntry, LedgerKind
from phoneagent.core.hold import HoldState
from phoneagent.core.order import NUMBERED_ORDER_STATES, OrderState
from phoneagent.core.rental import MessageState, Product, Rental, RentalState, due_times, wants_abandon
from phoneagent.core.transitions import check_moves


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: its number (I1 to I9), where, and what is wrong."""

    promise: str
    rental_id: str
    detail: str


def of_record(rental: Rental) -> list[Violation]:
    """Return what is wrong with one record by itself."""
    return [Violation(promise, rental.id, detail) for promise, detail in _record_faults(rental)]


def of_step(before: Rental, after: Rental) -> list[Violation]:
    """Return what is wrong with a step: forbidden moves, a lost SMS, a changed bargain."""
    return [Violation(promise, after.id, detail) for promise, detail in _step_faults(before, after)]


def of_ledger(rental: Rental, entries: Iterable[LedgerEntry]) -> list[Violation]:
    """Return what is wrong between a record and its ledger entries: one sale exactly when it is settled."""
    sales = [entry for entry in entries if entry.kind is LedgerKind.SALE]
    wanted = 1 if rental.state is RentalState.SETTLED else 0
    if len(sales) == wanted and all(sale.amount_atomic == rental.price_atomic for sale in sales):
        return []
    return [Violation("I1", rental.id, f"{len(sales)} sales on the ledger of a rental that is {rental.state}")]


def _record_faults(rental: Rental) -> Iterator[tuple[str, str]]:
    yield from _payment_faults(rental)
    yield from _message_faults(rental)
    yield from _order_faults(rental)
    if not rental.is_final and not due_times(rental) and not wants_abandon(rental):
        yield "I9", f"live ({rental.state}) but never due"
    if rental.is_final and rental.order is not None and not rental.order.is_final and not due_times(rental):
        yield "I4", f"order {rental.order.state} has no due time"


def _payment_faults(rental: Rental) -> Iterator[tuple[str, str]]:
    hold = rental.hold
    if rental.state is RentalState.CREATED and hold is not None:
        yield "I6", "a hold before verification"
    if rental.state in {RentalState.PAID, RentalState.ACTIVE} and (hold is None or not hold.is_open):
        yield "I6", f"{rental.state} without an open hold"
    is_settled = hold is not None and hold.state is HoldState.SETTLED
    if is_settled != (rental.state is RentalState.SETTLED):
        yield "I1", f"rental {rental.state} with hold {hold and hold.state}"
    if hold is not None and is_settled and not (hold.tx_hash and hold.block is not None):
        yield "I1", "settled without a proof"
    if is_settled and rental.product is Product.RENT and not rental.messages and not rental.is_retired:
        yield "I2", "settled without an SMS"
    if hold is not None and hold.was_sent and rental.product is Product.RENT and not _has_sms(rental):
        yield "I2", "a settle call was sent without an SMS"
    if rental.claim_is_free and not rental.is_final:
        yield "I3", "the claim of a live rental is free"
    if rental.claim_is_free and rental.was_sent and not rental.is_retired:
        yield "I3", "the claim of a sent authorization is free"


def _has_sms(rental: Rental) -> bool:
    return bool(rental.messages) or rental.is_retired


def _message_faults(rental: Rental) -> Iterator[tuple[str, str]]:
    for message in rental.messages:
        if message.state is MessageState.REVEALED and rental.state is not RentalState.SETTLED:
            yield "I1", f"an SMS is revealed while the rental is {rental.state}"
        if message.state is MessageState.SEALED and rental.is_final:
            yield "I5", "a sealed SMS on a final rental"
        if (message.state is MessageState.WRITTEN_OFF) != (message.reason is not None):
            yield "I5", "an SMS is written off without a reason"


def _order_faults(rental: Rental) -> Iterator[tuple[str, str]]:
    order = rental.order
    if rental.state is RentalState.ACTIVE and (
        order is None or order.state not in {OrderState.BOUGHT, OrderState.CODED}
    ):
        yield "I4", f"active with order {order and order.state}"
    if order is None:
        return
    if order.state in NUMBERED_ORDER_STATES and order.activation_id is None:
        yield "I4", f"order {order.state} without an activation"
    if order.is_final and order.evidence is None:
        yield "I4", f"order {order.state} without evidence"
    if rental.claim_is_free and not rental.is_retired and order.state is not OrderState.NONE:
        yield "I3", f"the claim is free though the order is {order.state}"
    if order.state is OrderState.BOUGHT and rental.messages:
        yield "I5", "an SMS is stored but the order does not know"


def _step_faults(before: Rental, after: Rental) -> Iterator[tuple[str, str]]:
    try:
        check_moves(before, after)
    except IllegalTransition as fault:
        yield "I9", fault.detail
    if (before.payment, before.fingerprint, before.price_atomic) != (
        after.payment,
        after.fingerprint,
        after.price_atomic,
    ):
        yield "I3", "the bargain changed"
    if len(after.messages) < len(before.messages) and not after.is_retired:
        yield "I5", "an SMS was lost"
    if before.expires_at_ms is not None and after.expires_at_ms != before.expires_at_ms and _keeps_order(before):
        yield "I2", "the window moved"


def _keeps_order(rental: Rental) -> bool:
    return rental.order is not None and rental.order.state is not OrderState.NONE
