"""Every legal change of a rental, as pure functions from a record and a fact to the next record and its traces.

Each returns a Change that the store commits in one script (I9). None may skip the move tables: `_change` checks them.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum

from phoneagent.core.errors import IllegalTransition
from phoneagent.core.events import Event, EventType, LedgerEntry, LedgerKind
from phoneagent.core.hold import HOLD_MOVES, SENT_HOLD_STATES, Hold, HoldState
from phoneagent.core.order import (
    ADOPTION_MARGIN_MS,
    FINAL_ORDER_STATES,
    ORDER_MOVES,
    UNDECIDED_ORDER_STATES,
    Order,
    OrderState,
)
from phoneagent.core.rental import RENTAL_MOVES, Job, Message, MessageState, Product, Rental, RentalState, due_times

LATE = "too_late"
AFTER_CANCEL = "after_cancel"

EARLIER_KEPT = 10
"""A rental may be sent again and again while everybody is sold out; the last refusals say enough."""


@dataclass(frozen=True, slots=True)
class Change:
    """The next record and everything that must be written with it; ``blocked_for`` blocks the payer with a reason."""

    rental: Rental
    events: tuple[Event, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    blocked_for: str | None = None


@dataclass(frozen=True, slots=True)
class Activation:
    """A number the provider handed out: its id there, E.164 digits without '+', and its cost in micro-USD if told."""

    activation_id: str
    number: str
    cost_atomic: int | None


def joined(first: Change, second: Change) -> Change:
    """Two changes, one after the other with nothing done between them, as one that is written whole or not at all."""
    return replace(
        second,
        events=first.events + second.events,
        ledger=first.ledger + second.ledger,
        blocked_for=second.blocked_for or first.blocked_for,
    )


def verified(rental: Rental, now_ms: int) -> Change:
    """The facilitator accepted the payment: it is held."""
    if rental.state is not RentalState.CREATED:
        msg = f"{rental.id}: no verification in {rental.state}"
        raise IllegalTransition(msg)
    paid = replace(rental, state=RentalState.PAID, hold=Hold(HoldState.HELD))
    return _change(rental, paid, Event(EventType.PAID, now_ms))


def released_unbought(rental: Rental, code: str, detail: str, now_ms: int) -> Change:
    """Nothing was bought and nothing can have been: the authorization is free again."""
    order = rental.order
    if order is not None and order.state is not OrderState.NONE:
        msg = f"{rental.id}: an order in {order.state} does not free its claim"
        raise IllegalTransition(msg)
    return _released(rental, code, detail, now_ms, claim_is_free=True)


def intended(rental: Rental, provider: str, purchase_timeout_ms: int, now_ms: int) -> Change:
    """A purchase is about to be sent. ``expires_at`` counts from here, also for an order that is adopted later."""
    if rental.state is not RentalState.PAID or rental.request is None:
        msg = f"{rental.id}: no purchase from {rental.state}"
        raise IllegalTransition(msg)
    if rental.order is not None and rental.order.state is not OrderState.NONE:
        msg = f"{rental.id}: a purchase was already intended"
        raise IllegalTransition(msg)
    record = replace(
        rental,
        order=Order(OrderState.INTENT, provider, now_ms, earlier=_earlier(rental.order)),
        expires_at_ms=now_ms + rental.request.duration_ms,
        close_at_ms=now_ms + purchase_timeout_ms + ADOPTION_MARGIN_MS,
    )
    return _change(rental, record)


def _earlier(order: Order | None) -> tuple[str, ...]:
    if order is None:
        return ()
    return (*order.earlier, f"{order.provider}: {order.evidence}")[-EARLIER_KEPT:]


def attached(rental: Rental, activation: Activation, now_ms: int) -> Change:
    """The number is ours. On a rental that has ended meanwhile it is only taken in to be cancelled."""
    order = _order(rental)
    if order.state not in {*UNDECIDED_ORDER_STATES, OrderState.SUSPECT}:
        msg = f"{rental.id}: an order in {order.state} takes no number"
        raise IllegalTransition(msg)
    bought = replace(
        order,
        state=OrderState.BOUGHT,
        activation_id=activation.activation_id,
        number=activation.number,
        cost_atomic=activation.cost_atomic,
        bought_at_ms=now_ms,
    )
    cost = LedgerEntry(LedgerKind.NUMBER_COST, -(activation.cost_atomic or 0), now_ms, activation.activation_id)
    if rental.is_final:
        return _change(rental, replace(rental, order=bought, close_at_ms=now_ms), ledger=(cost,))
    record = replace(rental, state=RentalState.ACTIVE, order=bought, poll_at_ms=now_ms, close_at_ms=None)
    return _change(rental, record, Event(EventType.ACTIVE, now_ms), ledger=(cost,))


def not_bought(rental: Rental, evidence: str) -> Change:
    """The provider proved that it sold us nothing."""
    order = replace(_order(rental), state=OrderState.NONE, evidence=evidence)
    return _change(rental, replace(rental, order=order, close_at_ms=None))


def purchase_refused(rental: Rental, evidence: str, code: str, detail: str, now_ms: int) -> Change:
    """The provider definitely refused the purchase: the order never was, and the rental ends unused."""
    gone = not_bought(rental, evidence)
    return joined(gone, released_unbought(gone.rental, code, detail, now_ms))


def purchase_unknown(rental: Rental) -> Change:
    """The purchase may have gone through; somebody will ask the provider later."""
    order = replace(_order(rental), state=OrderState.UNKNOWN)
    return _change(rental, replace(rental, order=order))


def purchase_suspect(rental: Rental, look_at_ms: int, now_ms: int) -> Change:
    """The provider cannot list activations: give the rental up at once, watch the order through the refund window."""
    order = replace(_order(rental), state=OrderState.SUSPECT)
    record = replace(rental, order=order, close_at_ms=look_at_ms)
    detail = "the number could not be bought; this payment was not used"
    return _released(record, "resign", detail, now_ms, claim_is_free=False, before=rental)


def poll_again(rental: Rental, at_ms: int) -> Change:
    """Nothing yet, or no understood answer: ask again."""
    return _change(rental, replace(rental, poll_at_ms=at_ms))


def sms_seen(rental: Rental, shown: Iterable[Message], now_ms: int) -> Change:
    """The provider shows SMS: store them before anything else happens (I5) and ask for the money.

    ``shown`` is everything the provider shows. Messages already stored are not stored twice. What happens to a new one
    follows from the hold: open → sealed, settled → revealed at once, rejected or voided → written off.
    """
    new = tuple(_placed(rental, message) for message in _unknown_of(rental, shown))
    if not new:
        return _change(rental, rental)
    order = _order(rental)
    coded = order if order.state is OrderState.CODED else replace(order, state=OrderState.CODED)
    sealed = any(message.state is MessageState.SEALED for message in new)
    record = replace(
        rental,
        order=coded,
        messages=rental.messages + new,
        poll_at_ms=None,
        settle_at_ms=now_ms if sealed and rental.settle_at_ms is None else rental.settle_at_ms,
        close_at_ms=now_ms if rental.is_final else rental.close_at_ms,
    )
    losses = tuple(
        LedgerEntry(LedgerKind.WRITE_OFF, 0, now_ms, message.reason or LATE)
        for message in new
        if message.state is MessageState.WRITTEN_OFF
    )
    return _change(rental, record, Event(EventType.SMS_RECEIVED, now_ms), ledger=losses)


def settle_sent(rental: Rental, retry_at_ms: int, now_ms: int) -> Change:
    """A settle call is about to leave the house: from here on the authorization is public."""
    hold = _hold(rental)
    if rental.product is Product.RENT and not rental.sealed():
        msg = f"{rental.id}: nothing to be paid for"
        raise IllegalTransition(msg)
    sending = replace(
        hold,
        state=HoldState.SETTLING,
        attempts=hold.attempts + 1,
        sent_at_ms=now_ms if hold.sent_at_ms is None else hold.sent_at_ms,
    )
    return _change(rental, replace(rental, hold=sending, settle_at_ms=retry_at_ms))


def settle_undecided(
    rental: Rental, reason: str, retry_at_ms: int, *, tx_hash: str | None = None, payer_at_fault: bool = False
) -> Change:
    """Neither paid nor proven dead: unknown, to be asked again (I7)."""
    hold = _hold(rental)
    unknown = replace(
        hold,
        state=HoldState.UNKNOWN,
        reason=reason,
        tx_hash=tx_hash or hold.tx_hash,
        payer_at_fault=hold.payer_at_fault + int(payer_at_fault),
    )
    return _change(rental, replace(rental, hold=unknown, settle_at_ms=retry_at_ms))


def settle_missed(rental: Rental) -> Change:
    """It is too late to send the first settle call: the rental's hard end is due now and writes the SMS off."""
    if rental.was_sent or not rental.sealed():
        msg = f"{rental.id}: no first settle call to miss"
        raise IllegalTransition(msg)
    return _change(rental, replace(rental, settle_at_ms=None))


