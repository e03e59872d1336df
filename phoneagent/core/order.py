"""The upstream order of a rental: one number bought from one provider, from intent to a proven end (I4).

It must never be purchased twice: nothing here leads back to an intent once one was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

INTENT_SENDABLE_S = 5
"""A purchase is sent only while its intent is younger than this, by the sender's own monotonic clock."""

ADOPTION_MARGIN_MS = 30_000
"""Reconciliation looks at an intent only this long after the purchase can no longer be under way."""


class OrderState(StrEnum):
    """Where an order stands; see ARCHITECTURE §2."""

    INTENT = "intent"
    BOUGHT = "bought"
    NONE = "none"
    UNKNOWN = "unknown"
    SUSPECT = "suspect"
    CODED = "coded"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    LOSS = "loss"


_S = OrderState

ORDER_MOVES: frozenset[tuple[OrderState, OrderState]] = frozenset(
    {
        (_S.INTENT, _S.BOUGHT),
        (_S.INTENT, _S.NONE),
        (_S.INTENT, _S.UNKNOWN),
        (_S.UNKNOWN, _S.BOUGHT),
        (_S.UNKNOWN, _S.NONE),
        (_S.UNKNOWN, _S.SUSPECT),
        (_S.SUSPECT, _S.BOUGHT),
        (_S.SUSPECT, _S.REFUNDED),
        (_S.SUSPECT, _S.NONE),
        (_S.SUSPECT, _S.LOSS),
        (_S.BOUGHT, _S.CODED),
        (_S.BOUGHT, _S.CANCELLING),
        (_S.BOUGHT, _S.REFUNDED),
        (_S.CODED, _S.FINISHED),
        (_S.CANCELLING, _S.CANCELLED),
        (_S.CANCELLING, _S.CODED),
    }
)

FINAL_ORDER_STATES = frozenset({_S.NONE, _S.FINISHED, _S.CANCELLED, _S.REFUNDED, _S.LOSS})
NUMBERED_ORDER_STATES = frozenset({_S.BOUGHT, _S.CODED, _S.CANCELLING, _S.FINISHED, _S.CANCELLED})
UNDECIDED_ORDER_STATES = frozenset({_S.INTENT, _S.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Order:
    """One purchase at one provider. ``cost_atomic`` is micro-USD and None until the provider tells it.

    ``evidence`` says why a final state is believed (a reply, a history row, the end of the refund window), and
    ``earlier`` the evidence of the rental's earlier orders, none of which ever was.
    """

    state: OrderState
    provider: str
    intent_at_ms: int
    activation_id: str | None = None
    number: str | None = None
    cost_atomic: int | None = None
    bought_at_ms: int | None = None
    evidence: str | None = None
    earlier: tuple[str, ...] = ()

    @property
    def is_final(self) -> bool:
        """Tell whether nothing more has to be done about this order."""
        return self.state in FINAL_ORDER_STATES
