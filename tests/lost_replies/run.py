"""Many rentals at one host while replies to purchases are lost at random: real service, store, adapter and simulator.

Only the connection is ours: it hands a purchase to the host and loses the reply. Time is moved, nobody waits.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from phoneagent.bootstrap.parts import refresh
from phoneagent.core.order import FINAL_ORDER_STATES
from phoneagent.core.ports import Provider
from phoneagent.core.rental import Job, Rental
from phoneagent.dev.control import SmsOrder
from phoneagent.dev.simulators import HeroSimulator, SmsActivateSimulator
from phoneagent.dev.simulators.host import Host
from phoneagent.services.give_back import GiveBack
from phoneagent.store import codec, keys
from tests.providers.upstreams import UPSTREAMS
from tests.waiting import within
from tests.web.fakes import FakeClock
from tests.web.harness import PAYER_KEY, World, address, open_world

LEDGER_KINDS = {"number_cost", "number_refund"}
DEPOSIT_ATOMIC = 10**12
PURCHASES = {"getNumber", "getNumberV2"}
ROUNDS_MOST = 300
SIMULATORS = {"smsfast": SmsActivateSimulator, "hero-sms": HeroSimulator}
"""One host that cannot list its activations, and one that can."""


@dataclass
class WorldClock:
    """The simulator's clock: the world's."""

    clock: FakeClock

    def now_ms(self) -> int:
        return self.clock.now_ms()

    async def advance(self, seconds: float) -> int:
        self.clock.pass_by(seconds)
        return self.now_ms()


@dataclass
class LosingConnection(httpx.AsyncBaseTransport):
    """The way to the host. ``loses`` says of each purchase whether its reply is lost after the host has acted."""

    host: httpx.AsyncBaseTransport
    loses: Callable[[], bool]
    sent: list[str] = field(default_factory=list)
    lost: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = request.extensions["target"].decode()  # the adapter tells its query to the transport alone
        url = request.url.join(target)
        form = url.params
        answer = await self.host.handle_async_request(httpx.Request(request.method, url, headers=request.headers))
        if form.get("action") in PURCHASES:
            self.sent.append(form.get("orderId", ""))
            if self.loses():
                await answer.aclose()
                self.lost += 1
                raise httpx.ReadTimeout("the reply is lost", request=request)
        return answer


@dataclass(frozen=True)
class Result:
    """What a run came to: what our books and the host's account say, and every fault that was found."""

    rentals: int
    purchases: int
    lost: int
    outcomes: Counter[str]
    faults: list[str]
    spent_by_host_atomic: int
    spent_by_books_atomic: int


async def run(redis_url: str, upstream_name: str, rentals: int, lost: int, seed: int = 1) -> Result:
    """Rent ``rentals`` times; lose the replies of ``lost`` purchases of that many, drawn at random."""
    (upstream,) = [one for one in UPSTREAMS if one.name == upstream_name]
    async with open_world(redis_url, max_open_holds=10**6, max_claims_per_hour=10**6, silent_cooldown_s=0) as world:
        world.chain.balances[address(PAYER_KEY)] = 10**15
        simulator = SIMULATORS[upstream_name](
            WorldClock(world.clock), api_key=upstream.api_key, balance_atomic=DEPOSIT_ATOMIC
        )
        rng = random.Random(seed)  # noqa: S311  the same luck every time
        fates = [True] * lost + [False] * (rentals - lost)
        rng.shuffle(fates)
        way = LosingConnection(httpx.ASGITransport(simulator.app), lambda: bool(fates) and fates.pop())
        async with httpx.AsyncClient(transport=way) as client:
            provider = upstream.open_provider(
                client, "http://127.0.0.1", world.clock, timeout_s=20.0, api_key=upstream.api_key
            )
            scene = Scene(world, provider, simulator.host, way, rng)
            return await scene.play(rentals)


