"""What the world may do to a rental next: each verb with the guard under which a service would use it.

Both state machines (core's and the store's walk) draw from this list; it must never touch anything but its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from phoneagent.core import transitions as verb
from phoneagent.core.order import UNDECIDED_ORDER_STATES, OrderState
from phoneagent.core.rental import Message, Product, Rental, RentalState, wants_abandon
from phoneagent.core.transitions import Activation, Change
from tests.core.stories import PURCHASE_TIMEOUT, TX, sms


@dataclass(frozen=True)
class Turn:
    """What is drawn for one step: the time, a delay until the next look, a choice and whose fault a failure is."""

    now_ms: int
    delay_ms: int
    choice: int
    is_payers_fault: bool = False

    @property
    def later_ms(self) -> int:
        return self.now_ms + self.delay_ms


@dataclass(frozen=True)
class Move:
    """One verb as a service uses it."""

    name: str
    may: Callable[[Rental, Turn], bool]
    make: Callable[[Rental, Turn], Change]


def _order_is(*states: OrderState) -> Callable[[Rental, Turn], bool]:
    return lambda rental, _: rental.order is not None and rental.order.state in states


def _final_with(*states: OrderState) -> Callable[[Rental, Turn], bool]:
    return lambda rental, turn: rental.is_final and _order_is(*states)(rental, turn)


def _was_sent_and_lives(rental: Rental, _: Turn) -> bool:
    return rental.was_sent and not rental.is_final


def _waits(rental: Rental, _: Turn) -> bool:
    return rental.state is RentalState.ACTIVE and not rental.messages


def _may_intend(rental: Rental, turn: Turn) -> bool:
    is_paid = rental.product is Product.RENT and rental.state is RentalState.PAID
    lasts = turn.now_ms + 12 * 60_000 < rental.settle_until_ms
    return is_paid and lasts and (rental.order is None or _order_is(OrderState.NONE)(rental, turn))


def _may_send(rental: Rental, turn: Turn) -> bool:
    if rental.is_final or turn.now_ms > rental.settle_until_ms:
        return False
    is_inline = rental.product is Product.COUNTRIES and rental.state is RentalState.PAID
    return is_inline or bool(rental.sealed())


def _may_miss(rental: Rental, turn: Turn) -> bool:
    return bool(rental.sealed()) and not rental.was_sent and turn.now_ms >= rental.settle_until_ms


def _may_expire(rental: Rental, turn: Turn) -> bool:
    if rental.state is not RentalState.ACTIVE or rental.was_sent or rental.expires_at_ms is None:
        return False
    answered = not rental.messages and turn.now_ms >= rental.expires_at_ms
    return answered or turn.now_ms >= rental.settle_until_ms


def _may_retire(rental: Rental, turn: Turn) -> bool:
    is_done = rental.is_final and (rental.order is None or rental.order.is_final) and not rental.is_retired
    return is_done and turn.now_ms >= rental.settle_until_ms


def _activation(rental: Rental, turn: Turn) -> Activation:
    return Activation(f"a-{rental.id[-6:]}", "14155550123", (None, 220_000)[turn.choice % 2])


def _shown(turn: Turn) -> list[Message]:
    return [sms(f"Your code is {number}", at_ms=turn.now_ms) for number in range(turn.choice % 3 + 1)]


def _rejected(rental: Rental, turn: Turn) -> Change:
    return verb.rejected(
        rental, "authorization_cancelled", 40 + turn.choice, turn.now_ms, payer_is_to_blame=turn.is_payers_fault
    )


def _undecided(rental: Rental, turn: Turn) -> Change:
    tx_hash = (None, TX)[turn.choice % 2]
    return verb.settle_undecided(rental, "timeout", turn.later_ms, tx_hash=tx_hash, payer_at_fault=turn.is_payers_fault)


def _ended(state: OrderState) -> Callable[[Rental, Turn], Change]:
    return lambda rental, turn: verb.order_ended(rental, state, "proof", turn.now_ms)


_S = OrderState
_UNDECIDED = _order_is(*UNDECIDED_ORDER_STATES)

MOVES = (
    Move("verified", lambda r, _: r.state is RentalState.CREATED, lambda r, t: verb.verified(r, t.now_ms)),
    Move(
        "released unbought",
        lambda r, _: wants_abandon(r),
        lambda r, t: verb.released_unbought(r, "no_inventory", "", t.now_ms),
    ),
    Move("intended", _may_intend, lambda r, t: verb.intended(r, "smsfast", PURCHASE_TIMEOUT, t.now_ms)),
    Move(
        "attached",
        _order_is(*UNDECIDED_ORDER_STATES, _S.SUSPECT),
        lambda r, t: verb.attached(r, _activation(r, t), t.now_ms),
    ),
    Move("not bought", _UNDECIDED, lambda r, _: verb.not_bought(r, "not listed")),
    Move(
        "purchase refused",
        _order_is(_S.INTENT),
        lambda r, t: verb.purchase_refused(r, "NO_NUMBERS", "no_inventory", "", t.now_ms),
    ),
    Move("purchase unknown", _UNDECIDED, lambda r, _: verb.purchase_unknown(r)),
    Move("purchase suspect", _UNDECIDED, lambda r, t: verb.purchase_suspect(r, t.later_ms, t.now_ms)),
    Move("polled in vain", _waits, lambda r, t: verb.poll_again(r, t.later_ms)),
    Move(
        "SMS",
        _order_is(_S.BOUGHT, _S.CODED, _S.CANCELLING),
        lambda r, t: verb.sms_seen(r, _shown(t), t.now_ms),
    ),
    Move("settle sent", _may_send, lambda r, t: verb.settle_sent(r, t.later_ms, t.now_ms)),
    Move("settle undecided", _was_sent_and_lives, _undecided),
    Move("settle missed", _may_miss, lambda r, _: verb.settle_missed(r)),
    Move("settled", _was_sent_and_lives, lambda r, t: verb.settled(r, TX, 40 + t.choice, t.now_ms)),
    Move("rejected", _was_sent_and_lives, _rejected),
    Move("expired", _may_expire, lambda r, t: verb.expired(r, t.later_ms, t.now_ms)),
    Move("cancelled by client", _waits, lambda r, t: verb.cancelled_by_client(r, t.later_ms, t.now_ms)),
    Move("closed by provider", _waits, lambda r, t: verb.closed_by_provider(r, "STATUS_CANCEL", t.now_ms)),
    Move("close later", _final_with(_S.BOUGHT, _S.CANCELLING, _S.CODED), lambda r, t: verb.close_later(r, t.later_ms)),
    Move("cancelling", _final_with(_S.BOUGHT), lambda r, t: verb.cancelling(r, t.later_ms)),
    Move("cancelled upstream", _final_with(_S.CANCELLING), _ended(_S.CANCELLED)),
    Move("finished upstream", _final_with(_S.CODED), _ended(_S.FINISHED)),
    Move("refunded upstream", _final_with(_S.SUSPECT, _S.BOUGHT), _ended(_S.REFUNDED)),
    Move("never made upstream", _final_with(_S.SUSPECT), _ended(_S.NONE)),
    Move("lost upstream", _final_with(_S.SUSPECT), _ended(_S.LOSS)),
    Move("retired", _may_retire, lambda r, _: verb.retired(r)),
)

_BY_NAME = {move.name: move for move in MOVES}

PATHS: Mapping[str, Sequence[Move]] = {
    name: [_BY_NAME[step] for step in path.split("/")]
    for name, path in {
        "paid": "verified/intended/attached/SMS/settle sent/settle undecided/settled/finished upstream",
        "rejected": "verified/intended/attached/SMS/settle sent/settle undecided/rejected",
        "given up": "verified/intended/attached/cancelled by client/SMS",
        "closed": "verified/intended/attached/closed by provider",
        "proven none": "verified/intended/purchase unknown/not bought/intended/attached",
        "suspect": "verified/intended/purchase unknown/purchase suspect/attached/cancelling",
        "lost": "verified/intended/purchase suspect/lost upstream",
        "silent": "verified/intended/attached/polled in vain/expired/cancelled upstream",
    }.items()
}
"""Chance alone seldom gets far: a run may begin some steps down one of these paths."""


def possible(rental: Rental, turn: Turn) -> list[Move]:
    """The moves whose guard lets them through now; empty only for a rental that is over and forgotten."""
    return [move for move in MOVES if move.may(rental, turn)]
