"""The one owner of the relayer's nonces: signs, writes down, sends, outbids, and waits for no block in between.

It must never leave a gap: a nonce counts as taken only when a node took it, else it is read again from `pending`, after
everything of ours that may have been lost was sent once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from phoneagent.facilitators import reasons
from phoneagent.facilitators.local import gas
from phoneagent.facilitators.local.outbox import Outgoing
from phoneagent.facilitators.local.wallet import Signed, Wallet
from phoneagent.facilitators.rpc import Call, ChainAway, NodeError, Rpc, as_int, as_object, understood

if TYPE_CHECKING:
    from phoneagent.core.payment import Payment
    from phoneagent.core.ports import Outbox
    from phoneagent.x402.eip3009 import Domain

logger = logging.getLogger(__name__)

STUCK_AFTER_S = 15
"""How long a bid stands before it is raised: seven blocks of Base, and less than a caller waits for its receipt."""

MOST_VERSIONS = 10
"""How often one nonce is bid for: nine raises of 10 % more than double the price."""

_TRIES = 3
"""How often a transaction is signed anew because somebody else's, or our own lost one, took its nonce."""

_NEXT = "next"
"""The entry with the nonce to give out next. Missing: read it from a node."""

_KNOWN = ("already known", "already imported", "known transaction")
_UNDERPRICED = "underpriced"
_NONCE_TOO_LOW = "nonce too low"
_NO_ETHER = "insufficient funds"
"""The texts by which pools refuse a transaction: go-ethereum core/txpool/errors.go; chain.md §8 for the others."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A node has it."""

    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class NotSent:
    """No node has it."""

    reason: str


@dataclass(frozen=True, slots=True)
class PerhapsSent:
    """No understood answer: a node may have it."""

    outgoing: Outgoing
    reason: str


Sending = Sent | NotSent | PerhapsSent


