"""The rental record: one product, its hold, its order and its messages, and the times at which it wants attention.

It is a value. Verbs that change it stand in `transitions`; what must hold between its parts stands in `invariants`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from phoneagent.core.catalog import Mode
from phoneagent.core.hold import Hold, HoldState
from phoneagent.core.order import UNDECIDED_ORDER_STATES, Order, OrderState
from phoneagent.core.payment import Payment

SMS_TEXT_MOST_CHARS = 2_000
"""An SMS is untrusted text of at most this many characters; the rest is cut (ARCHITECTURE §4.16)."""

RETENTION_MS = 72 * 3_600_000
"""How long SMS bodies and numbers stay readable after the end (providers.md §6.1), unless the operator says so."""

ABANDON_AFTER_MS = 60_000
"""A rental nobody works on before a number was asked for is released after this long, on the store's raw clock."""


class Product(StrEnum):
    """What a claim buys."""

    RENT = "rent"
    COUNTRIES = "countries"


class RentalState(StrEnum):
    """The public word for where a rental stands."""

    CREATED = "created"
    PAID = "paid"
    ACTIVE = "active"
    SETTLED = "settled"
    EXPIRED = "expired"
    RELEASED = "released"


_S = RentalState

RENTAL_MOVES: Mapping[Product, frozenset[tuple[RentalState, RentalState]]] = {
    Product.RENT: frozenset(
        {
            (_S.CREATED, _S.PAID),
            (_S.CREATED, _S.RELEASED),
            (_S.PAID, _S.ACTIVE),
            (_S.PAID, _S.RELEASED),
            (_S.ACTIVE, _S.SETTLED),
            (_S.ACTIVE, _S.EXPIRED),
            (_S.ACTIVE, _S.RELEASED),
        }
    ),
    Product.COUNTRIES: frozenset(
        {
            (_S.CREATED, _S.PAID),
            (_S.CREATED, _S.RELEASED),
            (_S.PAID, _S.SETTLED),
            (_S.PAID, _S.RELEASED),
        }
    ),
}

FINAL_RENTAL_STATES = frozenset({_S.SETTLED, _S.EXPIRED, _S.RELEASED})


class MessageState(StrEnum):
    """Whether an SMS may be read."""

    SEALED = "sealed"
    REVEALED = "revealed"
    WRITTEN_OFF = "written_off"


@dataclass(frozen=True, slots=True)
class Message:
    """One SMS. ``sender`` is empty when the provider does not tell it; ``reason`` says why it was written off."""

    text: str
    sender: str
    received_at_ms: int
    state: MessageState
    reason: str | None = None

    def is_same_sms(self, other: Message) -> bool:
        """Tell whether the provider shows the same SMS again."""
        return self.text == other.text and self.sender == other.sender


@dataclass(frozen=True, slots=True)
class RentRequest:
    """A validated /rent body: canonical codes, whole minutes."""

    country: str
    service: str
    duration_minutes: int
    webhook_url: str | None = None

    @property
    def duration_ms(self) -> int:
        """How long to wait for an SMS."""
        return self.duration_minutes * 60_000


class Job(StrEnum):
    """The kinds of due work, in the order in which a rental's overdue jobs run (ARCHITECTURE §2)."""

    ABANDON = "abandon"
    POLL = "poll"
    SETTLE = "settle"
    EXPIRE = "expire"
    CLOSE = "close"
    RETAIN = "retain"


@dataclass(frozen=True, slots=True)
class Rental:
    """Everything known about one claimed payment and what it buys. All times are unix ms of the store's clock.

    ``rev`` counts commits; ``claim_block`` is the chain block of the balance reading, from which logs are searched.
    ``claim_is_free`` says that the authorization was never used and may be presented again for anything.
    ``caller`` stands for the address that sent the claiming request, without telling it; None when there was none.
    """

    id: str
    product: Product
    state: RentalState
    fingerprint: str
    payment: Payment
    price_atomic: int
    created_at_ms: int
    claim_block: int
    request: RentRequest | None = None
    mode: Mode | None = None
    caller: str | None = None
    rev: int = 0
    expires_at_ms: int | None = None
    hold: Hold | None = None
    order: Order | None = None
    messages: tuple[Message, ...] = ()
    release_code: str | None = None
    release_detail: str | None = None
    claim_is_free: bool = False
    poll_at_ms: int | None = None
    settle_at_ms: int | None = None
    close_at_ms: int | None = None
    ended_at_ms: int | None = None
    is_retired: bool = False

    @property
    def is_final(self) -> bool:
        """Tell whether the rental's public state can no longer change (its order may still have due work)."""
        return self.state in FINAL_RENTAL_STATES

    @property
    def is_open(self) -> bool:
        """Tell whether the payment counts against the payer's balance and caps (I6)."""
        return not self.is_final and (self.hold is None or self.hold.is_open)

    @property
    def was_sent(self) -> bool:
        """Tell whether the authorization may be public: a settle call was at least intended."""
        return self.hold is not None and self.hold.was_sent

    @property
    def is_undecided(self) -> bool:
        """Tell whether the request that made it has no answer yet."""
        return self.state in {RentalState.CREATED, RentalState.PAID}

    @property
    def settle_until_ms(self) -> int:
        """The last moment at which a settle call may be sent."""
        return self.payment.authorization.settle_until_ms

    def sealed(self) -> tuple[Message, ...]:
        """Return the messages that wait for the payment."""
        return tuple(message for message in self.messages if message.state is MessageState.SEALED)

    def revealed(self) -> tuple[Message, ...]:
        """Return the messages that may be read."""
        return tuple(message for message in self.messages if message.state is MessageState.REVEALED)


