"""How much is measured: enough for a page that people quote, or just enough for CI to notice a fall.

The bounds must never depend on it: only how steady a figure is does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Length:
    """``rounds`` of ``round_s`` seconds per request and server; then how many rentals, polls and SMS."""

    rounds: int
    round_s: float
    rents: int
    polls: tuple[int, ...]
    poll_wait_s: int
    poll_rounds: int
    codes: int
    beside: int


QUICK = Length(rounds=3, round_s=0.4, rents=160, polls=(400,), poll_wait_s=7, poll_rounds=1, codes=40, beside=400)
WHOLE = Length(
    rounds=7, round_s=1.5, rents=1_000, polls=(1_000, 5_000), poll_wait_s=25, poll_rounds=2, codes=300, beside=1_000
)
