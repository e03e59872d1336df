"""One whole service for a test: the real application, services and store, with the outside world at its ports faked.

Background work runs when a test says so, time passes when a test says so, and every answer is judged by the document.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from eth_account import Account
from starlette.applications import Starlette

from phoneagent.bootstrap import Engine, web_app
from phoneagent.bootstrap.parts import refresh
from phoneagent.bootstrap.rules import hasher_of, policy_of
from phoneagent.core.payment import Payment
from phoneagent.core.ports import Screening
from phoneagent.core.rental import Job, Rental
from phoneagent.core.tokens import TokenSigner
from phoneagent.facilitators import RpcChain
from phoneagent.screening import Everybody
from phoneagent.services.breakers import Breakers
from phoneagent.services.close import Close
from phoneagent.services.deliver import Deliver
from phoneagent.services.expire import Abandon, Expire, Retain
from phoneagent.services.permits import Permits, Switchboard
from phoneagent.services.receive import PollPace, Receive
from phoneagent.services.screen import Screen
from phoneagent.services.settle import Settle
from phoneagent.services.shelf import Shelf
from phoneagent.settings import Settings
from phoneagent.store import keys
from phoneagent.store.activations import RedisActivations
from phoneagent.store.budgets import RedisBudgets
from phoneagent.store.catalogues import RedisCatalogues
from phoneagent.store.clock import StoreClock
from phoneagent.store.connect import open_client
from phoneagent.store.rentals import RedisRentals
from phoneagent.store.scripts import Scripts
from phoneagent.store.strays import RedisStrays
from phoneagent.store.switches import RedisSwitches, RedisTrail
from phoneagent.store.upstreams import RedisUpstreams
from phoneagent.workers import Handler
from tests.waiting import BOUND_S, within
from tests.web.contract import Contract
from tests.web.fakes import FakeChain, FakeClock, FakeFacilitator, FakeProvider
from tests.web.watched import WatchedWakeups
from tests.x402.signing import from_header, sign_payment

BODY: dict[str, Any] = {"country": "US", "service": "go", "duration_minutes": 10}
PAY_TO = "0x" + "ee" * 20
PAYER_KEY = "0x" + "11" * 32
OTHER_KEY = "0x" + "22" * 32
SIGNATURE = "PAYMENT-SIGNATURE"
X_PAYMENT = "X-PAYMENT"
STOCK = {("US", "go"): 500, ("US", "tg"): 90, ("GB", "go"): 700, ("DE", "go"): 0, ("GB", "wa"): 0}

_WIDE = 1_000_000_000


@dataclass(frozen=True)
class Rented:
    """A rental as its buyer knows it."""

    id: str
    token: str
    number: str
    payment: str
    first: httpx.Response

    @classmethod
    def of(cls, payment: str, first: httpx.Response) -> Rented:
        """Read the answer to a payment."""
        assert first.status_code == 200, first.text
        made = first.json()
        return cls(made["rental_id"], made["token"], made["phone_number"], payment, first)


@dataclass
class World:
    """The service, the world around it, and a client."""

    engine: Engine
    clock: FakeClock
    chain: FakeChain
    facilitator: FakeFacilitator
    provider: FakeProvider
    wakeups: WatchedWakeups
    app: Starlette = field(init=False)
    http: httpx.AsyncClient = field(init=False)
    contract: Contract = field(init=False)

    def __post_init__(self) -> None:
        self._open_doors(self.engine)

    def _open_doors(self, engine: Engine, hooks: Mapping[str, list[Any]] | None = None) -> None:
        self.app = web_app(engine)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://elsewhere.test", event_hooks=hooks)

    async def limit(self, **settings: Any) -> None:  # noqa: ANN401  any setting
        """Go on with other limits, everything else as it is."""
        await self.http.aclose()
        changed = self.engine.settings.model_copy(update=settings)
        self._open_doors(replace(self.engine, settings=changed), self.http.event_hooks)

    async def start(self, stock: dict[tuple[str, str], int]) -> None:
        self.contract = Contract((await self.http.get("/openapi.json")).json())
        self.http.event_hooks = {"request": [], "response": [self.contract.judge]}
        await self.restock(stock)

    # ---- what a buyer does

    async def offer(
        self, body: dict[str, Any] | None = None, *, version: int = 2, path: str = "/rent"
    ) -> dict[str, Any]:
        """The offer of an unpaid request, as a client of this x402 version reads it."""
        unpaid = await (self.http.get(path) if path == "/countries" else self.http.post(path, json=body or BODY))
        assert unpaid.status_code == 402
        offer: dict[str, Any] = from_header(unpaid.headers["payment-required"]) if version == 2 else unpaid.json()
        return offer

    async def sign(
        self,
        body: dict[str, Any] | None = None,
        *,
        version: int = 2,
        path: str = "/rent",
        key: str = PAYER_KEY,
        nonce: str | None = None,
        **overrides: Any,  # noqa: ANN401  members of an authorization
    ) -> str:
        """A header value that pays for a body; overrides as in signing.py."""
        offer = await self.offer(body, version=version, path=path)
        return sign_payment(key, offer=offer, now_s=self.now_s, version=version, nonce=nonce, **overrides)

    async def post_rent(
        self, payment: str | None = None, body: object = None, *, header: str = SIGNATURE, **headers: str
    ) -> httpx.Response:
        paid = {} if payment is None else {header: payment}
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return await within(self.http.post("/rent", json=BODY if body is None else body, headers={**paid, **extra}))

    async def begin_rent(self, payment: str) -> asyncio.Task[httpx.Response]:
        """Send a paid request and leave it at the provider, which takes its time until `provider.gate` is set."""
        self.provider.gate.clear()
        first = asyncio.create_task(self.post_rent(payment))
        await within(self.provider.is_asked.wait())
        return first

    async def get_countries(self, payment: str, query: str = "") -> httpx.Response:
        return await within(self.http.get(f"/countries{query}", headers={SIGNATURE: payment}))

    async def rent(self, *, key: str = PAYER_KEY, version: int = 2, **headers: str) -> Rented:
        """Rent one number with a fresh payment."""
        payment = await self.sign(key=key, version=version)
        return Rented.of(payment, await self.post_rent(payment, **headers))

    async def get_sms(self, rented: Rented, wait: int | None = None) -> httpx.Response:
        params: dict[str, str | int] = {"token": rented.token} | ({} if wait is None else {"wait": wait})
        return await within(self.http.get(f"/sms/{rented.id}", params=params))

    async def get_status(self, rented: Rented) -> dict[str, Any]:
        response = await within(self.http.get(f"/rentals/{rented.id}"))
        assert response.status_code == 200
        status: dict[str, Any] = response.json()
        return status

    async def cancel(self, rented: Rented) -> httpx.Response:
        return await within(self.http.post(f"/rentals/{rented.id}/cancel", params={"token": rented.token}))

    # ---- what happens meanwhile

    @property
    def now_s(self) -> int:
        return self.clock.now_ms() // 1000

    async def waiting(self, count: int) -> None:
        """Wait until so many requests wait for an SMS."""
        async with asyncio.timeout(BOUND_S):
            while len(self.engine.deliver.waiters) != count:  # noqa: ASYNC110  nobody sets an event for it
                await asyncio.sleep(0)

    def pass_by(self, seconds: float) -> None:
        """Time passes, and whoever waits looks at the clock again."""
        self.clock.pass_by(seconds)
        self.wakeups.ring_all()

    async def restock(self, stock: dict[tuple[str, str], int]) -> None:
        """The provider has this in stock, and the service knows it."""
        self.provider.shelf = dict(stock)
        await refresh(self.engine)()
        await self.engine.shelf.read()

    async def work(self, *jobs: Job) -> int:
        """Do what is due of these kinds of work, in order, until nothing is; return how much that was."""
        handlers, done = self._handlers(), 0
        for job in jobs or tuple(Job):
            while leased := (await self.engine.rentals.lease_due(job, 1)).leased:
                await within(handlers[job](leased[0]))
                done += 1
                assert done < 50, "the same work is due again and again"
        return done

    async def due_in_ms(self, job: Job) -> int | None:
        """In how long the next work of a kind is due."""
        return (await self.engine.rentals.lease_due(job, 0)).next_in_ms

    async def sms_arrives(self, rented: Rented, text: str = "Your code is 478392", sender: str = "") -> None:
        """An SMS arrives and is stored; it is not paid yet."""
        self.provider.receive(rented.number, text, sender)
        self.clock.pass_by(3)
        assert await self.work(Job.POLL) == 1

    async def settled(self) -> Rented:
        """A rental whose SMS has arrived and is paid."""
        rented = await self.rent()
        await self.sms_arrives(rented)
        assert await self.work(Job.SETTLE) == 1
        return rented

    async def payment_of(self, rented: Rented) -> Payment:
        """The payment as the service keeps it."""
        return (await self.record(rented.id)).payment

    async def record(self, rental_id: str) -> Rental:
        """The record as the store keeps it."""
        record = await self.engine.rentals.get(rental_id)
        assert record is not None
        return record

    async def spoil(self, rented: Rented) -> None:
        """Make a record unreadable: a fault of ours that nobody foresaw."""
        await self.engine.redis.hset(keys.rental("s00", rented.id), "state", "nonsense")

    async def lose_store(self) -> None:
        """The store goes away: connections are refused."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            await self._look_for_store_at(unused.getsockname()[1])

    async def find_store(self) -> None:
        """The store is back."""
        await self._look_for_store_at(urlsplit(self.engine.settings.redis_url).port)

    async def _look_for_store_at(self, port: int | None) -> None:
        pool = self.engine.redis.connection_pool
        await pool.disconnect(inuse_connections=False)  # the subscription stays: a wake-up is only a hint
        for settings in (pool.connection_kwargs, *map(vars, pool._available_connections)):
            settings["port"] = port

    def _handlers(self) -> dict[Job, Handler]:
        engine = self.engine
        return {
            Job.ABANDON: Abandon(engine.rentals, engine.clock),
            Job.POLL: Receive(engine.rentals, engine.providers, engine.clock, PollPace(), engine.wakeups),
            Job.SETTLE: Settle(engine.rentals, engine.chain, engine.facilitator, engine.clock),
            Job.EXPIRE: Expire(engine.rentals, engine.providers, engine.clock),
            Job.CLOSE: Close(engine.rentals, engine.activations, engine.providers, engine.clock),
            Job.RETAIN: Retain(engine.rentals, engine.activations),
        }


