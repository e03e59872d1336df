"""What a settlement may cost: the gas limit and the EIP-1559 fees of the relayer's transactions. Pure.

It must never let a payer's wallet contract, or a market gone wild, spend what it likes of our ether.
"""

from __future__ import annotations

from dataclasses import dataclass

FLOOR_GAS = 110_000
"""A first transfer to a payee takes 102,820 (chain.md §2); storage may turn cold between simulation and block."""

CAP_GAS = 400_000

TRANSFER_GAS = 21_000
"""What a transaction that does nothing takes: the yellow paper's G_transaction."""

MIN_MAX_FEE_WEI = 5_000_000
"""Base's minimum base fee since 19 February 2026 (docs.base.org, configuration changelog)."""

TIP_WEI = 1_000_000

MAX_FEE_WEI = 1_000_000_000
"""Most we bid per gas unless told otherwise: two hundred times Base's floor, at 100,000 gas a few tens of cents."""

FLOOR_WEI = 1_000_000_000_000_000
"""Below this balance somebody has to act, unless told otherwise: about 500 settlements of 150,000 gas at the least bid
of 11,000,000 wei (chain.md §8)."""


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction bids per gas."""

    max_fee_wei: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class Tank:
    """What the relayer has for gas, and below what somebody has to act."""

    balance_wei: int
    floor_wei: int

    @property
    def is_low(self) -> bool:
        """Tell whether somebody has to act."""
        return self.balance_wei < self.floor_wei


def fees_above(base_fee_wei: int, cap_wei: int) -> Fees | None:
    """Return a bid that stays good while the base fee doubles, or up to the cap; None when the cap is below the price.

    Base's floor stands above any cap: below it nothing is ever mined.
    """
    cap_wei = max(cap_wei, MIN_MAX_FEE_WEI)
    if base_fee_wei + TIP_WEI > cap_wei:
        return None
    return Fees(min(max(2 * base_fee_wei + TIP_WEI, MIN_MAX_FEE_WEI), cap_wei), TIP_WEI)


def fees_over(standing: Fees, base_fee_wei: int, cap_wei: int) -> Fees | None:
    """Return a bid that replaces a standing one: 10 % more on both fees (chain.md §8), and good for now.

    None when that is beyond the cap.
    """
    now = fees_above(base_fee_wei, cap_wei)
    wanted = Fees(_tenth_more(standing.max_fee_wei), _tenth_more(standing.tip_wei))
    if now is None or wanted.max_fee_wei > max(cap_wei, MIN_MAX_FEE_WEI):
        return None
    return Fees(max(wanted.max_fee_wei, now.max_fee_wei), max(wanted.tip_wei, now.tip_wei))


def limit_for(simulated_gas: int) -> int:
    """Return the gas limit for a transfer that took ``simulated_gas``: 30 % more, within floor and cap."""
    return min(max(simulated_gas + simulated_gas * 3 // 10, FLOOR_GAS), CAP_GAS)


def _tenth_more(wei: int) -> int:
    return -(-wei * 11 // 10)
