"""The Facilitator port over our own relayer: judge by the token's simulation, settle by our own transaction.

It must never settle one payment in two tasks at once, nor let a node that is away be taken for an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from phoneagent.core.errors import Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import SettleAnswer, SettleUnknown, Verified, VerifyAnswer, VerifyRefused
from phoneagent.facilitators.chain import RpcChain
from phoneagent.facilitators.local import gas, terms
from phoneagent.facilitators.local.attempt import Attempt, Means, refusal_of
from phoneagent.facilitators.local.gauge import Gauge
from phoneagent.facilitators.local.relayer import Relayer
from phoneagent.facilitators.nodes import Nodes
from phoneagent.facilitators.rpc import as_int

if TYPE_CHECKING:
    from phoneagent.x402.eip3009 import Domain

RECEIPT_WAIT_S = 20.0
"""How long settle waits for its transaction; the rest of the facilitator client's 30 s is for sending it."""


class LocalFacilitator:
    """Verifies and settles payments in one token. ``now_s`` gives UTC seconds.

    A settle call talks to one node from its first question to its last; when that one is away, the next is tried with a
    fresh look. What was sent is in the relayer's outbox: with a durable one, a restart goes on with it.
    """

    def __init__(
        self,
        nodes: Nodes,
        relayer: Relayer,
        domain: Domain,
        now_s: Callable[[], int],
        *,
        receipt_wait_s: float = RECEIPT_WAIT_S,
        floor_wei: int = gas.FLOOR_WEI,
    ) -> None:
        self._nodes = nodes
        self._chain = RpcChain(nodes)
        self._gauge = Gauge(relayer.address, floor_wei)
        self._means = Means(nodes, relayer, domain, now_s, receipt_wait_s, self._gauge)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def address(self) -> str:
        """The relayer's address, which needs ether for gas."""
        return self._means.relayer.address

    async def verify(self, payment: Payment) -> VerifyAnswer:
        reason = terms.refusal(payment, self._means.domain, self._means.now_s())
        if reason is None:
            try:
                reason = refusal_of(payment, await self._chain.read_payer(payment))
            except Unavailable as exc:
                raise Unavailable("facilitator_unavailable", exc.detail) from exc
        return Verified() if reason is None else VerifyRefused(reason)

    async def settle(self, payment: Payment) -> SettleAnswer:
        turn = self._turns.setdefault(payment.claim_key, asyncio.Lock())
        async with turn:
            try:
                return await self._nodes.attempt(lambda rpc: Attempt(self._means, rpc, payment).settle())
            except Unavailable as exc:
                return SettleUnknown(exc.detail, await self._hash_of(payment))

    async def tank(self) -> gas.Tank:
        """Read what is left for gas; below the floor it is logged as an error, once. Raises Unavailable."""
        answer = await self._nodes.attempt(lambda rpc: rpc.read("eth_getBalance", self.address, "latest"))
        return self._gauge.read(as_int(answer))

    async def _hash_of(self, payment: Payment) -> str | None:
        try:
            earlier = await self._means.relayer.earlier(payment)
        except Unavailable:
            return None
        return None if earlier is None else earlier.newest.tx_hash
