"""A stray: an upstream activation that no rental can use any more, or that nobody here has asked for (I4).

It must never be rented out or read: it is only given back, and its end is kept with evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from phoneagent.core.events import LedgerEntry, LedgerKind
from phoneagent.core.rental import Rental
from phoneagent.core.transitions import Activation

STRAY_MARK = "stray"
"""Stands in the place of an owner once an activation can belong to no rental."""


class Tie(StrEnum):
    """What a rental has to do with an activation that it once claimed."""

    ATTACHED = "attached"
    PENDING = "pending"
    NONE = "none"


class StrayEnd(StrEnum):
    """How a stray ended: refunded; paid for, because an SMS came; or only reported, as it may be anybody's."""

    CANCELLED = "cancelled"
    LOST = "lost"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class Stray:
    """A possible stray. ``owner`` is a rental id, "" for nobody or STRAY_MARK; ``was`` is the owner before the mark.

    ``is_ours`` says that our own purchase was answered with it; otherwise it was only seen in the host's list.
    """

    activation: Activation
    owner: str
    was: str
    is_ours: bool

    @property
    def is_marked(self) -> bool:
        """Tell whether nobody can claim or find it any more."""
        return self.owner == STRAY_MARK


def tie(rental: Rental | None, activation_id: str) -> Tie:
    """Return what a rental has to do with an activation that it owns; PENDING: its next job attaches it."""
    order = rental.order if rental is not None else None
    if order is None:
        return Tie.NONE
    if order.activation_id == activation_id:
        return Tie.ATTACHED
    return Tie.NONE if order.is_final or order.activation_id is not None else Tie.PENDING


def books_of(stray: Stray, end: StrayEnd, now_ms: int) -> tuple[LedgerEntry, ...]:
    """Return the ledger entries of a stray's end: what it cost, and that it came back or is lost."""
    cost, reference = stray.activation.cost_atomic or 0, stray.activation.activation_id
    paid = LedgerEntry(LedgerKind.NUMBER_COST, -cost, now_ms, reference)
    match end:
        case StrayEnd.CANCELLED:
            return (paid, LedgerEntry(LedgerKind.NUMBER_REFUND, cost, now_ms, reference))
        case StrayEnd.LOST:
            return (paid, LedgerEntry(LedgerKind.LOSS, 0, now_ms, reference))
        case StrayEnd.REPORTED:
            return ()


__all__ = ["STRAY_MARK", "Stray", "StrayEnd", "Tie", "books_of", "tie"]