@dataclass
class Scene:
    """One run."""

    world: World
    provider: Provider
    host: Host
    way: LosingConnection
    rng: random.Random

    async def play(self, rentals: int) -> Result:
        providers = cast("dict[str, Provider]", self.world.engine.providers)
        providers.clear()
        providers[self.provider.traits.name] = self.provider
        await refresh(self.world.engine)()
        await self.world.engine.shelf.read()
        for _ in range(rentals):
            await self._rent()
        await self._settle_down()
        return await self._judge(rentals)

    async def _rent(self) -> None:
        """One client's rental, until its payment is answered for good; some send an SMS to the number they get."""
        payment = await self.world.sign()
        answer = await self.world.post_rent(payment)
        while answer.status_code not in {200, 402}:
            assert answer.status_code == 503, answer.text
            await self._pass_by(60)
            answer = await self.world.post_rent(payment)
        if answer.status_code == 200 and self.rng.random() < 0.5:
            number = answer.json()["phone_number"]
            self._send_sms(number)
        await self._pass_by(1)

    def _send_sms(self, number: str) -> None:
        self.host.send_sms(SmsOrder(number.removeprefix("+"), None, "x", "Your code is 478392", None, 0.0))

    async def _pass_by(self, seconds: float) -> None:
        """Let time pass, and the workers and chores do what is due."""
        self.world.clock.pass_by(seconds)
        await self._work()

    async def _work(self) -> None:
        engine = self.world.engine
        handlers = self.world._handlers()
        for job in Job:
            for leased in (await engine.rentals.lease_due(job, 1_000)).leased:
                await within(handlers[job](leased))
        await GiveBack(engine.strays, engine.rentals, engine.providers, engine.clock)()

    async def _settle_down(self) -> None:
        """Go on until every order has its end."""
        for _ in range(ROUNDS_MOST):
            if all(one.order is None or one.order.state in FINAL_ORDER_STATES for one in await self._records()):
                break
            await self._pass_by(30)
        for _ in range(100):  # strays of the last hour, where there were any
            await self._pass_by(30)

    async def _records(self) -> list[Rental]:
        redis = self.world.engine.redis
        names = [key async for key in redis.scan_iter(f"{keys.rental_prefix('s00')}*", count=5_000)]
        return [codec.decode(cast("dict[str, str]", await redis.hgetall(name))) for name in names]

    async def _judge(self, rentals: int) -> Result:
        records, rows = await self._records(), self.host.state()["activations"]
        orders = [one.order for one in records if one.order is not None]
        faults = [f"{one.id}: order {one.order.state}" for one in records if one.order and not one.order.is_final]
        numbers = Counter(order.activation_id for order in orders if order.activation_id)
        faults += [f"{name} belongs to {many} rentals" for name, many in numbers.items() if many > 1]
        faults += [
            f"{name} was sent {many} times" for name, many in Counter(self.way.sent).items() if name and many > 1
        ]
        if len(rows) != len(self.way.sent):
            faults.append(f"{len(self.way.sent)} purchases, {len(rows)} numbers")
        intents = sum(1 + len(order.earlier) for order in orders)
        if len(self.way.sent) != intents:
            faults.append(f"{len(self.way.sent)} purchases for {intents} intents")
        open_rows = [row for row in rows if row["status"] not in {"finished", "cancelled", "expired"}]
        faults += [f"{row['activation_id']} is {row['status']}" for row in open_rows]
        by_host = DEPOSIT_ATOMIC - self.host.balance_atomic()
        by_books = -sum([await self._booked(keys.ledger("s00")), await self._booked(self._provider_ledger())])
        if by_host != by_books:
            faults.append(f"the host took {by_host}, our books say {by_books}")
        outcomes = Counter(order.state.value for order in orders)
        return Result(rentals, len(self.way.sent), self.way.lost, outcomes, faults, by_host, by_books)

    def _provider_ledger(self) -> str:
        return keys.provider_ledger(self.provider.traits.name)

    async def _booked(self, stream: str) -> int:
        rows: Any = await self.world.engine.redis.xrange(stream)
        entries = [json.loads(fields["entry"]) for _, fields in rows]
        return sum(int(entry["amount_atomic"]) for entry in entries if entry["kind"] in LEDGER_KINDS)