def settled(rental: Rental, tx_hash: str, block: int, now_ms: int) -> Change:
    """The chain shows our transfer: reveal what was sealed, book the sale, finish the order."""
    hold = replace(_hold(rental), state=HoldState.SETTLED, tx_hash=tx_hash, block=block, reason=None)
    record = replace(
        rental,
        state=RentalState.SETTLED,
        hold=hold,
        messages=tuple(_opened(message) for message in rental.messages),
        settle_at_ms=None,
        close_at_ms=now_ms,
        ended_at_ms=now_ms,
    )
    sale = LedgerEntry(LedgerKind.SALE, rental.price_atomic, now_ms, tx_hash)
    return _change(rental, record, Event(EventType.SETTLED, now_ms, {"tx_hash": tx_hash}), ledger=(sale,))


def rejected(rental: Rental, reason: str, block: int, now_ms: int, *, payer_is_to_blame: bool) -> Change:
    """The chain proves that this authorization will never pay us: write the message off, end the rental."""
    hold = replace(_hold(rental), state=HoldState.REJECTED, reason=reason, block=block)
    record = replace(
        rental,
        state=RentalState.RELEASED,
        hold=hold,
        messages=tuple(_written_off(message, reason) for message in rental.messages),
        release_code="resign",
        release_detail=f"the payment could not be settled: {reason}",
        settle_at_ms=None,
        close_at_ms=now_ms,
        ended_at_ms=now_ms,
    )
    lost = LedgerEntry(LedgerKind.WRITE_OFF, 0, now_ms, reason)
    return _change(
        rental,
        record,
        Event(EventType.RELEASED, now_ms, {"reason": reason}),
        ledger=(lost,) if rental.messages else (),
        blocked_for=reason if payer_is_to_blame else None,
    )


