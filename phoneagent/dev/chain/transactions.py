"""Raw transactions: decoding them, and the refusals that need no account and no state.

It must never let anything through that the EVM would choke on: a transaction that waits can at most run out of funds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rlp
from eth.exceptions import UnrecognizedTransactionType
from eth.vm.forks import PragueVM
from eth_keys.exceptions import BadSignature
from eth_utils import ValidationError

from phoneagent.dev.chain.errors import refused
from phoneagent.dev.chain.rules import CHAIN_ID, TX_GAS_CAP

if TYPE_CHECKING:
    from eth.abc import SignedTransactionAPI

BLOB_TRANSACTION = 3
"""EIP-4844; layer-2 chains take none."""

MAX_INITCODE_BYTES = 49_152
"""EIP-3860."""

TRANSACTION_GAS = 21_000
DATA_TOKEN_GAS = 10
NONZERO_BYTE_TOKENS = 4


def decode(raw: bytes) -> SignedTransactionAPI:
    """The signed transaction in `raw`, good for this chain; RpcError in geth's words otherwise."""
    transaction = decode_mined(raw)
    if transaction.type_id == BLOB_TRANSACTION:
        raise refused("transaction type not supported")
    _require_chain(transaction.chain_id)
    _require_limits(transaction)
    try:
        transaction.validate()
        transaction.check_signature_validity()
    except (ValidationError, BadSignature) as exc:
        raise refused(f"invalid sender: {exc}") from exc
    return transaction


def decode_mined(raw: bytes) -> SignedTransactionAPI:
    """The transaction in `raw`, whatever it says; RpcError if it is none."""
    try:
        return PragueVM.get_transaction_builder().decode(raw)
    except UnrecognizedTransactionType as exc:
        raise refused("transaction type not supported") from exc
    except (rlp.exceptions.RLPException, ValidationError, ValueError, TypeError) as exc:
        raise refused(f"rlp: {exc}") from exc


def floor_gas(data: bytes) -> int:
    """Least gas that a transaction with this calldata costs (EIP-7623)."""
    zeros = data.count(0)
    return TRANSACTION_GAS + DATA_TOKEN_GAS * (zeros + NONZERO_BYTE_TOKENS * (len(data) - zeros))


def require_intrinsic_gas(gas: int, intrinsic_gas: int, data: bytes) -> None:
    """Raise RpcError if `gas` does not even pay for sending the data."""
    if gas < intrinsic_gas:
        raise refused(f"intrinsic gas too low: gas {gas}, minimum needed {intrinsic_gas}")
    if gas < floor_gas(data):
        raise refused(f"insufficient gas for floor data gas cost: gas {gas}, minimum needed {floor_gas(data)}")


def _require_chain(chain_id: int | None) -> None:
    if chain_id is None:
        raise refused("only replay-protected (EIP-155) transactions allowed over RPC")
    if chain_id != CHAIN_ID:
        raise refused(f"invalid chain id for signer: have {chain_id} want {CHAIN_ID}")


def _require_limits(transaction: SignedTransactionAPI) -> None:
    if transaction.gas > TX_GAS_CAP:
        raise refused(f"transaction gas limit too high (cap: {TX_GAS_CAP}, tx: {transaction.gas})")
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise refused("max priority fee per gas higher than max fee per gas")
    if not transaction.to and len(transaction.data) > MAX_INITCODE_BYTES:
        raise refused(f"max initcode size exceeded: code size {len(transaction.data)}, limit {MAX_INITCODE_BYTES}")
    require_intrinsic_gas(transaction.gas, transaction.intrinsic_gas, transaction.data)
