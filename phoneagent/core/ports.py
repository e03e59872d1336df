"""What the services need from outside, each port a promise: what is atomic, what may repeat, what an outcome means.

Adapters implement these; they translate at their boundary and must never let an exception of their library through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from phoneagent.core.catalog import Catalogue
from phoneagent.core.payment import Payment
from phoneagent.core.rental import Job, Message, Rental
from phoneagent.core.transitions import Activation, Change


class Clock(Protocol):
    """Time as the service sees it (ARCHITECTURE §4.9). Both calls are cheap and never block."""

    def now_ms(self) -> int:
        """Return the store's time in unix ms, in dev moved by the shared offset. May jump forward, never back."""

    def lag_s(self) -> int:
        """Return by how many whole seconds clients' wall time lags behind `now_ms`: the offset in dev, 0 elsewhere."""

    def monotonic_s(self) -> float:
        """Return seconds of this process's own monotonic clock."""


class Ids(Protocol):
    """Randomness."""

    def rental_id(self, slot: str, product_letter: str) -> str:
        """Return a fresh id with at least 96 random bits that names its slot and has no time order."""


# ---- store ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits per payer; ``open_atomic`` bounds the sum of open holds beside the balance."""

    open_holds: int
    open_atomic: int
    claims_per_hour: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act on one rental. ``fence`` grows with each taking: a stale one changes nothing."""

    rental_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class Leased:
    """A rental taken for work, with the store's time at the taking."""

    lease: Lease
    rental: Rental
    now_ms: int


@dataclass(frozen=True, slots=True)
class Sight:
    """What the store knows of a claim and its payer, read in one script.

    ``epoch`` grows whenever a hold of the payer ends; a claim must carry the epoch that was read before its balance.
    """

    now_ms: int
    rental: Rental | None
    epoch: int
    slot: str


@dataclass(frozen=True, slots=True)
class Balance:
    """A payer's balance as read from the chain at ``block``, and the epoch seen before that reading."""

    atomic: int
    block: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """The claim is ours: the rental stands in `created` and we hold its lease."""

    leased: Leased


@dataclass(frozen=True, slots=True)
class AlreadyClaimed:
    """Somebody was faster with the same authorization."""

    rental: Rental


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """A cap or a block stands against the payer; ``code`` is one of core.errors, nothing was written."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class StaleBalance:
    """A hold of the payer ended since the balance was read, or the reading is older than that end: read again."""


ClaimAnswer = Claimed | AlreadyClaimed | ClaimRefused | StaleBalance


class Rentals(Protocol):
    """The memory of rentals and their claims. Every method raises Unavailable when the store does not answer.

    A write that raised may have happened: read again by id before deciding anything.
    """

    async def now_ms(self) -> int:
        """Return the store's time at this moment, for the rare decision that cannot bear a clock's last update."""

    async def look(self, claim_key: str, payer: str) -> Sight:
        """Return the claim's rental, the payer's epoch and the time, in one atomic read."""

    async def claim(self, rental: Rental, balance: Balance, caps: Caps) -> ClaimAnswer:
        """Claim the payment, count it against the payer and create the rental under our lease, or do none of it.

        Atomic (I3, I6). A claim whose rental was released with a free claim counts as absent.
        """

    async def get(self, rental_id: str) -> Rental | None:
        """Return a rental. The id is untrusted input: a malformed one is simply not there."""

    async def take(self, rental_id: str) -> Leased | None:
        """Take the lease of one rental if nobody holds it; None otherwise, also for an unknown rental."""

    async def renew(self, lease: Lease) -> bool:
        """Extend our lease; False when it was taken over."""

    async def drop(self, lease: Lease, written: Rental | None = None) -> None:
        """Give a lease back and wake who waits for it; without effect when it is not ours any more.

        ``written`` is the record as committed under this lease, if it was: jobs that found the rental busy meanwhile
        are due at its own times again. Without it they wait as long as they were put off, so that a failing job
        cannot spin.
        """

    async def commit(self, lease: Lease, before: Rental, change: Change) -> Rental:
        """Write a change and everything that belongs to it in one script (I9); return the record with its new rev.

        Record, payer's exposure and epoch, events, ledger, due times and wake-up are written or none is. Raises
        LeaseLost when the fence is stale or the record is not ``before`` any more.
        """

    async def lease_due(self, job: Job, most: int) -> Sequence[Leased]:
        """Take up to ``most`` rentals whose ``job`` is due, oldest first, each under a fresh lease.

        A rental with an earlier kind of job overdue, or under somebody's lease, is passed over for now.
        """

    async def due_in_ms(self, job: Job) -> int | None:
        """Return how long until the next ``job`` is due (0 when one is), None when there is none."""


class Activations(Protocol):
    """The provider's own index of activations: who owns which. In the provider's slot, outside I9."""

    async def claim(self, provider: str, activation: Activation, rental_id: str) -> str:
        """Claim an activation for a rental unless it is taken; return the owner's rental id. Atomic, repeatable."""

    async def claimed_by(self, provider: str, rental_id: str) -> Activation | None:
        """Return the activation that this rental claimed, attached or not."""


