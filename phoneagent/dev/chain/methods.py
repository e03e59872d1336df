"""The JSON-RPC methods by name: what web3, ethers, viem and eth-account need, and four of a development chain's own.

Each takes the chain and its parameters and returns JSON or raises RpcError; none may wait for anything but the EVM.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from eth_typing import Address

from phoneagent.dev.chain import blocks, fees, params, wire
from phoneagent.dev.chain.chain import Tag
from phoneagent.dev.chain.errors import METHOD_NOT_FOUND, RpcError, invalid_params
from phoneagent.dev.chain.estimate import estimate_gas
from phoneagent.dev.chain.rules import CHAIN_ID, TX_GAS_CAP

if TYPE_CHECKING:
    from eth.abc import StateAPI

    from phoneagent.dev.chain.chain import EvmChain
    from phoneagent.dev.chain.params import Params

Method = Callable[["EvmChain", "Params"], object]


def dispatch(chain: EvmChain, name: str, positional: object) -> object:
    """The result of one call; RpcError if it has none."""
    method = METHODS.get(name)
    if method is None:
        raise RpcError(METHOD_NOT_FOUND, f"the method {name} does not exist/is not available")
    return method(chain, params.positional(positional))


# ----------------------------------------------------------------------------------------------------------- accounts


def _balance(chain: EvmChain, given: Params) -> str:
    return wire.quantity(_state(chain, given, 1).get_balance(Address(given.address(0))))


def _code(chain: EvmChain, given: Params) -> str:
    return wire.data(_state(chain, given, 1).get_code(Address(given.address(0))))


def _storage(chain: EvmChain, given: Params) -> str:
    return wire.word(_state(chain, given, 2).get_storage(Address(given.address(0)), given.quantity(1)))


def _transaction_count(chain: EvmChain, given: Params) -> str:
    address = Address(given.address(0))
    if given.block(1) is Tag.PENDING:
        # Also while mining is held: the next nonce is what a sender asks for.
        account_nonce = chain.state(chain.view(Tag.LATEST)).get_nonce(address)
        return wire.quantity(chain.pool.next_nonce(address, account_nonce))
    return wire.quantity(_state(chain, given, 1).get_nonce(address))


def _state(chain: EvmChain, given: Params, position: int) -> StateAPI:
    return chain.state(chain.view(given.block(position)))


# --------------------------------------------------------------------------------------------------- calls and sends


def _call(chain: EvmChain, given: Params) -> str:
    _refuse_overrides(given)
    request = params.call_request(given.required(0))
    outcome = chain.call(chain.view(given.block(1)), request, min(request.gas or TX_GAS_CAP, TX_GAS_CAP))
    if outcome.error is not None:
        raise outcome.as_error()
    return wire.data(outcome.output)


def _estimate_gas(chain: EvmChain, given: Params) -> str:
    _refuse_overrides(given)
    return wire.quantity(estimate_gas(chain, chain.view(given.block(1)), params.call_request(given.required(0))))


def _refuse_overrides(given: Params) -> None:
    if given.optional(2) or given.optional(3):
        raise invalid_params("state and block overrides are not supported")


def _send_raw(chain: EvmChain, given: Params) -> str:
    return wire.data(chain.send_raw(given.data(0)))


# ----------------------------------------------------------------------------------------- this chain's own switches


def _mine(chain: EvmChain, given: Params) -> str:
    chain.mine(given.time(0))
    return "0x0"


def _set_automine(chain: EvmChain, given: Params) -> bool:
    chain.set_automine(is_on=given.flag(0))
    return True


def _drop_transaction(chain: EvmChain, given: Params) -> bool:
    return chain.drop_transaction(given.hash(0))


def _set_next_base_fee(chain: EvmChain, given: Params) -> bool:
    chain.set_next_base_fee(given.quantity(0))
    return True


METHODS: dict[str, Method] = {
    "web3_clientVersion": lambda _chain, _given: "phoneagent-devchain/py-evm",
    "net_version": lambda _chain, _given: str(CHAIN_ID),
    "net_listening": lambda _chain, _given: True,
    "eth_chainId": lambda _chain, _given: wire.quantity(CHAIN_ID),
    "eth_syncing": lambda _chain, _given: False,
    "eth_accounts": lambda _chain, _given: [],
    "eth_blockNumber": lambda chain, _given: wire.quantity(chain.head.block_number),
    "eth_gasPrice": fees.gas_price,
    "eth_maxPriorityFeePerGas": fees.priority_fee,
    "eth_feeHistory": fees.fee_history,
    "eth_getBalance": _balance,
    "eth_getCode": _code,
    "eth_getStorageAt": _storage,
    "eth_getTransactionCount": _transaction_count,
    "eth_call": _call,
    "eth_estimateGas": _estimate_gas,
    "eth_sendRawTransaction": _send_raw,
    "eth_getBlockByNumber": blocks.block_by_number,
    "eth_getBlockByHash": blocks.block_by_hash,
    "eth_getBlockTransactionCountByNumber": blocks.transaction_count_by_number,
    "eth_getBlockTransactionCountByHash": blocks.transaction_count_by_hash,
    "eth_getBlockReceipts": blocks.block_receipts,
    "eth_getTransactionByHash": blocks.transaction_by_hash,
    "eth_getTransactionByBlockNumberAndIndex": blocks.transaction_by_number_and_index,
    "eth_getTransactionByBlockHashAndIndex": blocks.transaction_by_hash_and_index,
    "eth_getTransactionReceipt": blocks.receipt,
    "eth_getLogs": blocks.logs,
    "evm_mine": _mine,
    "evm_setAutomine": _set_automine,
    "dev_dropTransaction": _drop_transaction,
    "dev_setNextBlockBaseFee": _set_next_base_fee,
}
