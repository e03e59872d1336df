"""What a settlement may cost: the gas limit and the EIP-1559 fees of the relayer's transactions. Pure.

It must never let a payer's wallet contract spend what it likes of our ether.
"""

from __future__ import annotations

from dataclasses import dataclass

FLOOR_GAS = 110_000
"""A first transfer to a payee takes 102,820 (chain.md §2); storage may turn cold between simulation and block."""

CAP_GAS = 400_000

MIN_MAX_FEE_WEI = 5_000_000
"""Base's minimum base fee since 19 February 2026 (docs.base.org, configuration changelog)."""

TIP_WEI = 1_000_000


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction bids per gas."""

    max_fee_wei: int
    tip_wei: int


def fees_above(base_fee_wei: int) -> Fees:
    """Return a bid that stays good while the base fee doubles."""
    return Fees(max(2 * base_fee_wei + TIP_WEI, MIN_MAX_FEE_WEI), TIP_WEI)


def limit_for(simulated_gas: int) -> int:
    """Return the gas limit for a transfer that took ``simulated_gas``: 30 % more, within floor and cap."""
    return min(max(simulated_gas + simulated_gas * 3 // 10, FLOOR_GAS), CAP_GAS)
