"""What a state change leaves behind for others: events for subscribers and ledger entries for the accounts.

Both are written by the script that writes the state (I9); neither may carry a code, a token or a signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EventType(StrEnum):
    """Public names of what happened to a rental."""

    CREATED = "rental.created"
    PAID = "rental.paid"
    ACTIVE = "rental.active"
    SMS_RECEIVED = "rental.sms_received"
    SETTLED = "rental.settled"
    EXPIRED = "rental.expired"
    RELEASED = "rental.released"


class LedgerKind(StrEnum):
    """Public names of what happened to money; the sign of an amount is ours: income positive, cost negative."""

    SALE = "sale"
    NUMBER_COST = "number_cost"
    NUMBER_REFUND = "number_refund"
    WRITE_OFF = "write_off"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, at a time in unix ms."""

    type: EventType
    at_ms: int
    data: Mapping[str, str | int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One movement of money in atomic units; ``reference`` is its evidence: transaction hash, activation id or reason.

    ``amount_atomic`` may be 0 where the provider has not told the cost yet.
    """

    kind: LedgerKind
    amount_atomic: int
    at_ms: int
    reference: str
