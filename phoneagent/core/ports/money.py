"""Where money is judged, moved and proven: the facilitator's claims, and the chain's logs as the only proof."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from phoneagent.core.payment import Payment


@dataclass(frozen=True, slots=True)
class PayerReading:
    """What one pinned block says about a payment. ``refusal`` is the token's own word on the simulated transfer.

    ``refusal_is_payers``: that word names the payer's balance or wallet, not a pause, a blacklist or the time.
    ``payer_has_code``: the token judges the signature by the payer's code, which stands there or, where the operator
    allows its factory, is put there by the very call that was simulated.
    """

    block: int
    balance_atomic: int
    is_authorization_used: bool
    payer_has_code: bool
    refusal: str | None
    refusal_is_payers: bool = False

    def blames_payer(self, amount_atomic: int) -> bool:
        """Tell whether this payment would fail now by the payer's own doing."""
        return not self.is_authorization_used and (self.balance_atomic < amount_atomic or self.refusal_is_payers)


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

    async def find_settlement(self, payment: Payment, from_block: int, hint: str | None = None) -> SettlementProof:
        """Look for proof that the payment was settled or never can be, at the configured depth.

        ``hint`` is the hash of a transaction that is said to have paid: looked at first, and never believed.
        """


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
    """No understood answer: it may have been settled (I7).

    ``was_asked`` False says that *this* call never reached the facilitator or was turned away at its door. The payment
    is unknown all the same: an earlier call, or anybody else, may have settled it.
    """

    reason: str
    tx_hash: str | None = None
    was_asked: bool = True


SettleAnswer = SettleClaimed | SettleDeclined | SettleUnknown


@dataclass(frozen=True, slots=True)
class Assigned:
    """Which facilitator a payment's settlement belongs to; ``is_new`` when this very call gave it to it."""

    name: str
    is_new: bool


class Assignments(Protocol):
    """Who settles which payment: durable, and one answer for all processes until the authorization has ended.

    Every method raises Unavailable("store_unavailable") when the store gives no understood answer.
    """

    async def assign(self, payment: Payment, name: str) -> Assigned:
        """Give the payment to facilitator ``name`` unless one has it, and return who has it now. Atomic, repeatable."""

    async def release(self, payment: Payment, name: str) -> None:
        """Take the payment back from ``name``, if it has it: it is proven that it will not settle it."""


class Outbox(Protocol):
    """What our own relayer has sent and not seen end, shared by all processes that sign with its key.

    Durable, unless it is the memory of a lone process. Entries are opaque text under a name. Every method raises
    Unavailable("store_unavailable") when the store gives no understood answer.
    """

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Hold this to give out nonces: one process at a time, for a bounded time.

        Raises Unavailable when it is not free in time, and when the work inside took too long.
        """

    async def read(self) -> Mapping[str, str]:
        """Return all entries."""

    async def write(self, changes: Mapping[str, str | None]) -> None:
        """Write entries, and remove those that are None, all at once."""


class Facilitator(Protocol):
    """Who judges and moves payments. Both calls send exactly the payment's canonical bytes and may be repeated."""

    async def verify(self, payment: Payment) -> VerifyAnswer:
        """Judge without moving money. Raises Unavailable("facilitator_unavailable") without an understood verdict."""

    async def settle(self, payment: Payment) -> SettleAnswer:
        """Try to move the money. Never raises for a fault on the way: that is SettleUnknown."""
