"""Blocks, transactions, receipts and logs as JSON-RPC shows them (ethereum/execution-apis; field names as geth's).

Pure rendering: it must never look anything up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rlp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eth.abc import BlockHeaderAPI, SignedTransactionAPI

    from phoneagent.dev.chain.records import MinedLog, MinedTransaction

Json = dict[str, object]

ACCESS_LIST_TYPE = 1
DYNAMIC_FEE_TYPE = 2
SET_CODE_TYPE = 4
BLOOM_BYTES = 256


def quantity(value: int) -> str:
    """A number, without leading zeros."""
    return hex(value)


def data(value: bytes) -> str:
    """Bytes, two digits each."""
    return "0x" + value.hex()


def word(value: int) -> str:
    """A 32-byte word."""
    return data(value.to_bytes(32, "big"))


def block(header: BlockHeaderAPI, transactions: Sequence[str | Json], raw_sizes: int) -> Json:
    """A sealed block; `transactions` are hashes or objects, `raw_sizes` is their length together."""
    fields = header.as_dict()
    return {
        "number": quantity(header.block_number),
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "nonce": data(header.nonce),
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": _bloom(header.bloom),
        "transactionsRoot": data(header.transaction_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipt_root),
        "miner": data(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "extraData": data(header.extra_data),
        "size": quantity(len(rlp.encode(header)) + raw_sizes),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "mixHash": data(header.mix_hash),
        "baseFeePerGas": quantity(fields["base_fee_per_gas"]),
        "withdrawalsRoot": data(fields["withdrawals_root"]),
        "blobGasUsed": quantity(fields["blob_gas_used"]),
        "excessBlobGas": quantity(fields["excess_blob_gas"]),
        "parentBeaconBlockRoot": data(fields["parent_beacon_block_root"]),
        "requestsHash": data(fields["requests_hash"]),
        "transactions": list(transactions),
        "uncles": [],
        "withdrawals": [],
    }


def pending_block(header: BlockHeaderAPI, transactions: Sequence[str | Json], raw_sizes: int) -> Json:
    """The block that would be sealed now: it has no identity yet."""
    return block(header, transactions, raw_sizes) | {"hash": None, "nonce": None, "miner": None, "logsBloom": None}


def transaction(signed: SignedTransactionAPI, sender: bytes) -> Json:
    """A transaction that waits."""
    type_id = signed.type_id or 0
    rendered: Json = {
        "hash": data(signed.hash),
        "type": quantity(type_id),
        "nonce": quantity(signed.nonce),
        "from": data(sender),
        "to": data(signed.to) if signed.to else None,
        "gas": quantity(signed.gas),
        "gasPrice": quantity(signed.max_fee_per_gas),
        "value": quantity(signed.value),
        "input": data(signed.data),
        "chainId": quantity(signed.chain_id or 0),
        "r": quantity(signed.r),
        "s": quantity(signed.s),
        "v": quantity(getattr(signed, "v", signed.y_parity)),
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
    }
    return rendered | _typed_fields(signed, type_id)


def mined_transaction(signed: SignedTransactionAPI, mined: MinedTransaction, block_hash: bytes) -> Json:
    """A transaction in its block, at the price it paid."""
    return transaction(signed, mined.sender) | {
        "gasPrice": quantity(mined.effective_gas_price),
        "blockHash": data(block_hash),
        "blockNumber": quantity(mined.block_number),
        "transactionIndex": quantity(mined.position),
    }


def receipt(
    signed: SignedTransactionAPI, mined: MinedTransaction, logs: Sequence[MinedLog], header: BlockHeaderAPI
) -> Json:
    """What became of a transaction."""
    return {
        "transactionHash": data(mined.hash),
        "transactionIndex": quantity(mined.position),
        "blockHash": data(header.hash),
        "blockNumber": quantity(mined.block_number),
        "from": data(mined.sender),
        "to": data(signed.to) if signed.to else None,
        "cumulativeGasUsed": quantity(mined.cumulative_gas_used),
        "gasUsed": quantity(mined.gas_used),
        "effectiveGasPrice": quantity(mined.effective_gas_price),
        "contractAddress": data(mined.created_address) if mined.created_address else None,
        "logs": [log(one, header) for one in logs],
        "logsBloom": _bloom(mined.bloom),
        "status": quantity(int(mined.is_success)),
        "type": quantity(signed.type_id or 0),
    }


def log(event: MinedLog, header: BlockHeaderAPI) -> Json:
    """One event in its block."""
    return {
        "address": data(event.address),
        "topics": [data(topic) for topic in event.topics],
        "data": data(event.data),
        "blockHash": data(header.hash),
        "blockNumber": quantity(event.block_number),
        "blockTimestamp": quantity(header.timestamp),
        "transactionHash": data(event.transaction_hash),
        "transactionIndex": quantity(event.transaction_position),
        "logIndex": quantity(event.log_index),
        "removed": False,
    }


def _typed_fields(signed: SignedTransactionAPI, type_id: int) -> Json:
    if type_id < ACCESS_LIST_TYPE:
        return {}
    fields: Json = {
        "yParity": quantity(signed.y_parity),
        "accessList": [
            {"address": data(address), "storageKeys": [word(slot) for slot in slots]}
            for address, slots in signed.access_list
        ],
    }
    if type_id >= DYNAMIC_FEE_TYPE:
        fields["maxFeePerGas"] = quantity(signed.max_fee_per_gas)
        fields["maxPriorityFeePerGas"] = quantity(signed.max_priority_fee_per_gas)
    if type_id == SET_CODE_TYPE:
        fields["authorizationList"] = [
            {
                "chainId": quantity(one.chain_id),
                "address": data(one.address),
                "nonce": quantity(one.nonce),
                "yParity": quantity(one.y_parity),
                "r": quantity(one.r),
                "s": quantity(one.s),
            }
            for one in signed.authorization_list
        ]
    return fields


def _bloom(value: int) -> str:
    return data(value.to_bytes(BLOOM_BYTES, "big"))