def expired(rental: Rental, cancel_at_ms: int, now_ms: int) -> Change:
    """The window is over and no settle call was ever sent: the hold is void, the number goes back."""
    record = replace(
        _voided(rental),
        state=RentalState.EXPIRED,
        order=_to_cancelling(rental),
        messages=tuple(_written_off(message, LATE) for message in rental.messages),
        poll_at_ms=None,
        settle_at_ms=None,
        close_at_ms=cancel_at_ms,
        ended_at_ms=now_ms,
    )
    losses = tuple(LedgerEntry(LedgerKind.WRITE_OFF, 0, now_ms, LATE) for _ in rental.sealed())
    return _change(rental, record, Event(EventType.EXPIRED, now_ms), ledger=losses)


def cancelled_by_client(rental: Rental, cancel_at_ms: int, now_ms: int) -> Change:
    """The client gives the number back before any SMS: released at once, the upstream cancel follows its own clock."""
    if rental.state is not RentalState.ACTIVE or rental.messages:
        msg = f"{rental.id}: no cancel in {rental.state} with {len(rental.messages)} SMS"
        raise IllegalTransition(msg)
    record = replace(rental, order=_to_cancelling(rental), poll_at_ms=None, close_at_ms=cancel_at_ms)
    return _released(record, "already_ended", "cancelled by the client", now_ms, claim_is_free=False, before=rental)


