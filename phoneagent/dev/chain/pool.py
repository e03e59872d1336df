"""Transactions that wait for a block, with the rules by which geth takes, replaces and orders them.

It must never run anything: what a sender's account holds comes in as arguments. It lives in memory, as geth's does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoneagent.dev.chain.errors import refused
from phoneagent.dev.chain.rules import BLOCK_GAS_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eth.abc import SignedTransactionAPI
    from eth_typing import Address

    from phoneagent.dev.chain.records import SealedBlock

PRICE_BUMP_PERCENT = 10
"""A replacement must raise both fees by this much (geth's default; Base documents the same)."""


class Pool:
    """One queue of nonces per sender, in order of the sender's arrival; gaps wait until they are filled."""

    def __init__(self) -> None:
        self._queues: dict[Address, dict[int, SignedTransactionAPI]] = {}

    def __iter__(self) -> Iterator[SignedTransactionAPI]:
        return (one for queue in self._queues.values() for one in queue.values())

    def add(self, transaction: SignedTransactionAPI, account_nonce: int, balance_wei: int) -> None:
        """Take the transaction or raise RpcError in geth's words.

        All that waits for a sender must be affordable together.
        """
        if transaction.nonce < account_nonce:
            raise refused(f"nonce too low: next nonce {account_nonce}, tx nonce {transaction.nonce}")
        queue = self._queues.get(transaction.sender, {})
        predecessor = queue.get(transaction.nonce)
        if predecessor is not None:
            _require_replaces(transaction, predecessor)
        others = sum(_cost(one) for nonce, one in queue.items() if nonce != transaction.nonce)
        _require_affordable(balance_wei, others, _cost(transaction))
        self._queues.setdefault(transaction.sender, {})[transaction.nonce] = transaction

    def get(self, transaction_hash: bytes) -> SignedTransactionAPI | None:
        """The waiting transaction with this hash."""
        return next((one for one in self if one.hash == transaction_hash), None)

    def drop(self, transaction_hash: bytes) -> bool:
        """Forget a transaction, as a node does that runs out of room; False if it does not wait here."""
        transaction = self.get(transaction_hash)
        if transaction is None:
            return False
        del self._queues[transaction.sender][transaction.nonce]
        return True

    def next_nonce(self, sender: Address, account_nonce: int) -> int:
        """First nonce that no mined or gaplessly waiting transaction of the sender uses."""
        queue = self._queues.get(sender, {})
        while account_nonce in queue:
            account_nonce += 1
        return account_nonce

    def ready(self, nonce_of: Callable[[Address], int], base_fee: int) -> list[SignedTransactionAPI]:
        """What the next block can take: gapless nonces, enough fee, within the block's gas."""
        chosen: list[SignedTransactionAPI] = []
        gas = 0
        for sender, queue in self._queues.items():
            nonce = nonce_of(sender)
            while (one := queue.get(nonce)) and one.max_fee_per_gas >= base_fee and gas + one.gas <= BLOCK_GAS_LIMIT:
                chosen.append(one)
                gas += one.gas
                nonce += 1
        return chosen

    def forget(self, block: SealedBlock, nonce_of: Callable[[Address], int]) -> None:
        """Remove what the block settled: every nonce that is taken now, and what could not run.

        After a transaction that could not run the sender's later ones could not either; those wait on.
        """
        stuck: dict[Address, int] = {}
        for one in filter(None, map(self.get, block.refused)):
            stuck.setdefault(one.sender, one.nonce)
        kept: dict[Address, dict[int, SignedTransactionAPI]] = {}
        for sender, queue in self._queues.items():
            first = nonce_of(sender)
            kept[sender] = {nonce: one for nonce, one in queue.items() if nonce >= first and nonce != stuck.get(sender)}
        self._queues = {sender: queue for sender, queue in kept.items() if queue}


def _cost(transaction: SignedTransactionAPI) -> int:
    return transaction.gas * transaction.max_fee_per_gas + transaction.value


def _require_replaces(transaction: SignedTransactionAPI, predecessor: SignedTransactionAPI) -> None:
    if transaction.hash == predecessor.hash:
        raise refused("already known")
    fees = (
        (transaction.max_fee_per_gas, predecessor.max_fee_per_gas),
        (transaction.max_priority_fee_per_gas, predecessor.max_priority_fee_per_gas),
    )
    if any(new <= old or new * 100 < old * (100 + PRICE_BUMP_PERCENT) for new, old in fees):
        raise refused("replacement transaction underpriced")


def _require_affordable(balance_wei: int, others_wei: int, cost_wei: int) -> None:
    missing = others_wei + cost_wei - balance_wei
    if missing <= 0:
        return
    text = "insufficient funds for gas * price + value"
    if cost_wei > balance_wei:
        raise refused(f"{text}: balance {balance_wei}, tx cost {cost_wei}, overshot {cost_wei - balance_wei}")
    raise refused(f"{text}: balance {balance_wei}, queued cost {others_wei}, tx cost {cost_wei}, overshot {missing}")
