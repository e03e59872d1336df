"""py-evm behind three verbs: found a chain, execute a block, try a call (Prague, the newest rules it has).

It must never write to the store: what execution adds to the state is handed back with the block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from eth.constants import EMPTY_UNCLE_HASH
from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.db.trie import make_trie_root_and_nodes
from eth.vm.chain_context import ChainContext
from eth.vm.forks import PragueVM
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth.vm.spoof import SpoofTransaction
from eth_bloom import BloomFilter
from eth_typing import Address, BlockNumber, Hash32
from eth_utils import ValidationError

from phoneagent.dev.chain.calls import CallOutcome
from phoneagent.dev.chain.errors import refused
from phoneagent.dev.chain.records import MinedLog, MinedTransaction, SealedBlock
from phoneagent.dev.chain.rules import BLOCK_GAS_LIMIT, CHAIN_ID, MIN_BASE_FEE_WEI
from phoneagent.dev.chain.transactions import require_intrinsic_gas

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from eth.abc import BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI, StateAPI

    from phoneagent.dev.chain.calls import CallRequest

FEE_RECIPIENT = Address(bytes.fromhex("4200000000000000000000000000000000000011"))
"""The sequencer fee vault of the OP stack (specs.optimism.io, predeploys)."""

NO_NONCE = bytes(8)
"""Nobody works for a block any more (EIP-3675)."""


class Memory(Protocol):
    """What execution reads of the past."""

    @property
    def nodes(self) -> BaseDB:
        """State nodes and code by hash, read-only."""
        ...

    def hashes_before(self, number: int) -> Iterator[bytes]:
        """Hashes of the blocks below `number`, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class GenesisAccount:
    """An account that exists from block 0."""

    balance_wei: int = 0
    code: bytes = b""
    storage: Mapping[int, int] | None = None


class Overlay(BaseDB):
    """State nodes written by one execution, in front of those of the store."""

    def __init__(self, below: BaseDB, written: Mapping[bytes, bytes] | None = None) -> None:
        self._below = below
        self.written = dict(written or {})

    def __getitem__(self, key: bytes) -> bytes:
        return self.written[key] if key in self.written else self._below[key]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.written[key] = value

    def __delitem__(self, key: bytes) -> None:
        self.written.pop(key, None)

    def _exists(self, key: bytes) -> bool:
        return key in self.written or key in self._below