class Outcome(StrEnum):
    """What the end of a rental says of those who asked for it."""

    DELIVERED = "d"
    SILENT = "s"


def outcome(rental: Rental) -> Outcome | None:
    """Return what a rental's end says of its payer and caller, None when it says nothing.

    Silent is one whose number was held without an SMS, or given back by its client. What a provider closed, what was
    never bought, and an SMS that we failed to settle are not their doing.
    """
    if rental.product is not Product.RENT or rental.order is None:
        return None
    if rental.state is RentalState.SETTLED:
        return Outcome.DELIVERED
    was_given_back = rental.state is RentalState.RELEASED and rental.order.state is OrderState.CANCELLING
    is_over = rental.state is RentalState.EXPIRED or was_given_back
    return Outcome.SILENT if is_over and not rental.messages else None


LEAST_WAIT_MS = 60_000
"""Who gives a number back sooner has not waited for its SMS: that says nothing of the provider. Our choice."""


def delivery(before: Rental, after: Rental) -> bool | None:
    """Return whether a rental that ends here had an SMS, None when it says nothing of its provider."""
    order = after.order
    if before.is_final or not after.is_final or order is None or order.bought_at_ms is None:
        return None
    if after.messages:
        return True
    was_given_back = after.state is RentalState.RELEASED and order.state is OrderState.CANCELLING
    waited_ms = (after.ended_at_ms or 0) - order.bought_at_ms
    return None if was_given_back and waited_ms < LEAST_WAIT_MS else False


def due_times(rental: Rental, retention_ms: int = RETENTION_MS) -> dict[Job, int]:
    """Return when each kind of work on this rental is due, in unix ms. Live and unfinished records have at least one.

    The abandon timer is not here: it runs on the store's raw clock and the store arms it for `wants_abandon`.
    """
    times: dict[Job, int] = {}
    if _wants_poll(rental) and rental.poll_at_ms is not None:
        times[Job.POLL] = rental.poll_at_ms
    if _wants_settle(rental) and rental.settle_at_ms is not None:
        times[Job.SETTLE] = rental.settle_at_ms
    if rental.state is RentalState.ACTIVE and not rental.was_sent:
        times[Job.EXPIRE] = rental.settle_until_ms
    if _wants_close(rental) and rental.close_at_ms is not None:
        times[Job.CLOSE] = rental.close_at_ms
    if _may_retire(rental) and rental.ended_at_ms is not None:
        claim_ends = (rental.payment.authorization.valid_before + 600) * 1000
        times[Job.RETAIN] = max(rental.ended_at_ms + retention_ms, claim_ends)
    return times


def wants_abandon(rental: Rental) -> bool:
    """Tell whether an absent client must lead to a release: nothing was bought and nothing may have been."""
    bought_nothing = rental.order is None or rental.order.state is OrderState.NONE
    return rental.is_undecided and bought_nothing and not rental.was_sent


def _wants_poll(rental: Rental) -> bool:
    waits = rental.state is RentalState.ACTIVE and not rental.messages
    return waits and rental.order is not None and rental.order.state is OrderState.BOUGHT


def _wants_settle(rental: Rental) -> bool:
    hold = rental.hold
    if hold is None or rental.is_final:
        return False
    return hold.was_sent or (hold.state is HoldState.HELD and bool(rental.sealed()))


def _wants_close(rental: Rental) -> bool:
    order = rental.order
    if order is None or order.is_final:
        return False
    return rental.is_final or order.state in UNDECIDED_ORDER_STATES


def _may_retire(rental: Rental) -> bool:
    order_is_done = rental.order is None or rental.order.is_final
    return rental.is_final and order_is_done and not rental.is_retired
