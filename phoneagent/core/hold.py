"""The held payment of a rental: promised from `paid` on, and settled, rejected or voided in the end (I1, I2, I7).

It must never treat an unknown settlement as a failed one: `unknown` leads back to `settling` or to a proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HoldState(StrEnum):
    """Where the money stands."""

    HELD = "held"
    SETTLING = "settling"
    UNKNOWN = "unknown"
    SETTLED = "settled"
    REJECTED = "rejected"
    VOIDED = "voided"


_S = HoldState

HOLD_MOVES: frozenset[tuple[HoldState, HoldState]] = frozenset(
    {
        (_S.HELD, _S.SETTLING),
        (_S.HELD, _S.VOIDED),
        (_S.SETTLING, _S.UNKNOWN),
        (_S.SETTLING, _S.SETTLED),
        (_S.SETTLING, _S.REJECTED),
        (_S.UNKNOWN, _S.SETTLING),
        (_S.UNKNOWN, _S.SETTLED),
        (_S.UNKNOWN, _S.REJECTED),
    }
)

OPEN_HOLD_STATES = frozenset({_S.HELD, _S.SETTLING, _S.UNKNOWN})
SENT_HOLD_STATES = frozenset({_S.SETTLING, _S.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Hold:
    """The promise of one payment and what has been done about it.

    ``sent_at_ms`` is set by the intent to send the first settle call: from then on the authorization is public.
    ``tx_hash`` is a facilitator's hint until the state is settled; then it is the proof's transaction.
    ``payer_at_fault`` counts tries that failed by the payer's own doing (balance, simulation); ``attempts`` all tries.
    """

    state: HoldState
    attempts: int = 0
    payer_at_fault: int = 0
    sent_at_ms: int | None = None
    reason: str | None = None
    tx_hash: str | None = None
    block: int | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether this hold still counts against the payer's balance."""
        return self.state in OPEN_HOLD_STATES

    @property
    def was_sent(self) -> bool:
        """Tell whether a settle call may ever have left this house."""
        return self.sent_at_ms is not None
