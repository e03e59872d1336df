"""The Facilitator port over our own relayer: judge by the token's simulation, settle by our own transaction.

It must never broadcast an authorization that is already used, nor a second transaction while the first may be mined.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, assert_never
from weakref import WeakValueDictionary

from phoneagent.core.errors import Unavailable
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
    Verified,
    VerifyAnswer,
    VerifyRefused,
)
from phoneagent.facilitators import abi, reasons
from phoneagent.facilitators.chain import RpcChain, refusal_in
from phoneagent.facilitators.local import gas, terms
from phoneagent.facilitators.local.receipts import Fate, fate_of
from phoneagent.facilitators.local.relayer import NotSent, PerhapsSent, Relayer, Sent
from phoneagent.facilitators.local.wallet import Signed
from phoneagent.facilitators.rpc import Call, Rpc, as_int, as_object

if TYPE_CHECKING:
    from phoneagent.x402.eip3009 import Domain

RECEIPT_WAIT_S = 20.0
"""How long settle waits for its transaction; the rest of the facilitator client's 30 s is for sending it."""

LOOKBACK_BLOCKS = 2_000
"""How far back the use of an authorization is looked for: an hour of Base, twice the longest window we offer."""


class LocalFacilitator:
    """Verifies and settles payments in one token. ``now_s`` gives UTC seconds.

    What was sent is remembered in this process until the authorization ends; after a restart a settlement that is still
    in the pool may be sent a second time, which costs gas and moves no money.
    """

    def __init__(
        self,
        rpc: Rpc,
        relayer: Relayer,
        domain: Domain,
        now_s: Callable[[], int],
        *,
        receipt_wait_s: float = RECEIPT_WAIT_S,
    ) -> None:
        self._rpc = rpc
        self._chain = RpcChain(rpc)
        self._relayer = relayer
        self._domain = domain
        self._now_s = now_s
        self._receipt_wait_s = receipt_wait_s
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._sent: dict[str, tuple[int, Signed]] = {}

    @classmethod
    async def open(cls, rpc: Rpc, key: bytes, domain: Domain, now_s: Callable[[], int]) -> Self:
        """Load web3 in a thread and return the facilitator of ``key``. Raises ValueError for a key that is none."""
        return cls(rpc, await Relayer.open(rpc, key, domain), domain, now_s)

    @property
    def address(self) -> str:
        """The relayer's address, which needs ether for gas."""
        return self._relayer.address

    async def verify(self, payment: Payment) -> VerifyAnswer:
        reason = terms.refusal(payment, self._domain, self._now_s())
        if reason is None:
            try:
                reason = _refusal(payment, await self._chain.read_payer(payment))
            except Unavailable as exc:
                raise Unavailable("facilitator_unavailable", exc.detail) from exc
        return Verified() if reason is None else VerifyRefused(reason)

    async def settle(self, payment: Payment) -> SettleAnswer:
        turn = self._turns.setdefault(payment.claim_key, asyncio.Lock())
        async with turn:
            try:
                return await self._settle(payment)
            except Unavailable as exc:
                _, earlier = self._sent.get(payment.claim_key, (0, None))
                return SettleUnknown(exc.detail, earlier.tx_hash if earlier else None)

    async def _settle(self, payment: Payment) -> SettleAnswer:
        reason = terms.mismatch(payment, self._domain)
        if reason is not None:
            return await self._declined(payment, reason)
        reading = await self._chain.read_payer(payment)
        if reading.is_authorization_used:
            return await self._what_became_of_it(payment)
        _, earlier = self._sent.get(payment.claim_key, (0, None))
        if earlier is not None and await self._relayer.send_again(earlier):
            return await self._await_block(payment, earlier)
        reason = terms.untimely(payment, self._now_s()) or _refusal(payment, reading)
        return await (self._broadcast(payment) if reason is None else self._declined(payment, reason))

    async def _broadcast(self, payment: Payment) -> SettleAnswer:
        transfer = abi.transfer_with_authorization(payment.authorization, payment.signature)
        estimate, block = await self._rpc.batch(
            [
                Call("eth_estimateGas", ({"from": self.address, "to": payment.token, "data": transfer},)),
                Call("eth_getBlockByNumber", ("latest", False)),
            ]
        )
        refusal = refusal_in(estimate)
        if refusal is not None:
            return await self._declined(payment, reasons.of_revert(refusal))
        if as_int(estimate) > gas.CAP_GAS:
            return await self._declined(payment, reasons.TOO_MUCH_GAS)
        fees = gas.fees_above(as_int(as_object(block).get("baseFeePerGas")))
        return await self._send(payment, gas.limit_for(as_int(estimate)), fees)

    async def _send(self, payment: Payment, gas_limit: int, fees: gas.Fees) -> SettleAnswer:
        sending = await self._relayer.send(payment, gas_limit, fees, lambda signed: self._remember(payment, signed))
        match sending:
            case Sent(signed):
                return await self._await_block(payment, signed)
            case PerhapsSent(signed, reason):
                return SettleUnknown(reason, signed.tx_hash)
            case NotSent(reason):
                self._sent.pop(payment.claim_key, None)
                is_ours = reason == reasons.RELAYER_WITHOUT_GAS
                return SettleDeclined(reason, payer_at_fault=False) if is_ours else SettleUnknown(reason)
            case _:
                assert_never(sending)

    async def _await_block(self, payment: Payment, signed: Signed) -> SettleAnswer:
        fate = await fate_of(self._rpc, signed.tx_hash, self._receipt_wait_s)
        match fate:
            case Fate.SUCCEEDED:
                return SettleClaimed(signed.tx_hash)
            case Fate.PENDING:
                self._relayer.forget_nonce()
                return SettleUnknown(reasons.PENDING, signed.tx_hash)
            case Fate.REVERTED:
                self._sent.pop(payment.claim_key, None)
                reading = await self._chain.read_payer(payment)
                return await self._declined(payment, _refusal(payment, reading) or reasons.TRANSACTION_FAILED)
            case _:
                assert_never(fate)

    async def _declined(self, payment: Payment, reason: str) -> SettleAnswer:
        if reason == reasons.NONCE_USED:
            return await self._what_became_of_it(payment)
        return SettleDeclined(reason, payer_at_fault=reason in reasons.PAYER_FAULTS)

    async def _what_became_of_it(self, payment: Payment) -> SettleAnswer:
        """Answer for an authorization that the token calls used: by us before, by somebody else, or cancelled."""
        proof = await self._chain.find_settlement(payment, await self._chain.head() - LOOKBACK_BLOCKS)
        match proof:
            case Paid(tx_hash):
                return SettleClaimed(tx_hash)
            case Dead(reason):
                return SettleDeclined(reason.value, payer_at_fault=False)
            case Undecided():
                return SettleUnknown(reasons.NONCE_USED)
            case _:
                assert_never(proof)

    def _remember(self, payment: Payment, signed: Signed) -> None:
        now_s = self._now_s()
        self._sent = {key: (end, sent) for key, (end, sent) in self._sent.items() if end > now_s}
        self._sent[payment.claim_key] = (payment.authorization.valid_before, signed)


def _refusal(payment: Payment, reading: PayerReading) -> str | None:
    """Return the facilitator's reason against a payment as the chain shows it."""
    if reading.is_authorization_used:
        return reasons.NONCE_USED
    if not payment.is_proven and not reading.payer_has_code:
        return reasons.INVALID_SIGNATURE
    if reading.balance_atomic < payment.authorization.amount_atomic:
        return reasons.INSUFFICIENT_FUNDS
    return None if reading.refusal is None else reasons.of_revert(reading.refusal)
