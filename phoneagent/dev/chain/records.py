"""What the chain remembers: blocks, mined transactions and their logs, as plain values.

Nothing here may decide or render anything; bytes are raw, amounts are wei, times are UTC seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eth.abc import BlockHeaderAPI


def base_fee_of(header: BlockHeaderAPI) -> int:
    """The block's base fee in wei; only headers older than London, which no chain of ours has, lack one."""
    return header.base_fee_per_gas or 0


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """A transaction with its place and its outcome; `raw` is what the sender sent."""

    hash: bytes
    block_number: int
    position: int
    sender: bytes
    raw: bytes
    is_success: bool
    gas_used: int
    cumulative_gas_used: int
    effective_gas_price: int
    bloom: int
    created_address: bytes | None


@dataclass(frozen=True, slots=True)
class MinedLog:
    """One event; `log_index` counts through the whole block."""

    block_number: int
    log_index: int
    transaction_hash: bytes
    transaction_position: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class SealedBlock:
    """A block as it was executed, with the state nodes that it added."""

    header: BlockHeaderAPI
    transactions: Sequence[MinedTransaction]
    logs: Sequence[MinedLog]
    nodes: Mapping[bytes, bytes]
    refused: Sequence[bytes]
    """Hashes of transactions that could not run any more (spent balance, taken nonce) and were left out."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A closed range of blocks; an empty `addresses`, or None at a topic's position, matches everything."""

    first: int
    last: int
    addresses: tuple[bytes, ...] = ()
    topics: tuple[tuple[bytes, ...] | None, ...] = ()
