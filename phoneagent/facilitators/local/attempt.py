"""One try to settle one payment through one node: look, go on with what was sent before, or send, and wait for a block.

It must never send an authorization that is already used, nor a second transaction while the first may be mined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    Dead,
    Paid,
    PayerReading,
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettleUnknown,
    Undecided,
)
from phoneagent.facilitators import abi, reasons
from phoneagent.facilitators.chain import RpcChain, refusal_in
from phoneagent.facilitators.local import gas, terms
from phoneagent.facilitators.local.gauge import Gauge
from phoneagent.facilitators.local.outbox import Outgoing
from phoneagent.facilitators.local.receipts import Fate, outcome_of
from phoneagent.facilitators.local.relayer import NotSent, PerhapsSent, Relayer, Sending, Sent
from phoneagent.facilitators.nodes import Nodes
from phoneagent.facilitators.rpc import Call, Rpc, as_int, as_object

if TYPE_CHECKING:
    from phoneagent.x402.eip3009 import Domain

LOOKBACK_BLOCKS = 2_000
"""How far back the use of an authorization is looked for: an hour of Base, twice the longest window we offer."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every attempt works with. ``now_s`` gives UTC seconds."""

    nodes: Nodes
    relayer: Relayer
    domain: Domain
    now_s: Callable[[], int]
    receipt_wait_s: float
    gauge: Gauge


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to settle one payment through one node."""

    means: Means
    rpc: Rpc
    payment: Payment

    async def settle(self) -> SettleAnswer:
        """Go on with what was sent before, or send. Raises Unavailable while it may still be tried elsewhere."""
        means = self.means
        reason = terms.mismatch(self.payment, means.domain)
        if reason is not None:
            return await self._declined(reason)
        reading = await self._chain.read_payer(self.payment)
        if reading.is_authorization_used:
            return await self._what_became_of_it()
        standing = await means.relayer.push(self.rpc, self.payment)
        if standing is not None:
            return await self._answer(standing)
        reason = terms.untimely(self.payment, means.now_s()) or refusal_of(self.payment, reading)
        return await (self._broadcast() if reason is None else self._declined(reason))

    @property
    def _chain(self) -> RpcChain:
        return RpcChain(Nodes.only(self.rpc))

    async def _broadcast(self) -> SettleAnswer:
        means = self.means
        transfer = abi.transfer_with_authorization(self.payment.authorization, self.payment.signature)
        estimate, block, balance = await self.rpc.batch(
            [
                Call("eth_estimateGas", ({"from": means.relayer.address, "to": self.payment.token, "data": transfer},)),
                Call("eth_getBlockByNumber", ("latest", False)),
                Call("eth_getBalance", (means.relayer.address, "latest")),
            ]
        )
        means.gauge.read(as_int(balance))
        refusal = refusal_in(estimate)
        if refusal is not None:
            return await self._declined(reasons.of_revert(refusal))
        if as_int(estimate) > gas.CAP_GAS:
            return await self._declined(reasons.TOO_MUCH_GAS)
        base_fee_wei = as_int(as_object(block).get("baseFeePerGas"))
        limit = gas.limit_for(as_int(estimate))
        return await self._answer(await means.relayer.send(self.rpc, self.payment, limit, base_fee_wei))

    async def _answer(self, sending: Sending) -> SettleAnswer:
        match sending:
            case Sent(outgoing):
                return await self._await_block(outgoing)
            case PerhapsSent(outgoing, reason):
                self.means.nodes.gave_no_answer(self.rpc)
                return SettleUnknown(reason, outgoing.newest.tx_hash)
            case NotSent(reason):
                is_ours = reason in reasons.ANOTHER_MAY_SETTLE
                return SettleDeclined(reason, payer_at_fault=False) if is_ours else SettleUnknown(reason)
            case _:
                assert_never(sending)

    async def _await_block(self, outgoing: Outgoing) -> SettleAnswer:
        relayer = self.means.relayer
        outcome = await outcome_of(self.rpc, outgoing.tx_hashes, self.means.receipt_wait_s)
        match outcome.fate:
            case Fate.SUCCEEDED:
                await relayer.forget(self.payment)
                return SettleClaimed(outcome.tx_hash)
            case Fate.PENDING:
                await relayer.distrust_nonce()
                return SettleUnknown(reasons.PENDING, outcome.tx_hash)
            case Fate.REVERTED:
                await relayer.forget(self.payment)
                reading = await self._chain.read_payer(self.payment)
                return await self._declined(refusal_of(self.payment, reading) or reasons.TRANSACTION_FAILED)
            case _:
                assert_never(outcome.fate)

    async def _declined(self, reason: str) -> SettleAnswer:
        if reason == reasons.NONCE_USED:
            return await self._what_became_of_it()
        return SettleDeclined(reason, payer_at_fault=reason in reasons.PAYER_FAULTS)

    async def _what_became_of_it(self) -> SettleAnswer:
        """Answer for an authorization that the token calls used: by us before, by somebody else, or cancelled."""
        chain = self._chain
        proof = await chain.find_settlement(self.payment, await chain.head() - LOOKBACK_BLOCKS)
        match proof:
            case Paid(tx_hash):
                return SettleClaimed(tx_hash)
            case Dead(reason):
                return SettleDeclined(reason.value, payer_at_fault=False)
            case Undecided():
                return SettleUnknown(reasons.NONCE_USED)
            case _:
                assert_never(proof)


def refusal_of(payment: Payment, reading: PayerReading) -> str | None:
    """Return the facilitator's reason against a payment as the chain shows it."""
    if reading.is_authorization_used:
        return reasons.NONCE_USED
    if not payment.is_proven and not reading.payer_has_code:
        return reasons.INVALID_SIGNATURE
    if reading.balance_atomic < payment.authorization.amount_atomic:
        return reasons.INSUFFICIENT_FUNDS
    return None if reading.refusal is None else reasons.of_revert(reading.refusal)