def closed_by_provider(rental: Rental, evidence: str, now_ms: int) -> Change:
    """The provider ended the activation without an SMS and refunds it; past the window that is an ordinary expiry."""
    order = replace(_order(rental), state=OrderState.REFUNDED, evidence=evidence)
    refund = LedgerEntry(LedgerKind.NUMBER_REFUND, order.cost_atomic or 0, now_ms, order.activation_id or evidence)
    record = replace(rental, order=order, poll_at_ms=None, close_at_ms=None)
    if rental.expires_at_ms is not None and now_ms >= rental.expires_at_ms:
        over = replace(_voided(record), state=RentalState.EXPIRED, ended_at_ms=now_ms)
        return _change(rental, over, Event(EventType.EXPIRED, now_ms), ledger=(refund,))
    ended = _released(record, "already_ended", "closed by the provider", now_ms, claim_is_free=False, before=rental)
    return replace(ended, ledger=(refund, *ended.ledger))


def close_later(rental: Rental, at_ms: int) -> Change:
    """The order cannot be closed yet."""
    return _change(rental, replace(rental, close_at_ms=at_ms))


def cancelling(rental: Rental, at_ms: int) -> Change:
    """A number that a finished rental should not have is to be given back."""
    if not rental.is_final:
        msg = f"{rental.id}: the number of a live rental is not given back"
        raise IllegalTransition(msg)
    return _change(rental, replace(rental, order=_to_cancelling(rental), close_at_ms=at_ms))


def order_ended(rental: Rental, state: OrderState, evidence: str, now_ms: int) -> Change:
    """The provider's side is over, with evidence (I4). A refund is booked where a cost was."""
    order = replace(_order(rental), state=state, evidence=evidence)
    if state not in FINAL_ORDER_STATES or _order(rental).is_final or rental.state is RentalState.ACTIVE:
        msg = f"{rental.id}: an order in {_order(rental).state} does not end as {state} while {rental.state}"
        raise IllegalTransition(msg)
    back = state in {OrderState.CANCELLED, OrderState.REFUNDED} and order.activation_id is not None
    refund = LedgerEntry(LedgerKind.NUMBER_REFUND, order.cost_atomic or 0, now_ms, order.activation_id or evidence)
    lost = LedgerEntry(LedgerKind.LOSS, 0, now_ms, evidence)
    ledger = (refund,) if back else (lost,) if state is OrderState.LOSS else ()
    return _change(rental, replace(rental, order=order, close_at_ms=None), ledger=ledger)


def retired(rental: Rental) -> Change:
    """Retention is over: the SMS and the number are forgotten, the ledger stays."""
    if Job.RETAIN not in due_times(rental):
        msg = f"{rental.id}: too early to forget"
        raise IllegalTransition(msg)
    order = rental.order and replace(rental.order, number=None)
    return _change(rental, replace(rental, order=order, messages=(), caller=None, is_retired=True, claim_is_free=True))


def _released(
    rental: Rental, code: str, detail: str, now_ms: int, *, claim_is_free: bool, before: Rental | None = None
) -> Change:
    record = replace(
        _voided(rental),
        state=RentalState.RELEASED,
        release_code=code,
        release_detail=detail,
        claim_is_free=claim_is_free,
        ended_at_ms=now_ms,
    )
    return _change(before or rental, record, Event(EventType.RELEASED, now_ms, {"reason": code}))