class Catalogues(Protocol):
    """Published catalogues, newest last."""

    async def publish(self, pools: Mapping[tuple[str, str], int]) -> Catalogue:
        """Publish stock as the next catalogue version and wake every process that shows it."""

    async def recent(self) -> Sequence[Catalogue]:
        """Return the catalogues that were current within the price grace, oldest first; empty before the first."""


class Watch(Protocol):
    """One waiter's ear on one topic."""

    async def wait(self, timeout_s: float) -> bool:
        """Return True when something happened since the last wait, False after ``timeout_s``."""


class Wakeups(Protocol):
    """Wake-ups are hints: they may be lost or come twice. Watch first, then read, then wait (ARCHITECTURE §4.10)."""

    def watch(self, topic: str) -> AbstractAsyncContextManager[Watch]:
        """Listen to a topic: a rental id, ``jobs:<kind>`` or ``catalogue``."""


# ---- chain and facilitator -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PayerReading:
    """What one pinned block says about a payment. ``refusal`` is the token's own word on the simulated transfer."""

    block: int
    balance_atomic: int
    is_authorization_used: bool
    payer_has_code: bool
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Paid:
    """A log at the configured depth shows AuthorizationUsed and right behind it our transfer, whoever sent it."""

    tx_hash: str
    block: int


class DeadReason(StrEnum):
    """Why an authorization can never pay us."""

    CANCELLED = "authorization_cancelled"
    USED_ELSEWHERE = "authorization_used_elsewhere"
    EXPIRED = "authorization_expired"


@dataclass(frozen=True, slots=True)
class Dead:
    """Proof that this authorization will never pay us."""

    reason: DeadReason
    block: int


@dataclass(frozen=True, slots=True)
class Undecided:
    """Neither proof exists yet at the configured depth. ``is_used`` tells what the newest block says of the nonce."""

    is_used: bool


SettlementProof = Paid | Dead | Undecided


class Chain(Protocol):
    """Reads of the chain. Every method raises Unavailable("chain_unavailable") when no understood answer comes."""

    async def read_payer(self, payment: Payment) -> PayerReading:
        """Read balance, authorizationState and the simulated transfer, all pinned to one block."""

    async def find_settlement(self, payment: Payment, from_block: int) -> SettlementProof:
        """Look for proof that the payment was settled or never can be, at the configured depth."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The facilitator would settle this payment."""


@dataclass(frozen=True, slots=True)
class VerifyRefused:
    """The facilitator understood the payment and refused it."""

    reason: str


VerifyAnswer = Verified | VerifyRefused


@dataclass(frozen=True, slots=True)
class SettleClaimed:
    """The facilitator says it was settled or is on its way. A claim, not a proof; the hash may be missing."""

    tx_hash: str | None


