"""The least gas limit with which a call succeeds, found the way geth finds it.

It must never answer with a limit that was not tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoneagent.dev.chain.errors import refused
from phoneagent.dev.chain.rules import TX_GAS_CAP
from phoneagent.dev.chain.transactions import TRANSACTION_GAS

if TYPE_CHECKING:
    from eth.abc import StateAPI

    from phoneagent.dev.chain.calls import CallRequest
    from phoneagent.dev.chain.chain import EvmChain, View

CALL_STIPEND = 2_300
TOLERANCE = 0.015
"""geth stops when the answer is at most this share too high."""


def estimate_gas(chain: EvmChain, view: View, request: CallRequest) -> int:
    """Gas limit for the call on this block's state. Raises RpcError if it fails however much gas it gets."""
    state = chain.state(view)
    if _is_plain_payment(state, request) and chain.call(view, request, TRANSACTION_GAS).error is None:
        return TRANSACTION_GAS
    high = _affordable_gas(state, request)
    first = chain.call(view, request, high)
    if first.error is not None:
        raise first.as_error()
    low = max(first.gas_used, TRANSACTION_GAS) - 1
    # An inner call gets 63/64 of what is left (EIP-150), so this is where most calls stop failing.
    likely = (first.gas_spent + CALL_STIPEND) * 64 // 63
    middle = likely if low < likely < high else (low + high) // 2
    while low + 1 < high and (high - low) / high > TOLERANCE:
        if _succeeds(chain, view, request, middle):
            high = middle
        else:
            low = middle
        middle = min((low + high) // 2, low * 2)
    return high


def _is_plain_payment(state: StateAPI, request: CallRequest) -> bool:
    return request.to is not None and not request.data and not state.get_code(request.to)  # type: ignore[arg-type]  # py-evm types an address as its own bytes


def _affordable_gas(state: StateAPI, request: CallRequest) -> int:
    cap = min(request.gas or TX_GAS_CAP, TX_GAS_CAP)
    if not request.max_fee_per_gas:
        return cap
    available = state.get_balance(request.sender) - request.value  # type: ignore[arg-type]  # py-evm types an address as its own bytes
    if available < 0:
        raise refused("insufficient funds for transfer")
    return min(cap, available // request.max_fee_per_gas)


def _succeeds(chain: EvmChain, view: View, request: CallRequest, gas: int) -> bool:
    return chain.call(view, request, gas).error is None