class Evm:
    """Executes on top of what a store remembers."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._context = ChainContext(CHAIN_ID)

    def found(self, accounts: Mapping[bytes, GenesisAccount], timestamp: int) -> SealedBlock:
        """Block 0 with these accounts."""
        overlay = Overlay(self._memory.nodes)
        header = _child(None, timestamp, MIN_BASE_FEE_WEI)
        state = self._state(header, overlay)
        for name, account in accounts.items():
            address = Address(name)
            state.set_balance(address, account.balance_wei)
            state.set_code(address, account.code)
            for slot, value in (account.storage or {}).items():
                state.set_storage(address, slot, value)
        state.persist()
        return SealedBlock(header.copy(state_root=state.state_root), (), (), overlay.written, ())

    def execute(
        self, parent: BlockHeaderAPI, timestamp: int, base_fee: int, transactions: Iterable[SignedTransactionAPI]
    ) -> SealedBlock:
        """The block after `parent` with those of the transactions that can still run, in this order."""
        overlay = Overlay(self._memory.nodes)
        header = _child(parent, timestamp, base_fee)
        state = self._state(header, overlay)
        block = _Assembly(header, state)
        for transaction in transactions:
            block.add(transaction)
        state.persist()
        return block.sealed(overlay.written)

    def state_at(self, header: BlockHeaderAPI, nodes: Mapping[bytes, bytes] | None = None) -> StateAPI:
        """The state after this block, for reading; `nodes` are those of a block that is not stored."""
        return self._state(header, Overlay(self._memory.nodes, nodes))

    def call(
        self, header: BlockHeaderAPI, request: CallRequest, gas: int, nodes: Mapping[bytes, bytes] | None = None
    ) -> CallOutcome:
        """Run the request on the state after this block with `gas`, at no cost, leaving no trace.

        Raises RpcError if it cannot even start: too little gas or balance.
        """
        # Nobody pays for a trial, so its gas price and the base fee it sees are 0, as in geth.
        state = self._state(header.copy(base_fee_per_gas=0), Overlay(self._memory.nodes, nodes))
        sender = Address(request.sender)
        unsigned = PragueVM.create_unsigned_transaction(
            nonce=state.get_nonce(sender),
            gas_price=0,
            gas=gas,
            to=Address(request.to or b""),
            value=request.value,
            data=request.data,
        )
        require_intrinsic_gas(gas, unsigned.intrinsic_gas, request.data)
        transaction = SpoofTransaction(unsigned, from_=sender)
        try:
            computation = state.apply_transaction(transaction)  # type: ignore[arg-type]  # a spoof forwards by attribute
        except ValidationError as exc:
            raise refused(f"insufficient funds for gas * price + value: {_text(sender)}: {exc}") from exc
        return CallOutcome(
            output=bytes(computation.output),
            gas_used=PragueVM.finalize_gas_used(transaction, computation),  # type: ignore[arg-type]  # the library types it narrower than it is
            gas_spent=gas - computation.get_gas_remaining(),
            error=computation.error if computation.is_error else None,
        )

    def _state(self, header: BlockHeaderAPI, overlay: Overlay) -> StateAPI:
        hashes = (Hash32(one) for one in self._memory.hashes_before(header.block_number))
        return PragueVM.build_state(AtomicDB(overlay), header, self._context, hashes)


class _Assembly:
    """A block in the making."""

    def __init__(self, header: BlockHeaderAPI, state: StateAPI) -> None:
        self._header = header
        self._state = state
        self._transactions: list[SignedTransactionAPI] = []
        self._receipts: list[ReceiptAPI] = []
        self._mined: list[MinedTransaction] = []
        self._logs: list[MinedLog] = []
        self._refused: list[bytes] = []

    def add(self, transaction: SignedTransactionAPI) -> None:
        """Run the transaction, or note that it cannot run: its balance or nonce is gone since it was pooled."""
        self._state.lock_changes()
        try:
            computation = self._state.apply_transaction(transaction)
        except ValidationError:
            self._refused.append(transaction.hash)
            return
        receipt = PragueVM.make_receipt(self._header, transaction, computation, self._state)
        gas_used = receipt.gas_used - self._header.gas_used
        self._record(transaction, computation, receipt, gas_used)
        bloom = int(BloomFilter(self._header.bloom) | BloomFilter(receipt.bloom))
        self._header = self._header.copy(gas_used=receipt.gas_used, bloom=bloom)

    def _record(
        self, transaction: SignedTransactionAPI, computation: ComputationAPI, receipt: ReceiptAPI, gas_used: int
    ) -> None:
        created = computation.msg.storage_address if computation.msg.is_create else None
        mined = MinedTransaction(
            hash=transaction.hash,
            block_number=self._header.block_number,
            position=len(self._mined),
            sender=transaction.sender,
            raw=transaction.encode(),
            is_success=not computation.is_error,
            gas_used=gas_used,
            cumulative_gas_used=receipt.gas_used,
            effective_gas_price=self._state.get_gas_price(transaction),
            bloom=receipt.bloom,
            created_address=created,
        )
        self._transactions.append(transaction)
        self._receipts.append(receipt)
        for log in receipt.logs:
            topics = tuple(topic.to_bytes(32, "big") for topic in log.topics)
            self._logs.append(
                MinedLog(
                    mined.block_number,
                    len(self._logs),
                    mined.hash,
                    mined.position,
                    log.address,
                    topics,
                    bytes(log.data),
                )
            )
        self._mined.append(mined)

    def sealed(self, nodes: Mapping[bytes, bytes]) -> SealedBlock:
        """The finished block; the state must be persisted."""
        header = self._header.copy(
            state_root=self._state.state_root,
            transaction_root=make_trie_root_and_nodes(self._transactions)[0],
            receipt_root=make_trie_root_and_nodes(self._receipts)[0],
        )
        return SealedBlock(header, self._mined, self._logs, nodes, self._refused)


def _child(parent: BlockHeaderAPI | None, timestamp: int, base_fee: int) -> BlockHeaderAPI:
    number = 0 if parent is None else parent.block_number + 1
    past: dict[str, Any] = {} if parent is None else {"parent_hash": parent.hash, "state_root": parent.state_root}
    return PragueBlockHeader(
        difficulty=0,
        block_number=BlockNumber(number),
        gas_limit=BLOCK_GAS_LIMIT,
        timestamp=timestamp,
        coinbase=FEE_RECIPIENT,
        uncles_hash=EMPTY_UNCLE_HASH,
        nonce=NO_NONCE,
        base_fee_per_gas=base_fee,
        **past,
    )


def _text(address: bytes) -> str:
    return "0x" + address.hex()
