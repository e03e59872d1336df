"""The service's verbs with the world's answers under a test's hand: a host that talks, and parts that misbehave on cue.

It must never replace a verb: a test only says what the outside answers, what happens in between, and when.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from phoneagent.bootstrap import Engine
from phoneagent.core.errors import Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import (
    Balance,
    Bought,
    CancelAnswer,
    Caps,
    ClaimAnswer,
    Lease,
    Leased,
    PayerReading,
    ProviderTraits,
    Purchase,
    PurchaseAnswer,
    PurchaseUnknown,
    SettleAnswer,
    SettlementProof,
    StaleBalance,
    StatusAnswer,
)
from phoneagent.core.rental import Rental
from phoneagent.core.transitions import Activation, Change
from phoneagent.facilitators import RpcChain
from phoneagent.store import keys
from phoneagent.store.rentals import RedisRentals
from tests.web.fakes import FakeChain, FakeFacilitator, FakeProvider
from tests.web.harness import World

SLOT = "s00"


@dataclass
class Host(FakeProvider):
    """A provider that notes every call and may be told what to say to the next ones."""

    asked: list[tuple[str, ...]] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    on_cancel: list[CancelAnswer] = field(default_factory=list)
    on_status: list[StatusAnswer] = field(default_factory=list)
    while_asked: Callable[[], None] = lambda: None
    while_bought: Callable[[], None] = lambda: None
    loses_reply: bool = False
    sells_before_it_waits: bool = False
    refuses_to_list: bool = False
    unlisted: set[str] = field(default_factory=set)

    def closing_calls(self) -> list[tuple[str, ...]]:
        """What it was asked to end."""
        return [call for call in self.asked if call[0] in {"cancel", "finish"}]

    async def buy(self, purchase: Purchase) -> PurchaseAnswer:
        self.purchases.append(purchase)
        self.while_bought()
        if not self.sells_before_it_waits:
            answer = await super().buy(purchase)
            return PurchaseUnknown("no answer") if self.loses_reply else answer
        number = len(self.bought) + 1
        self.bought.append(Activation(f"a{number}", f"1415555{number:04d}", 250_000))
        self.is_asked.set()
        await self.gate.wait()
        return Bought(self.bought[-1])

    async def status(self, activation_id: str) -> StatusAnswer:
        self.asked.append(("status", activation_id))
        self.while_asked()
        if self.on_status:
            return self.on_status.pop(0)
        return await super().status(activation_id)

    async def statuses(self, activation_ids: Collection[str]) -> Mapping[str, StatusAnswer]:
        self.asked.append(("statuses", *activation_ids))
        shown = [one for one in activation_ids if one not in self.closed | self.unlisted]
        self._check()
        return {one: await FakeProvider.status(self, one) for one in shown}

    async def cancel(self, activation_id: str) -> CancelAnswer:
        self.asked.append(("cancel", activation_id))
        if self.on_cancel:
            return self.on_cancel.pop(0)
        return await super().cancel(activation_id)

    async def finish(self, activation_id: str) -> str:
        self.asked.append(("finish", activation_id))
        return await super().finish(activation_id)

    async def find_unclaimed(self, purchase: Purchase, since_ms: int) -> Sequence[Activation]:
        if self.refuses_to_list:
            raise Unavailable("provider_unavailable")
        return await super().find_unclaimed(purchase, since_ms)

    async def made_since(self, since_ms: int) -> Sequence[Activation]:
        if self.refuses_to_list:
            raise Unavailable("provider_unavailable")
        return await super().made_since(since_ms)


@dataclass
class ScriptedChain(FakeChain):
    """The fake chain, unless told what to find; other things may happen right before and after a balance is read."""

    finds: SettlementProof | None = None
    before_read: Callable[[], Awaitable[None]] | None = None
    after_read: Callable[[], Awaitable[None]] | None = None
    hints: list[str | None] = field(default_factory=list)

    async def read_payer(self, payment: Payment) -> PayerReading:
        if self.before_read is not None:
            await self.before_read()
        reading = await super().read_payer(payment)
        if self.after_read is not None:
            await self.after_read()
        return reading

    async def find_settlement(self, payment: Payment, from_block: int, hint: str | None = None) -> SettlementProof:
        self.hints.append(hint)
        found = await super().find_settlement(payment, from_block, hint)
        return self.finds or found


@dataclass
class ScriptedFacilitator(FakeFacilitator):
    """The fake facilitator, unless told what to say; then it moves no money."""

    says: SettleAnswer | None = None

    async def settle(self, payment: Payment) -> SettleAnswer:
        if self.says is None:
            return await super().settle(payment)
        self.settled.append(payment)
        return self.says


BeforeCommit = Callable[[Rental, Change], Awaitable[None]]


class HookedRentals(RedisRentals):
    """The real rentals of a store; something happens before and after each commit."""

    def __init__(
        self, inner: RedisRentals, before: BeforeCommit | None = None, after: BeforeCommit | None = None
    ) -> None:
        super().__init__(inner._redis, inner._scripts, len(inner._slots))
        self._before = before
        self._after = after

    async def _commit(self, lease: Lease, before: Rental, change: Change, *, gives_back: bool) -> Rental:
        if self._before is not None:
            await self._before(before, change)
        written = await super()._commit(lease, before, change, gives_back=gives_back)
        if self._after is not None:
            await self._after(before, change)
        return written


class StaleRentals(RedisRentals):
    """The real rentals of a store; something happens each time a claim is told that its balance is stale."""

    def __init__(self, inner: RedisRentals, then: Callable[[], Awaitable[None]]) -> None:
        super().__init__(inner._redis, inner._scripts, len(inner._slots))
        self._then = then

    async def claim(self, rental: Rental, balance: Balance, payer_caps: Caps, caller_caps: Caps) -> ClaimAnswer:
        answer = await super().claim(rental, balance, payer_caps, caller_caps)
        if isinstance(answer, StaleBalance):
            await self._then()
        return answer


class BusyRentals(RedisRentals):
    """The real rentals of a store, which tell when somebody found a rental under another's lease."""

    def __init__(self, inner: RedisRentals) -> None:
        super().__init__(inner._redis, inner._scripts, len(inner._slots))
        self.was_refused = asyncio.Event()

    async def take(self, rental_id: str) -> Leased | None:
        taken = await super().take(rental_id)
        if taken is None:
            self.was_refused.set()
        return taken


