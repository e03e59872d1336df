"""The chain itself: takes transactions, seals blocks, answers for any block it ever sealed.

Everything here is synchronous and belongs to one thread; it must never be called from an event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth_keys.datatypes import PrivateKey
from eth_typing import Address

from phoneagent.dev.chain.errors import refused
from phoneagent.dev.chain.evm import Evm, GenesisAccount
from phoneagent.dev.chain.pool import Pool
from phoneagent.dev.chain.records import base_fee_of
from phoneagent.dev.chain.rules import (
    CHAIN_ID,
    MAX_LAG_S,
    MAX_LEAD_S,
    SUGGESTED_TIP_WEI,
    next_base_fee,
)
from phoneagent.dev.chain.store import ChainStore
from phoneagent.dev.chain.token import USDC_ADDRESS, artifact, genesis_storage, mint_calldata
from phoneagent.dev.chain.transactions import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eth.abc import BlockHeaderAPI, SignedTransactionAPI, StateAPI

    from phoneagent.dev.chain.calls import CallOutcome, CallRequest
    from phoneagent.dev.chain.records import SealedBlock

USDC = bytes.fromhex(USDC_ADDRESS[2:])
OWNER_BALANCE_WEI = 1000 * 10**18
MINT_GAS = 200_000


class Tag(StrEnum):
    """A block by its role. Nothing is ever reorganised here, so the newest block is safe and final at once."""

    LATEST = "latest"
    PENDING = "pending"
    SAFE = "safe"
    FINALIZED = "finalized"
    EARLIEST = "earliest"


BlockSelector = Tag | int | bytes
"""A role, a number or a hash."""


@dataclass(frozen=True, slots=True)
class Genesis:
    """Whom a new chain is founded for; an existing one is checked against the owner and keeps its accounts."""

    balances_wei: Mapping[bytes, int]
    owner_key: bytes


@dataclass(frozen=True, slots=True)
class View:
    """A block to read from; `pending` holds the block that would be sealed now, if that is the one."""

    header: BlockHeaderAPI
    pending: SealedBlock | None = None


class EvmChain:
    """Blocks on a store, a pool beside them, and a clock that says when the next block is due.

    `now_s` gives UTC seconds and may jump forward. Raises ValueError if the store was founded with another owner key,
    and ChainInUseError if another process has it open.
    """

    def __init__(self, data_dir: Path | None, genesis: Genesis, now_s: Callable[[], int]) -> None:
        self._owner = PrivateKey(genesis.owner_key)
        self._now_s = now_s
        self.store = ChainStore(data_dir)
        self._evm = Evm(self.store)
        self.pool = Pool()
        self._is_automining = True
        self._forced_base_fee: int | None = None
        try:
            self._found_or_check(genesis)
        except BaseException:
            self.store.close()
            raise
        self.head = self.store.head()

    def _found_or_check(self, genesis: Genesis) -> None:
        owner = self._owner.public_key.to_canonical_address()
        founded_by = self.store.owner()
        if founded_by is None:
            self.store.found(self._evm.found(_accounts(genesis, owner), self._now_s()), owner)
        elif founded_by != owner:
            raise ValueError("the chain in this data directory belongs to another owner key")

    def close(self) -> None:
        """Let go of the store; waiting transactions are forgotten."""
        self.store.close()

    # ------------------------------------------------------------------------------------------------------ sending

    def send_raw(self, raw: bytes) -> bytes:
        """Take a signed transaction and, unless mining is held, put it into a block at once. Returns its hash.

        Raises RpcError if a node would not take it.
        """
        transaction = decode(raw)
        state = self.state(View(self.head))
        sender = transaction.sender
        self.pool.add(transaction, state.get_nonce(sender), state.get_balance(sender))
        if self._is_automining:
            self._seal_ready()
        return transaction.hash

    def mint(self, to: bytes, amount_atomic: int) -> bytes:
        """Create tokens in a block of their own, whatever waits and whether or not mining is held. Returns the hash."""
        base_fee = self.base_fee()
        owner = Address(self._owner.public_key.to_canonical_address())
        unsigned = PragueTransactionBuilder.new_unsigned_dynamic_fee_transaction(
            chain_id=CHAIN_ID,
            nonce=self.state(View(self.head)).get_nonce(owner),
            max_priority_fee_per_gas=SUGGESTED_TIP_WEI,
            max_fee_per_gas=base_fee + SUGGESTED_TIP_WEI,
            gas=MINT_GAS,
            to=Address(USDC),
            value=0,
            data=mint_calldata(to, amount_atomic),
            access_list=[],
        )
        transaction = unsigned.as_signed_transaction(self._owner)
        block = self._seal([transaction], self._now_s())
        if not block.transactions or not block.transactions[0].is_success:
            raise refused(f"the token refused to mint {amount_atomic} for 0x{to.hex()}")
        return block.transactions[0].hash

    def drop_transaction(self, transaction_hash: bytes) -> bool:
        """Forget a waiting transaction; False if none waits under this hash."""
        return self.pool.drop(transaction_hash)

    # ------------------------------------------------------------------------------------------------------- mining

    def mine(self, timestamp: int | None = None) -> BlockHeaderAPI:
        """Seal a block with everything that can run, held or not.

        Its time is `timestamp`, or now, but later than its parent's (at `MAX_LEAD_S` ahead of the clock: not earlier).
        """
        return self._seal(self._ready(), self._now_s() if timestamp is None else timestamp).header

    def tick(self) -> None:
        """Seal a block now, because the clock moved or somebody wants one; waiting transactions stay out while held."""
        self._seal(self._ready() if self._is_automining else [], self._now_s())

    def keep_up(self) -> None:
        """Seal a block if the newest is too old."""
        if self._now_s() - self.head.timestamp >= MAX_LAG_S:
            self.tick()

    def set_automine(self, *, is_on: bool) -> None:
        """Hold transactions in the pool, or let them go on; `mine` takes them anyway."""
        self._is_automining = is_on
        if is_on:
            self._seal_ready()

    def set_next_base_fee(self, base_fee_wei: int) -> None:
        """Give the next block this base fee; the ones after it follow from it by the usual rule."""
        self._forced_base_fee = base_fee_wei

    def base_fee(self) -> int:
        """Base fee in wei of the block to come."""
        if self._forced_base_fee is not None:
            return self._forced_base_fee
        return next_base_fee(base_fee_of(self.head), self.head.gas_used, self.head.gas_limit)

    def _ready(self) -> list[SignedTransactionAPI]:
        return self.pool.ready(self.state(View(self.head)).get_nonce, self.base_fee())

    def _seal_ready(self) -> None:
        # More than once when the pool holds more gas than a block.
        while ready := self._ready():
            self._seal(ready, self._now_s())

    def _seal(self, transactions: Sequence[SignedTransactionAPI], timestamp: int) -> SealedBlock:
        block = self._assemble(transactions, timestamp)
        self.store.append(block)
        self.head = block.header
        self._forced_base_fee = None
        self.pool.forget(block, self.state(View(self.head)).get_nonce)
        return block

    def _assemble(self, transactions: Sequence[SignedTransactionAPI], timestamp: int) -> SealedBlock:
        may_share = self.head.timestamp - self._now_s() >= MAX_LEAD_S
        earliest = self.head.timestamp if may_share else self.head.timestamp + 1
        return self._evm.execute(self.head, max(timestamp, earliest), self.base_fee(), transactions)

    # ------------------------------------------------------------------------------------------------------ reading

    def find(self, selector: BlockSelector) -> View | None:
        """The block that is meant, None if there is none."""
        match selector:
            case Tag.LATEST | Tag.SAFE | Tag.FINALIZED:
                return View(self.head)
            case Tag.PENDING:
                block = self._assemble(self._ready(), self._now_s())
                return View(block.header, block)
            case Tag.EARLIEST:
                return _sealed(self.store.header_by_number(0))
            case bytes():
                return _sealed(self.store.header_by_hash(selector))
            case int():
                return _sealed(self.store.header_by_number(selector))
            case _:
                assert_never(selector)

    def view(self, selector: BlockSelector) -> View:
        """The block that is meant; RpcError if there is none."""
        view = self.find(selector)
        if view is None:
            raise refused("header not found")
        return view

    def state(self, view: View) -> StateAPI:
        """Accounts, code and storage after the block."""
        return self._evm.state_at(view.header, view.pending.nodes if view.pending else None)

    def call(self, view: View, request: CallRequest, gas: int) -> CallOutcome:
        """Try the call on the state after the block; RpcError if it cannot start."""
        return self._evm.call(view.header, request, gas, view.pending.nodes if view.pending else None)


def _sealed(header: BlockHeaderAPI | None) -> View | None:
    return None if header is None else View(header)


def _accounts(genesis: Genesis, owner: bytes) -> dict[bytes, GenesisAccount]:
    balances = {owner: OWNER_BALANCE_WEI, **genesis.balances_wei}
    token = GenesisAccount(code=artifact().runtime_code, storage=genesis_storage(owner))
    return {address: GenesisAccount(balance) for address, balance in balances.items()} | {USDC: token}
