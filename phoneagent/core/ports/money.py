"""Where money is judged, moved and proven: the facilitator's claims, and the chain's logs as the only proof."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from phoneagent.core.payment import Payment


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