def host_of(world: World, traits: ProviderTraits | None = None) -> Host:
    """Put a host that talks in the place of the world's provider."""
    old = world.provider
    host = Host(world.clock, traits or old.traits, dict(old.shelf))
    cast("dict[str, FakeProvider]", world.engine.providers)[old.traits.name] = host
    world.provider = host
    return host


def joined(world: World, **parts: Any) -> World:  # noqa: ANN401  any part of an engine
    """Another process on the same store and in the same world, with parts of its own."""
    engine: Engine = replace(world.engine, **parts)
    chain = cast("FakeChain", cast("object", engine.chain))
    facilitator = cast("FakeFacilitator", engine.facilitator)
    other = World(engine, world.clock, chain, facilitator, world.provider, world.wakeups)
    other.contract = world.contract
    other.http.event_hooks = {"request": [], "response": [world.contract.judge]}
    return other


def scripted(world: World) -> tuple[World, ScriptedChain, ScriptedFacilitator]:
    """The same world with a chain and a facilitator that say what they are told."""
    chain = ScriptedChain(world.clock, world.chain.pay_to, world.chain.balances, world.chain.fates)
    facilitator = ScriptedFacilitator(chain)
    other = joined(world, chain=cast("RpcChain", cast("object", chain)), facilitator=facilitator)
    return other, chain, facilitator


async def ledger(world: World, rental_id: str) -> list[tuple[str, int, str]]:
    """What the books say of a rental: kind, amount in atomic units, evidence."""
    entries = await _stream(world, keys.ledger(SLOT), "entry")
    mine = [entry for entry in entries if entry["rental_id"] == rental_id]
    return [(entry["kind"], int(entry["amount_atomic"]), entry["reference"]) for entry in mine]


async def provider_ledger(world: World) -> list[tuple[str, int, str]]:
    """What the books say of strays: kind, amount in atomic units, evidence."""
    entries = await _stream(world, keys.provider_ledger("smsfast"), "entry")
    return [(entry["kind"], int(entry["amount_atomic"]), entry["reference"]) for entry in entries]


async def events(world: World, rental_id: str) -> list[str]:
    """What subscribers are told of a rental, in order."""
    told = await _stream(world, keys.events(SLOT), "event")
    return [event["type"].removeprefix("rental.") for event in told if event["rental_id"] == rental_id]


async def rental_ids(world: World) -> list[str]:
    """Every rental in the store, oldest first."""
    told = await _stream(world, keys.events(SLOT), "event")
    return [event["rental_id"] for event in told if event["type"] == "rental.created"]


async def leased(world: World, rental_id: str) -> Leased:
    """A rental under a lease that a test has taken."""
    taken = await world.engine.rentals.take(rental_id)
    assert taken is not None
    return taken


async def _stream(world: World, key: str, member: str) -> Sequence[Mapping[str, Any]]:
    redis: Any = world.engine.redis  # its replies are typed for every protocol at once
    return [json.loads(fields[member]) for _, fields in await redis.xrange(key)]