def _voided(rental: Rental) -> Rental:
    if rental.is_final:
        msg = f"{rental.id} has ended already"
        raise IllegalTransition(msg)
    hold = rental.hold
    if hold is None:
        return rental
    if hold.state in SENT_HOLD_STATES:
        msg = f"{rental.id}: a hold in {hold.state} cannot be voided"
        raise IllegalTransition(msg)
    return replace(rental, hold=replace(hold, state=HoldState.VOIDED))


def _to_cancelling(rental: Rental) -> Order:
    order = _order(rental)
    return replace(order, state=OrderState.CANCELLING) if order.state is OrderState.BOUGHT else order


def _unknown_of(rental: Rental, shown: Iterable[Message]) -> list[Message]:
    new: list[Message] = []
    for message in shown:
        if not any(message.is_same_sms(known) for known in (*rental.messages, *new)):
            new.append(message)
    return new


def _placed(rental: Rental, message: Message) -> Message:
    hold = rental.hold
    if hold is not None and hold.state is HoldState.SETTLED:
        return replace(message, state=MessageState.REVEALED)
    if hold is not None and hold.is_open:
        return replace(message, state=MessageState.SEALED)
    reason = AFTER_CANCEL if rental.state is RentalState.RELEASED else LATE
    rejected_for = hold.reason if hold is not None and hold.state is HoldState.REJECTED else None
    return replace(message, state=MessageState.WRITTEN_OFF, reason=rejected_for or reason)


def _opened(message: Message) -> Message:
    return replace(message, state=MessageState.REVEALED) if message.state is MessageState.SEALED else message


def _written_off(message: Message, reason: str) -> Message:
    if message.state is not MessageState.SEALED:
        return message
    return replace(message, state=MessageState.WRITTEN_OFF, reason=reason)


def _order(rental: Rental) -> Order:
    if rental.order is None:
        msg = f"{rental.id} has no order"
        raise IllegalTransition(msg)
    return rental.order


def _hold(rental: Rental) -> Hold:
    if rental.hold is None or not rental.hold.is_open:
        msg = f"{rental.id} has no open hold"
        raise IllegalTransition(msg)
    return rental.hold


def _change(
    before: Rental,
    after: Rental,
    *events: Event,
    ledger: tuple[LedgerEntry, ...] = (),
    blocked_for: str | None = None,
) -> Change:
    check_moves(before, after)
    return Change(after, events, ledger, blocked_for)


def check_moves(before: Rental, after: Rental) -> None:
    """Raise IllegalTransition unless rental, hold and order each stay or follow one arrow of their table.

    A hold appears only as `held` and an order only as `intent`, in the place of none or of a proven `none`.
    An order may pass through `unknown` within one change (a purchase that turns suspect at once).
    """
    _check("rental", before.state, after.state, RENTAL_MOVES[before.product])
    if before.hold is None or after.hold is None:
        _check_birth("hold", before.hold, after.hold and after.hold.state, HoldState.HELD)
    else:
        _check("hold", before.hold.state, after.hold.state, HOLD_MOVES)
    if before.order is None or after.order is None or after.order.state is OrderState.INTENT:
        old, new = before.order, after.order
        is_renewed = old is not None and new is not None and old.state is OrderState.NONE
        if old is None or old != new:
            _check_birth("order", None if is_renewed else old, new and new.state, OrderState.INTENT)
    elif (before.order.state, after.order.state) != (OrderState.INTENT, OrderState.SUSPECT):
        _check("order", before.order.state, after.order.state, ORDER_MOVES)


def _check(part: str, old: StrEnum, new: StrEnum, moves: AbstractSet[tuple[StrEnum, StrEnum]]) -> None:
    if old != new and (old, new) not in moves:
        msg = f"{part}: {old} → {new}"
        raise IllegalTransition(msg)


def _check_birth(part: str, old: object | None, new: object | None, first: object) -> None:
    if old is not None or new not in {None, first}:
        msg = f"{part}: none → {new}"
        raise IllegalTransition(msg)
