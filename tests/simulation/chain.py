"""The model chain: blocks every two seconds, a mempool, balances through time, and the end of every authorization.

A transaction has its effect in its block or reverts there; the past never changes (no reorganisations).
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from phoneagent.core.payment import Authorization, Payment
from phoneagent.core.ports import Dead, DeadReason, Paid, PayerReading, SettlementProof, Undecided

START_S = 1_700_000_000
"""When every simulated world begins, in unix time; long past, so that no key of it expires by fakeredis's own clock."""

BLOCK_S = 2
FIRST_BLOCK = 1000


class Kind(StrEnum):
    """What a transaction does."""

    SETTLE = "settle"
    CANCEL = "cancel"
    USE_ELSEWHERE = "use elsewhere"
    SPEND = "spend"
    TOP_UP = "top up"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One wish of somebody; for SETTLE, CANCEL and USE_ELSEWHERE ``auth`` names the nonce."""

    kind: Kind
    payer: str
    amount: int
    auth: Authorization | None = None


@dataclass(frozen=True, slots=True)
class End:
    """What became of an authorization."""

    kind: Kind
    auth: Authorization
    block: int
    tx_hash: str


@dataclass(order=True, slots=True)
class _Pending:
    block: int
    serial: int
    tx_hash: str = field(compare=False)
    tx: Transaction = field(compare=False)


class ModelChain:
    """The truth about money. ``now_s`` runs from 0, which is START_S and the first block."""

    def __init__(self, now_s: Callable[[], float], pay_to: str, confirmations: int) -> None:
        """Empty purses."""
        self.now_s = now_s
        self._pay_to = pay_to
        self._confirmations = confirmations
        self._pending: list[_Pending] = []
        self._serials = count(1)
        self._balances: defaultdict[str, list[tuple[int, int]]] = defaultdict(lambda: [(0, 0)])
        self.ends: dict[tuple[str, str], End] = {}
        self.earned: list[End] = []

    # ---- blocks

    @property
    def head(self) -> int:
        """The newest block's number."""
        return FIRST_BLOCK + int(self.now_s() // BLOCK_S)

    def timestamp(self, block: int) -> int:
        """The unix time of a block."""
        return START_S + (block - FIRST_BLOCK) * BLOCK_S

    def send(self, tx: Transaction, after_blocks: int = 0) -> str:
        """Put a transaction into the mempool; it is mined in the next block or so many later."""
        serial = next(self._serials)
        tx_hash = f"0x{serial:064x}"
        bisect.insort(self._pending, _Pending(self.head + 1 + after_blocks, serial, tx_hash, tx))
        return tx_hash

    def catch_up(self) -> None:
        """Mine what is due."""
        while self._pending and self._pending[0].block <= self.head:
            self._execute(self._pending.pop(0))

    def _execute(self, pending: _Pending) -> None:
        tx = pending.tx
        if tx.kind is Kind.TOP_UP:
            self._add(tx.payer, pending.block, tx.amount)
        elif tx.kind is Kind.SPEND:
            self._add(tx.payer, pending.block, -min(tx.amount, self.balance(tx.payer)))
        elif tx.auth is not None and self.refusal(tx, pending.block) is None:
            end = End(tx.kind, tx.auth, pending.block, pending.tx_hash)
            self.ends[tx.auth.payer, tx.auth.nonce] = end
            if tx.kind is not Kind.CANCEL:
                self._add(tx.payer, pending.block, -tx.amount)
            if tx.kind is Kind.SETTLE:
                self.earned.append(end)

    def refusal(self, tx: Transaction, block: int) -> str | None:
        """Say why the token would revert in a block."""
        auth = tx.auth
        if auth is None:
            return None
        if (auth.payer, auth.nonce) in self.ends:
            return "authorization is used or canceled"
        if tx.kind is Kind.SETTLE and not auth.valid_after < self.timestamp(block) < auth.valid_before:
            return "authorization is expired"
        if tx.kind is not Kind.CANCEL and self.balance(auth.payer) < tx.amount:
            return "transfer amount exceeds balance"
        return None

    # ---- purses

    def balance(self, payer: str, block: int | None = None) -> int:
        """A payer's balance, now or at a block."""
        past = self._balances[payer]
        if block is None:
            return past[-1][1]
        return past[bisect.bisect_right(past, (block, 1 << 200)) - 1][1]

    def _add(self, payer: str, block: int, amount: int) -> None:
        self._balances[payer].append((block, self.balance(payer) + amount))

    def has_paid(self, auth: Authorization) -> bool:
        """Tell whether a block at the depth that counts shows this authorization's transfer to us."""
        self.catch_up()
        end = self.ends.get((auth.payer, auth.nonce))
        return end is not None and end.kind is Kind.SETTLE and end.block <= self.head - self._confirmations + 1

    # ---- what a node answers, ``behind`` blocks behind the newest

    def read_payer(self, payment: Payment, behind: int) -> PayerReading:
        """See the port."""
        self.catch_up()
        block = self.head - behind
        auth = payment.authorization
        end = self.ends.get((auth.payer, auth.nonce))
        is_used = end is not None and end.block <= block
        balance = self.balance(auth.payer, block)
        would_fail = is_used or balance < auth.amount_atomic or self.timestamp(block) >= auth.valid_before
        return PayerReading(block, balance, is_used, False, "the token would revert" if would_fail else None)  # noqa: FBT003  no code at any payer

    def find_settlement(self, payment: Payment, behind: int) -> SettlementProof:
        """See the port."""
        self.catch_up()
        newest = self.head - behind
        deep = newest - self._confirmations + 1
        auth = payment.authorization
        end = self.ends.get((auth.payer, auth.nonce))
        if end is not None and end.block <= deep:
            return self._proof(end)
        if self.timestamp(deep) > auth.valid_before:
            return Dead(DeadReason.EXPIRED, deep)
        return Undecided(is_used=end is not None and end.block <= newest)

    def _proof(self, end: End) -> SettlementProof:
        match end.kind:
            case Kind.SETTLE if end.auth.payee == self._pay_to:
                return Paid(end.tx_hash, end.block)
            case Kind.CANCEL:
                return Dead(DeadReason.CANCELLED, end.block)
            case _:
                return Dead(DeadReason.USED_ELSEWHERE, end.block)


__all__ = ["BLOCK_S", "START_S", "End", "Kind", "ModelChain", "Transaction"]
