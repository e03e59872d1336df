"""The outside world at the service's ports: a clock, a chain with its facilitator, a provider of numbers.

Each keeps one truth in memory and answers from it as the port promises; a test may take a part away, never our code.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from phoneagent.core.errors import Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    Bought,
    CancelAnswer,
    CancelDone,
    Closed,
    Dead,
    DeadReason,
    Offer,
    OutOfStock,
    Paid,
    PayerReading,
    ProviderTraits,
    Purchase,
    PurchaseAnswer,
    Received,
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettlementProof,
    SettleUnknown,
    StatusAnswer,
    Undecided,
    Verified,
    VerifyAnswer,
    VerifyRefused,
    Waiting,
)
from phoneagent.core.rental import Message, MessageState
from phoneagent.core.transitions import Activation

NOW_S = 1_795_300_000

SMSFAST = ProviderTraits(
    name="smsfast",
    can_list_activations=False,
    early_cancel_ms=120_000,
    refund_window_ms=1_500_000,
    purchase_timeout_ms=20_000,
)


@dataclass
class FakeClock:
    """Time stands still until a test moves it, for the service and for the scripts of its store."""

    at_ms: int = NOW_S * 1000
    elapsed_s: float = 0.0

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic_s(self) -> float:
        return self.elapsed_s

    def lag_s(self) -> int:
        return 0

    def pass_by(self, seconds: float) -> None:
        self.at_ms += round(seconds * 1000)
        self.elapsed_s += seconds


@dataclass
class FakeChain:
    """Balances, and what became of every authorization: the `Chain` port.

    While it ``is_shallow`` nothing lies deep enough to prove anything; while it ``is_broken`` it breaks its promises.
    """

    clock: FakeClock
    pay_to: str
    balances: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    fates: dict[str, Paid | Dead] = field(default_factory=dict)
    contract_wallets: set[str] = field(default_factory=set)
    refusal: str | None = None
    is_down: bool = False
    is_broken: bool = False
    is_shallow: bool = False
    block: int = 1000
    readings: int = 0

    async def read_payer(self, payment: Payment) -> PayerReading:
        self._check()
        self.readings += 1
        payer = payment.authorization.payer
        return PayerReading(
            block=self.block,
            balance_atomic=self.balances[payer],
            is_authorization_used=payment.claim_key in self.fates,
            payer_has_code=payer in self.contract_wallets,
            refusal=self.refusal,
            refusal_is_payers="invalid signature" in (self.refusal or ""),
        )

    async def find_settlement(
        self,
        payment: Payment,
        from_block: int,
        hint: str | None = None,  # noqa: ARG002  there are no logs to search here
    ) -> SettlementProof:
        self._check()
        assert from_block <= self.block
        fate = self.fates.get(payment.claim_key)
        if self.is_shallow:
            return Undecided(is_used=fate is not None)
        if fate is None and self.clock.now_ms() > payment.authorization.valid_before * 1000:
            return Dead(DeadReason.EXPIRED, self.block)
        return fate or Undecided(is_used=False)

    def transfer(self, payment: Payment) -> str | None:
        """Execute the authorization as the token does; None when it would revert."""
        auth = payment.authorization
        if payment.claim_key in self.fates or self.balances[auth.payer] < auth.amount_atomic:
            return None
        self.block += 1
        self.balances[auth.payer] -= auth.amount_atomic
        self.balances[auth.payee] += auth.amount_atomic
        tx_hash = f"0x{self.block:064x}"
        self.fates[payment.claim_key] = Paid(tx_hash, self.block)
        return tx_hash

    def cancel(self, payment: Payment) -> None:
        """The payer cancels its authorization."""
        self.block += 1
        self.fates[payment.claim_key] = Dead(DeadReason.CANCELLED, self.block)

    @property
    def earned(self) -> int:
        return self.balances[self.pay_to]

    def _check(self) -> None:
        if self.is_broken:
            raise RuntimeError("a secret of the machine room")
        if self.is_down:
            raise Unavailable("chain_unavailable")


class Fault(Enum):
    """What a facilitator does with a settle call instead of settling."""

    DECLINES = auto()
    IS_SILENT = auto()
    LOSES_ITS_REPLY = auto()
    LIES = auto()


@dataclass
class FakeFacilitator:
    """The `Facilitator` port over the fake chain. ``gate`` keeps settle calls waiting while it is closed."""

    chain: FakeChain
    refuses: str | None = None
    is_down: bool = False
    fault: Fault | None = None
    verified: list[Payment] = field(default_factory=list)
    settled: list[Payment] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def verify(self, payment: Payment) -> VerifyAnswer:
        if self.is_down:
            raise Unavailable("facilitator_unavailable")
        self.verified.append(payment)
        return VerifyRefused(self.refuses) if self.refuses else Verified()

    async def settle(self, payment: Payment) -> SettleAnswer:
        self.settled.append(payment)
        self.is_asked.set()
        await self.gate.wait()
        if self.fault is Fault.DECLINES:
            return SettleDeclined("declined", payer_at_fault=False)
        if self.fault is Fault.IS_SILENT:
            return SettleUnknown("no answer")
        if self.fault is Fault.LIES:
            return SettleClaimed("0x" + "11" * 32)
        tx_hash = self.chain.transfer(payment)
        if self.fault is Fault.LOSES_ITS_REPLY:
            return SettleUnknown("no answer")
        return SettleClaimed(tx_hash) if tx_hash else SettleDeclined("insufficient_funds", payer_at_fault=True)


@dataclass
class FakeProvider:
    """The `Provider` port: numbers, and the SMS they have got. ``gate`` keeps purchases waiting while it is closed."""

    clock: FakeClock
    traits: ProviderTraits = SMSFAST
    shelf: dict[tuple[str, str], int] = field(default_factory=dict)
    next_answer: PurchaseAnswer | None = None
    is_down: bool = False
    cost_atomic: int = 250_000
    left_atomic: int | None = None
    first_id: int = 1
    bought: list[Activation] = field(default_factory=list)
    messages: defaultdict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    closed: set[str] = field(default_factory=set)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def list_activations(self) -> None:
        """Be a host that can list its activations."""
        self.traits = replace(self.traits, can_list_activations=True)

    def receive(self, number: str, text: str, sender: str = "") -> None:
        """An SMS arrives."""
        (activation,) = (one for one in self.bought if one.number == number)
        message = Message(text, sender, self.clock.now_ms(), MessageState.SEALED)
        self.messages[activation.activation_id].append(message)

    async def stock(self) -> Mapping[tuple[str, str], int]:
        self._check()
        return self.shelf

    async def offers(self) -> Mapping[tuple[str, str], Offer]:
        self._check()
        return {pair: Offer(self.cost_atomic, count) for pair, count in self.shelf.items()}

    async def balance(self) -> int:
        self._check()
        return 5_000_000 - 250_000 * len(self.bought) if self.left_atomic is None else self.left_atomic

    async def statuses(self, activation_ids: Collection[str]) -> Mapping[str, StatusAnswer]:
        self._check()
        return {one: await self.status(one) for one in activation_ids if one not in self.closed}

    async def buy(self, purchase: Purchase) -> PurchaseAnswer:
        self.is_asked.set()
        await self.gate.wait()
        if self.next_answer is not None:
            return self.next_answer
        if self.shelf.get((purchase.country, purchase.service), 0) <= 0:
            return OutOfStock("NO_NUMBERS")
        count = len(self.bought) + self.first_id
        self.bought.append(Activation(f"a{count}", f"1415555{count:04d}", 250_000))
        return Bought(self.bought[-1])

    async def status(self, activation_id: str) -> StatusAnswer:
        self._check()
        if self.messages[activation_id]:
            return Received(tuple(self.messages[activation_id]))
        return Closed("STATUS_CANCEL") if activation_id in self.closed else Waiting()

    async def cancel(self, activation_id: str) -> CancelAnswer:
        self._check()
        self.closed.add(activation_id)
        return CancelDone("ACCESS_CANCEL")

    async def finish(self, activation_id: str) -> str:
        self._check()
        self.closed.add(activation_id)
        return "ACCESS_ACTIVATION"

    async def find_unclaimed(self, purchase: Purchase, since_ms: int) -> Sequence[Activation]:
        assert purchase.country
        assert since_ms <= self.clock.now_ms()
        return tuple(self.bought)

    async def made_since(self, since_ms: int) -> Sequence[Activation]:
        self._check()
        assert since_ms < self.clock.now_ms()
        return tuple(self.bought)

    def _check(self) -> None:
        if self.is_down:
            raise Unavailable("provider_unavailable")