class Relayer:
    """Sends transactions of one key. All that sign with a key must share its outbox. ``now_s`` gives UTC seconds.

    Whatever is read, signed and sent in one call goes to the one node that the caller names.
    """

    def __init__(self, wallet: Wallet, outbox: Outbox, now_s: Callable[[], int], max_fee_wei: int) -> None:
        self._wallet = wallet
        self._outbox = outbox
        self._now_s = now_s
        self._max_fee_wei = max_fee_wei

    @classmethod
    async def open(
        cls,
        key: bytes,
        domain: Domain,
        outbox_of: Callable[[str], Outbox],
        now_s: Callable[[], int],
        *,
        max_fee_wei: int = gas.MAX_FEE_WEI,
    ) -> Self:
        """Open the wallet in a thread and the outbox of its address. Raises ValueError for a key that is none."""
        wallet = await asyncio.to_thread(Wallet, key, domain)
        return cls(wallet, outbox_of(wallet.address), now_s, max_fee_wei)

    @property
    def address(self) -> str:
        """Who pays the gas."""
        return self._wallet.address

    async def earlier(self, payment: Payment) -> Outgoing | None:
        """Return what was sent for a payment and has not been seen to end, by whatever process."""
        text = (await self._outbox.read()).get(payment.claim_key)
        return None if text is None else Outgoing.of_text(payment.claim_key, text)

    async def forget(self, payment: Payment) -> None:
        """Forget what was sent for a payment: it was mined."""
        await self._outbox.write({payment.claim_key: None})

    async def distrust_nonce(self) -> None:
        """Read the nonce anew before the next sending: a transaction was not mined in time and may be lost."""
        await self._outbox.write({_NEXT: None})

    async def send(self, rpc: Rpc, payment: Payment, gas_limit: int, base_fee_wei: int) -> Sending:
        """Sign the payment's settlement, write it down, send it.

        Raises Unavailable when nonce or outbox cannot be read; then nothing new was sent.
        """
        fees = gas.fees_above(base_fee_wei, self._max_fee_wei)
        if fees is None:
            logger.error("gas is dearer than the relayer may pay", extra={"base_fee_wei": base_fee_wei})
            return NotSent(reasons.GAS_TOO_DEAR)
        async with self._outbox.turn():
            for _ in range(_TRIES):
                nonce = await self._take_nonce(rpc)
                signed = await asyncio.to_thread(self._wallet.sign, payment, nonce, gas_limit, fees)
                ends_at_s = payment.authorization.valid_before
                outgoing = Outgoing(payment.claim_key, nonce, fees, self._now_s(), ends_at_s, (signed,))
                # Nobody owns the nonce until a node has said so: whatever interrupts us now leads to a fresh reading.
                await self._outbox.write({outgoing.name: outgoing.text(), _NEXT: None})
                sending = await self._send(rpc, outgoing)
                if sending is not None:
                    return sending
                await self._outbox.write({outgoing.name: None})
            return NotSent("the relayer's nonce is taken again and again")

    async def push(self, rpc: Rpc, payment: Payment) -> Sending | None:
        """Send what is on its way once more, dearer when it has stood for long; None when its nonce went to another.

        Raises Unavailable when that is not known.
        """
        if await self.earlier(payment) is None:
            return None
        async with self._outbox.turn():
            earlier = await self.earlier(payment)  # now nobody changes it
            if earlier is None:
                return None
            outgoing = await self._dearer(rpc, earlier)
            answer = await self._ask(rpc, outgoing.newest)
            if answer is None or await self._is_on_node(rpc, outgoing):
                return Sent(outgoing)
            if _says(answer, _NONCE_TOO_LOW):
                await self._outbox.write({outgoing.name: None})
                return None
            self._note(answer, outgoing)
            return PerhapsSent(outgoing, "the node refused the transaction")

    # ---- nonces --------------------------------------------------------------------------------------------------

    async def _take_nonce(self, rpc: Rpc) -> int:
        entries = await self._outbox.read()
        await self._end_old(rpc, entries)
        if _NEXT in entries:
            return int(entries[_NEXT])
        nonce = await self._count(rpc, "pending")
        lost = [one for one in _outgoing(entries) if one.nonce >= nonce and one.ends_at_s > self._now_s()]
        if not lost:
            return nonce
        for one in lost:  # in the order of nonces: each makes room for the next
            await self._ask(rpc, one.newest)
        return await self._count(rpc, "pending")

    async def _end_old(self, rpc: Rpc, entries: Mapping[str, str]) -> None:
        """Forget what was mined of payments that are over, and free the first nonce if one of them still blocks it."""
        now_s = self._now_s()
        over = [one for one in _outgoing(entries) if one.ends_at_s <= now_s]
        if not over:
            return
        mined = await self._count(rpc, "latest")
        await self._outbox.write({one.name: None for one in over if one.nonce < mined})
        for one in over:
            if one.nonce == mined and one.bid_at_s + STUCK_AFTER_S <= now_s:
                # Its transfer would only revert by now; everything behind it waits for this nonce.
                fees = gas.fees_over(one.fees, await self._base_fee(rpc), self._max_fee_wei)
                if fees is not None:
                    signed = await asyncio.to_thread(self._wallet.sign_nothing, one.nonce, fees)
                    await self._ask(rpc, await self._keep(one.outbid(signed, fees, now_s)))

    async def _dearer(self, rpc: Rpc, standing: Outgoing) -> Outgoing:
        """Return it with a higher bid, when it has stood long enough and the cap allows."""
        now_s = self._now_s()
        if standing.bid_at_s + STUCK_AFTER_S > now_s or len(standing.versions) >= MOST_VERSIONS:
            return standing
        fees = gas.fees_over(standing.fees, await self._base_fee(rpc), self._max_fee_wei)
        if fees is None:
            return standing
        signed = await asyncio.to_thread(self._wallet.sign_dearer, standing.newest, fees)
        outgoing = standing.outbid(signed, fees, now_s)
        await self._keep(outgoing)
        logger.info("settlement outbid", extra={"tx_hash": signed.tx_hash, "bids": len(outgoing.versions)})
        return outgoing

    async def _keep(self, outgoing: Outgoing) -> Signed:
        await self._outbox.write({outgoing.name: outgoing.text()})
        return outgoing.newest

    # ---- one node ------------------------------------------------------------------------------------------------

    async def _send(self, rpc: Rpc, outgoing: Outgoing) -> Sending | None:
        """Send for the first time; None when the nonce is taken and another has to be tried."""
        try:
            answer = await self._ask(rpc, outgoing.newest)
            if answer is None:
                await self._outbox.write({_NEXT: str(outgoing.nonce + 1)})
                return Sent(outgoing)
            if _says(answer, _NONCE_TOO_LOW, _UNDERPRICED):
                return Sent(outgoing) if await self._is_on_node(rpc, outgoing) else None
        except ChainAway as exc:
            return await self._perhaps(outgoing, exc)
        if _says(answer, _NO_ETHER):
            logger.error("relayer has no ether for gas", extra={"relayer": self.address})
            await self._outbox.write({outgoing.name: None})
            return NotSent(reasons.RELAYER_WITHOUT_GAS)
        self._note(answer, outgoing)
        return PerhapsSent(outgoing, "the node refused the transaction")

    async def _perhaps(self, outgoing: Outgoing, away: ChainAway) -> Sending:
        if away.was_sent:
            return PerhapsSent(outgoing, away.detail)
        await self._outbox.write({outgoing.name: None, _NEXT: str(outgoing.nonce)})
        return NotSent(away.detail)

    async def _ask(self, rpc: Rpc, signed: Signed) -> NodeError | None:
        """Send; None when the node has it, now or before."""
        answer = await rpc.ask("eth_sendRawTransaction", signed.raw)
        return answer if isinstance(answer, NodeError) and not _says(answer, *_KNOWN) else None

    async def _is_on_node(self, rpc: Rpc, outgoing: Outgoing) -> bool:
        calls = [Call("eth_getTransactionByHash", (tx_hash,)) for tx_hash in outgoing.tx_hashes]
        return any(understood(found) is not None for found in await rpc.batch(calls))

    async def _count(self, rpc: Rpc, tag: str) -> int:
        return as_int(await rpc.read("eth_getTransactionCount", self.address, tag))

    async def _base_fee(self, rpc: Rpc) -> int:
        return as_int(as_object(await rpc.read("eth_getBlockByNumber", "latest", False)).get("baseFeePerGas"))  # noqa: FBT003  JSON-RPC's "only hashes"

    def _note(self, refusal: NodeError, outgoing: Outgoing) -> None:
        logger.warning("node refused a settlement", extra={"code": refusal.code, "tx_hash": outgoing.newest.tx_hash})


def _outgoing(entries: Mapping[str, str]) -> list[Outgoing]:
    """Return what is on its way, in the order of nonces."""
    found = [Outgoing.of_text(name, text) for name, text in entries.items() if name != _NEXT]
    return sorted(found, key=lambda one: one.nonce)


def _says(error: NodeError, *texts: str) -> bool:
    message = error.message.lower()
    return any(text in message for text in texts)
