"""What a sender should offer: the fee history and the suggestions derived from the block to come.

It must never look at more than the newest 1,024 blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoneagent.dev.chain.errors import invalid_params, refused
from phoneagent.dev.chain.records import base_fee_of
from phoneagent.dev.chain.rules import SUGGESTED_TIP_WEI, next_base_fee
from phoneagent.dev.chain.wire import Json, quantity

if TYPE_CHECKING:
    from eth.abc import BlockHeaderAPI

    from phoneagent.dev.chain.chain import EvmChain
    from phoneagent.dev.chain.params import Params

MAX_BLOCKS = 1024
MAX_PERCENTILES = 100
HUNDRED_PERCENT = 100


def gas_price(chain: EvmChain, _params: Params) -> str:
    """eth_gasPrice."""
    return quantity(chain.base_fee() + SUGGESTED_TIP_WEI)


def priority_fee(_chain: EvmChain, _params: Params) -> str:
    """eth_maxPriorityFeePerGas."""
    return quantity(SUGGESTED_TIP_WEI)


def fee_history(chain: EvmChain, params: Params) -> Json:
    """eth_feeHistory."""
    newest = chain.view(params.block(1))
    last = min(newest.header.block_number, chain.head.block_number)
    count = min(params.quantity(0), MAX_BLOCKS, last + 1)
    percentiles = _percentiles(params.optional(2))
    headers = [_header(chain, number) for number in range(last + 1 - count, last + 1)]
    fees = [base_fee_of(header) for header in headers] + [_fee_after(chain, last)]
    history: Json = {
        "oldestBlock": quantity(last + 1 - count),
        "baseFeePerGas": [quantity(fee) for fee in fees] if headers else [],
        "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
    }
    if percentiles:
        history["reward"] = [_rewards(chain, header, percentiles) for header in headers]
    return history


def _percentiles(value: object) -> list[float]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_PERCENTILES:
        raise invalid_params(f"an array of at most {MAX_PERCENTILES} percentiles expected")
    shares = [float(one) for one in value if isinstance(one, int | float) and 0 <= one <= HUNDRED_PERCENT]
    if len(shares) < len(value) or sorted(shares) != shares:
        raise refused("invalid reward percentile")
    return shares


def _header(chain: EvmChain, number: int) -> BlockHeaderAPI:
    return chain.view(number).header


def _fee_after(chain: EvmChain, number: int) -> int:
    if number == chain.head.block_number:
        return chain.base_fee()
    parent = _header(chain, number)
    return next_base_fee(base_fee_of(parent), parent.gas_used, parent.gas_limit)


def _rewards(chain: EvmChain, header: BlockHeaderAPI, percentiles: list[float]) -> list[str]:
    """Tips at these shares of the block's gas, cheapest transactions first."""
    mined = chain.store.transactions_of(header.block_number)
    tips = sorted((one.effective_gas_price - base_fee_of(header), one.gas_used) for one in mined)
    return [quantity(_tip_at(tips, header.gas_used * share / HUNDRED_PERCENT)) for share in percentiles]


def _tip_at(tips: list[tuple[int, int]], threshold: float) -> int:
    gas = 0
    for tip, gas_used in tips:
        gas += gas_used
        if gas >= threshold:
            return tip
    return 0
