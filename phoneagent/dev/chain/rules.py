"""The numbers of the network that the development chain stands in for, and what it promises about time.

Only constants and pure arithmetic belong here; nothing may import the EVM.
"""

from __future__ import annotations

CHAIN_ID = 8453
"""Base mainnet: signatures made for the development chain carry the real chain id."""

BLOCK_GAS_LIMIT = 60_000_000

TX_GAS_CAP = 16_777_216
"""Highest gas limit of one transaction on Base since Azul, 28 May 2026 (docs.base.org, configuration changelog)."""

MIN_BASE_FEE_WEI = 5_000_000
"""Base's floor since 19 February 2026 (docs.base.org, configuration changelog)."""

SUGGESTED_TIP_WEI = 1_000_000

ELASTICITY = 2
BASE_FEE_CHANGE_DENOMINATOR = 8
"""EIP-1559; Base uses gentler values, which nothing here depends on."""

MAX_LAG_S = 2
"""`latest` is never further behind the clock than this when somebody looks (ARCHITECTURE §4.12)."""

MAX_LEAD_S = 60
"""Every transaction gets a block and every block a later second, so a burst pushes the chain ahead of the clock.

At this lead blocks begin to share a second; a chain further ahead would call authorizations expired that are not.
"""


def next_base_fee(parent_base_fee: int, parent_gas_used: int, parent_gas_limit: int) -> int:
    """Base fee in wei of the block after this parent (EIP-1559), never below Base's floor."""
    target = parent_gas_limit // ELASTICITY
    change = parent_base_fee * abs(parent_gas_used - target) // target // BASE_FEE_CHANGE_DENOMINATOR
    if parent_gas_used > target:
        return max(parent_base_fee + max(change, 1), MIN_BASE_FEE_WEI)
    return max(parent_base_fee - change, MIN_BASE_FEE_WEI)