@dataclass(frozen=True, slots=True)
class SettleDeclined:
    """The facilitator says it did not settle, and why. A claim, not a proof.

    ``payer_at_fault``: the reason names the payer's balance or a transfer the token refuses.
    """

    reason: str
    payer_at_fault: bool


@dataclass(frozen=True, slots=True)
class SettleUnknown:
    """No understood answer: it may have been settled (I7)."""

    reason: str
    tx_hash: str | None = None


SettleAnswer = SettleClaimed | SettleDeclined | SettleUnknown


class Facilitator(Protocol):
    """Who judges and moves payments. Both calls send exactly the payment's canonical bytes and may be repeated."""

    async def verify(self, payment: Payment) -> VerifyAnswer:
        """Judge without moving money. Raises Unavailable("facilitator_unavailable") without an understood verdict."""

    async def settle(self, payment: Payment) -> SettleAnswer:
        """Try to move the money. Never raises for a fault on the way: that is SettleUnknown."""


# ---- provider ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProviderTraits:
    """What a host can do and how long it takes; every duration has its source in providers.md."""

    name: str
    can_list_activations: bool
    early_cancel_ms: int
    refund_window_ms: int
    purchase_timeout_ms: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase: our country and service codes and the most it may cost in micro-USD."""

    country: str
    service: str
    max_cost_atomic: int


@dataclass(frozen=True, slots=True)
class Bought:
    """A number was handed out."""

    activation: Activation


@dataclass(frozen=True, slots=True)
class OutOfStock:
    """Definitely nothing bought: no number, or none below the ceiling. ``raw`` is the provider's own word."""

    raw: str


@dataclass(frozen=True, slots=True)
class PurchaseRefused:
    """Definitely nothing bought: the host refuses us (key, balance, ban, mapping). An operator should look."""

    raw: str


@dataclass(frozen=True, slots=True)
class PurchaseUnknown:
    """No understood answer: a number may have been bought. Never to be repeated blindly."""

    raw: str


PurchaseAnswer = Bought | OutOfStock | PurchaseRefused | PurchaseUnknown


@dataclass(frozen=True, slots=True)
class Waiting:
    """The activation lives and shows no SMS."""


@dataclass(frozen=True, slots=True)
class Received:
    """Everything the activation shows, oldest first. Messages come sealed."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """The activation is over and shows no SMS (cancelled, timed out, or no longer known). ``raw`` is the evidence."""

    raw: str


StatusAnswer = Waiting | Received | Closed


@dataclass(frozen=True, slots=True)
class CancelDone:
    """Cancelled and refunded, now or before. ``raw`` is the evidence."""

    raw: str


@dataclass(frozen=True, slots=True)
class CancelTooEarly:
    """The host refuses for now; ask again after so long."""

    retry_after_ms: int


@dataclass(frozen=True, slots=True)
class CancelHasCode:
    """Refused because an SMS is there (or may be): read the status."""

    raw: str


CancelAnswer = CancelDone | CancelTooEarly | CancelHasCode


class Provider(Protocol):
    """Where numbers come from. Reads and closing calls raise Unavailable("provider_unavailable") on a fault."""

    @property
    def traits(self) -> ProviderTraits:
        """Return what this host can do."""

    async def stock(self) -> Mapping[tuple[str, str], int]:
        """Return numbers in stock by (country, service), our codes, only pairs this host sells at a bearable cost."""

    async def buy(self, purchase: Purchase) -> PurchaseAnswer:
        """Buy one number. Sent at most once; never retried inside; never raises for a fault on the way."""

    async def status(self, activation_id: str) -> StatusAnswer:
        """Ask for SMS. An unknown text is a fault, never "no SMS"."""

    async def cancel(self, activation_id: str) -> CancelAnswer:
        """Give the number back. Repeatable."""

    async def finish(self, activation_id: str) -> str:
        """Close an activation that delivered; return the host's word as evidence. Repeatable."""

    async def find_unclaimed(self, purchase: Purchase, since_ms: int) -> Sequence[Activation]:
        """Return activations of this country and service made since then, where the host can list them."""