@contextlib.asynccontextmanager
async def open_world(
    redis_url: str,
    stock: dict[tuple[str, str], int] = STOCK,
    *,
    screening: Screening | None = None,
    **settings: Any,  # noqa: ANN401  any setting
) -> AsyncIterator[World]:
    """Build a service on an empty store; settings override the harness's own."""
    redis, clock = open_client(redis_url), FakeClock()
    chain = FakeChain(clock, PAY_TO)
    facilitator, provider, wakeups = FakeFacilitator(chain), FakeProvider(clock), WatchedWakeups(redis)
    scripts = Scripts(redis, lambda: str(clock.now_ms()))
    chosen = _settings(redis_url, settings)
    permits, hasher, switches = Permits(policy_of(chosen)), hasher_of(chosen), RedisSwitches(redis, scripts)
    trail, catalogues = RedisTrail(redis, scripts, 1), RedisCatalogues(redis, scripts)
    rentals, upstreams = RedisRentals(redis, scripts, 1, hasher=hasher), RedisUpstreams(redis, scripts)
    providers: dict[str, FakeProvider] = {provider.traits.name: provider}
    engine = Engine(
        settings=chosen,
        redis=redis,
        clock=cast("StoreClock", clock),
        wakeups=wakeups,
        rentals=rentals,
        activations=RedisActivations(redis, scripts),
        strays=RedisStrays(scripts, hasher),
        catalogues=catalogues,
        budgets=RedisBudgets(scripts),
        chain=cast("RpcChain", chain),
        facilitator=facilitator,
        providers=providers,
        upstreams=upstreams,
        breakers=Breakers(upstreams, wakeups, clock, providers),
        shelf=Shelf(catalogues, wakeups, clock, permits),
        permits=permits,
        switchboard=Switchboard(permits, switches, wakeups),
        screen=Screen(screening or Everybody(), trail),
        deliver=Deliver(rentals, wakeups, TokenSigner("k1", {"k1": b"a secret of tests" * 3}), clock),
    )
    chain.balances[address(PAYER_KEY)] = chain.balances[address(OTHER_KEY)] = 50_000_000
    world = World(engine, clock, chain, facilitator, provider, wakeups)
    listening = asyncio.create_task(wakeups.run())
    try:
        await within(wakeups.listening())
        await world.start(stock)
        yield world
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await world.http.aclose()
        await redis.aclose()


def _settings(redis_url: str, overrides: dict[str, Any]) -> Settings:
    chosen: dict[str, Any] = {
        "public_url": "https://phoneagent.test",
        "redis_url": redis_url,
        "rpc_url": "http://127.0.0.1:1",
        "pay_to": PAY_TO,
        "facilitator_url": "http://127.0.0.1:1",
        "smsfast_api_key": "unused",
        "token_secret": "x" * 32,
        "regulated_services": "pm",  # the published catalogue, whole
        "sanctioned_countries": "BY",
        "max_open_holds": 5,
        "max_open_atomic": _WIDE,
        "max_claims_per_hour": 60,
        "max_open_holds_per_address": _WIDE,
        "max_open_atomic_per_address": _WIDE,
        "max_claims_per_hour_per_address": _WIDE,
        "free_requests_burst": _WIDE,
        "requests_burst": _WIDE,  # time stands still here: no bucket fills up again
        "unproven_per_minute": _WIDE,
        **overrides,
    }
    return Settings(**chosen)


def address(key: str) -> str:
    """The address of a private key, as the core spells it."""
    return str(Account.from_key(key).address).lower()
