"""The one owner of the relayer's nonces: signs, sends, and goes on to the next without waiting for a block.

It must never leave a gap: a nonce counts as taken only when the node took it, else it is read again from `pending`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from phoneagent.facilitators import reasons
from phoneagent.facilitators.local.wallet import Signed, Wallet
from phoneagent.facilitators.rpc import ChainAway, NodeError, Rpc, as_int

if TYPE_CHECKING:
    from phoneagent.core.payment import Payment
    from phoneagent.facilitators.local.gas import Fees
    from phoneagent.x402.eip3009 import Domain

logger = logging.getLogger(__name__)

_TRIES = 3
"""How often a transaction is signed anew because somebody else's, or our own lost one, took its nonce."""

_KNOWN = ("already known", "already imported", "known transaction")
_NONCE_TAKEN = ("nonce too low", "replacement transaction underpriced")
_NO_ETHER = "insufficient funds"
"""The texts by which pools refuse a transaction: go-ethereum core/txpool/errors.go; chain.md §8 for the others."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A node has it."""

    signed: Signed


@dataclass(frozen=True, slots=True)
class NotSent:
    """No node has it."""

    reason: str


@dataclass(frozen=True, slots=True)
class PerhapsSent:
    """No understood answer: a node may have it."""

    signed: Signed
    reason: str


Sending = Sent | NotSent | PerhapsSent


class Relayer:
    """Sends transactions of one key. Run one per key: two owners of one nonce get in each other's way."""

    def __init__(self, rpc: Rpc, wallet: Wallet) -> None:
        self._rpc = rpc
        self._wallet = wallet
        self._turn = asyncio.Lock()
        self._next_nonce: int | None = None

    @classmethod
    async def open(cls, rpc: Rpc, key: bytes, domain: Domain) -> Self:
        """Open the wallet in a thread. Raises ValueError for a key that is none."""
        return cls(rpc, await asyncio.to_thread(Wallet, key, domain))

    @property
    def address(self) -> str:
        """Who pays the gas."""
        return self._wallet.address

    async def send(self, payment: Payment, gas: int, fees: Fees, remember: Callable[[Signed], None]) -> Sending:
        """Sign the payment's settlement and send it; ``remember`` is told what will be sent before it is.

        Raises ChainAway when the nonce cannot be read; then nothing was sent.
        """
        async with self._turn:
            for _ in range(_TRIES):
                nonce = await self._take_nonce()
                signed = await asyncio.to_thread(self._wallet.sign, payment, nonce, gas, fees)
                remember(signed)
                sending = await self._send(signed, nonce)
                if sending is not None:
                    return sending
            return NotSent("the relayer's nonce is taken again and again")

    async def send_again(self, signed: Signed) -> bool:
        """Send the same bytes once more; True when a node has them, False when it refuses them for good.

        Raises ChainAway when that is not known.
        """
        answer = await self._rpc.ask("eth_sendRawTransaction", signed.raw)
        return not isinstance(answer, NodeError) or _says(answer, *_KNOWN)

    def forget_nonce(self) -> None:
        """Read the nonce anew before the next sending: a transaction was not mined in time and may be lost."""
        self._next_nonce = None

    async def _take_nonce(self) -> int:
        # Nobody owns the nonce until a node has said so: whatever interrupts us now leads to a fresh reading.
        nonce, self._next_nonce = self._next_nonce, None
        if nonce is None:
            nonce = as_int(await self._rpc.read("eth_getTransactionCount", self.address, "pending"))
        return nonce

    async def _send(self, signed: Signed, nonce: int) -> Sending | None:
        """Send once; None when the nonce is taken and another has to be tried."""
        try:
            answer = await self._rpc.ask("eth_sendRawTransaction", signed.raw)
            if not isinstance(answer, NodeError) or _says(answer, *_KNOWN):
                self._next_nonce = nonce + 1
                return Sent(signed)
            if _says(answer, *_NONCE_TAKEN):
                return Sent(signed) if await self._is_on_node(signed) else None
        except ChainAway as exc:
            return self._perhaps(signed, nonce, exc)
        if _says(answer, _NO_ETHER):
            logger.error("relayer has no ether for gas", extra={"relayer": self.address})
            return NotSent(reasons.RELAYER_WITHOUT_GAS)
        logger.warning("node refused a settlement", extra={"code": answer.code, "tx_hash": signed.tx_hash})
        return PerhapsSent(signed, "the node refused the transaction")

    def _perhaps(self, signed: Signed, nonce: int, away: ChainAway) -> Sending:
        if away.was_sent:
            return PerhapsSent(signed, away.detail)
        self._next_nonce = nonce
        return NotSent(away.detail)

    async def _is_on_node(self, signed: Signed) -> bool:
        return await self._rpc.read("eth_getTransactionByHash", signed.tx_hash) is not None


def _says(error: NodeError, *texts: str) -> bool:
    message = error.message.lower()
    return any(text in message for text in texts)
