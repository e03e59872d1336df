"""The parts that web server and workers of one process share: adapters chosen by the settings, checked and connected.

A part that is unfit for money must refuse to start; a part that is only away now earns a warning.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from phoneagent.bootstrap.money import Ground, Money, MoneyRefused, open_money
from phoneagent.bootstrap.rules import hasher_of, policy_of, screening_of, warn_of_gaps
from phoneagent.bootstrap.upstreams import call_rate
from phoneagent.bootstrap.upstreams import upstreams as family_of
from phoneagent.core.catalog import Mode
from phoneagent.core.ports import Clock, Facilitator, Ids, Provider
from phoneagent.core.tokens import TokenSigner
from phoneagent.facilitators import LocalFacilitator, RpcChain
from phoneagent.providers.budget import BudgetedTransport, Purse
from phoneagent.providers.smsactivate import SmsActivateProvider
from phoneagent.providers.textverified import TEXTVERIFIED, TextVerifiedProvider
from phoneagent.screening import ListUnreadable
from phoneagent.services.breakers import Breakers
from phoneagent.services.deliver import Deliver
from phoneagent.services.limit import WaiterCaps, Waiters
from phoneagent.services.permits import Permits, Switchboard
from phoneagent.services.screen import Screen
from phoneagent.services.shelf import Shelf
from phoneagent.services.sweep import Sweep
from phoneagent.settings import Settings
from phoneagent.store.activations import RedisActivations
from phoneagent.store.budgets import RedisBudgets
from phoneagent.store.catalogues import RedisCatalogues
from phoneagent.store.clock import StoreClock
from phoneagent.store.connect import durability_faults, fix_shards, is_reachable, open_client
from phoneagent.store.rentals import RedisRentals
from phoneagent.store.scripts import Scripts
from phoneagent.store.strays import RedisStrays
from phoneagent.store.switches import RedisSwitches, RedisTrail
from phoneagent.store.upstreams import RedisUpstreams
from phoneagent.store.wakeups import RedisWakeups
from phoneagent.x402 import require_fast_crypto

logger = logging.getLogger(__name__)

_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_ID_CHARS = 26  # 130 random bits
_CONNECT_TIMEOUT_S = 5.0

RECURSION_LIMIT = 2_000
"""Importing eth_account raises the limit to 100,000 (py_ecc does); at that depth nested JSON kills the process."""


class StartRefused(Exception):
    """The service must not start; the message names every reason, one a line."""


class RandomIds:
    """The `Ids` port on the system's randomness."""

    def rental_id(self, slot: str, product_letter: str) -> str:
        """See the port."""
        tail = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_CHARS))
        return f"{product_letter}_{slot[1:]}{tail}"


@dataclass(frozen=True, slots=True)
class Engine:
    """The connected parts that the web server and the workers of one process share."""

    settings: Settings
    redis: Redis
    clock: StoreClock
    wakeups: RedisWakeups
    rentals: RedisRentals
    activations: RedisActivations
    strays: RedisStrays
    catalogues: RedisCatalogues
    budgets: RedisBudgets
    upstreams: RedisUpstreams
    chain: RpcChain
    facilitator: Facilitator
    providers: Mapping[str, Provider]
    shelf: Shelf
    breakers: Breakers
    deliver: Deliver
    relayer: LocalFacilitator | None = None
    permits: Permits = field(default_factory=Permits)
    switchboard: Switchboard | None = None
    screen: Screen | None = None
    ids: Ids = field(default_factory=RandomIds)

    @property
    def sweep(self) -> Sweep:
        """Return what makes up for lost wake-ups."""
        return Sweep(self.rentals, self.wakeups)

    def stop_waiting(self) -> None:
        """Let nobody in any more, and everybody who waits answer now."""
        self.deliver.draining.begin()
        self.wakeups.ring_all()

    async def ready(self) -> Mapping[str, bool]:
        """Return each dependency and whether it answers."""
        return {"store": await is_reachable(self.redis), "catalogue": self.shelf.current.version > 0}


@contextlib.asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[Engine]:
    """Connect everything, check it, keep the listeners running, and close it all in the end.

    Raises StartRefused with every reason why the service must not start.
    """
    try:
        require_fast_crypto()
    except RuntimeError as exc:
        raise StartRefused(str(exc)) from None
    sys.setrecursionlimit(RECURSION_LIMIT)
    redis = open_client(settings.redis_url)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(redis.aclose)
        shards = await _check_store(redis, settings)
        engine = await _connect(settings, redis, shards, stack)
        switchboard = [engine.switchboard.follow()] if engine.switchboard is not None else []
        listeners = [
            *[asyncio.create_task(following) for following in switchboard],
            asyncio.create_task(engine.wakeups.run()),
            asyncio.create_task(engine.shelf.follow()),
            asyncio.create_task(engine.breakers.follow()),
            asyncio.create_task(engine.sweep.run()),
            asyncio.create_task(engine.clock.follow(engine.wakeups)),
        ]
        try:
            yield engine
        finally:
            for task in listeners:
                task.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)


async def _check_store(redis: Redis, settings: Settings) -> int:
    try:
        faults = await durability_faults(redis)
        shards = await fix_shards(redis, settings.shards)
    except (RedisError, OSError) as exc:
        raise StartRefused(f"the store does not answer ({type(exc).__name__})") from None
    if shards != settings.shards:
        faults.append(f"PHONEAGENT_SHARDS is {settings.shards}, but this store was started with {shards}")
    if faults:
        raise StartRefused("\n".join(f"store: {fault}" for fault in faults))
    return shards


async def _connect(settings: Settings, redis: Redis, shards: int, stack: contextlib.AsyncExitStack) -> Engine:
    mode = "dev" if settings.dev_clock else "server"
    scripts = Scripts(redis, lambda: mode)
    clock = StoreClock(scripts)
    await clock.sync()
    wakeups = RedisWakeups(redis)
    hasher, permits = hasher_of(settings), Permits(policy_of(settings))
    retention_ms = settings.retention_hours * 3_600_000
    rentals = RedisRentals(redis, scripts, shards, retention_ms=retention_ms, hasher=hasher)
    switchboard = Switchboard(permits, RedisSwitches(redis, scripts), wakeups)
    await switchboard.read()
    warn_of_gaps(settings)
    catalogues, budgets = RedisCatalogues(redis, scripts), RedisBudgets(scripts)
    upstreams = RedisUpstreams(redis, scripts)
    providers = await _providers(settings, clock, budgets, stack)
    to_nodes, to_facilitators = await _client(stack), await _client(stack)
    money = await _money(Ground(settings, to_nodes, to_facilitators, clock, redis, scripts, shards))
    return Engine(
        settings=settings,
        redis=redis,
        clock=clock,
        wakeups=wakeups,
        rentals=rentals,
        activations=RedisActivations(redis, scripts),
        strays=RedisStrays(scripts, hasher),
        catalogues=catalogues,
        budgets=budgets,
        upstreams=upstreams,
        chain=money.chain,
        facilitator=money.facilitator,
        relayer=money.relayer,
        providers=providers,
        shelf=Shelf(catalogues, wakeups, clock, permits),
        breakers=Breakers(upstreams, wakeups, clock, providers, round(settings.breaker_open_s * 1000)),
        permits=permits,
        switchboard=switchboard,
        screen=await _screen(settings, RedisTrail(redis, scripts, shards), stack),
        deliver=Deliver(
            rentals,
            wakeups,
            _signer(settings),
            clock,
            asked_within_ms=settings.poll_attended_ms,
            waiters=_waiters(settings),
        ),
    )


async def _client(stack: contextlib.AsyncExitStack, purse: Purse | None = None) -> httpx.AsyncClient:
    """Return one long-lived client: no redirects, no proxies from the environment; each call is paid from a purse."""
    timeout = httpx.Timeout(30.0, connect=_CONNECT_TIMEOUT_S)
    limits = httpx.Limits(max_connections=128, max_keepalive_connections=64)
    transport = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
    client = httpx.AsyncClient(
        transport=BudgetedTransport(transport, purse) if purse else transport,
        timeout=timeout,
        trust_env=False,
        follow_redirects=False,
    )
    return await stack.enter_async_context(client)


async def _screen(settings: Settings, trail: RedisTrail, stack: contextlib.AsyncExitStack) -> Screen:
    try:
        return Screen(screening_of(settings, await _client(stack)), trail)
    except ListUnreadable as exc:
        raise StartRefused(f"PHONEAGENT_SCREENING_FILE: {exc}") from None


async def _money(ground: Ground) -> Money:
    try:
        return await open_money(ground)
    except MoneyRefused as exc:
        raise StartRefused(str(exc)) from None


async def _providers(
    settings: Settings, clock: Clock, budgets: RedisBudgets, stack: contextlib.AsyncExitStack
) -> Mapping[str, Provider]:
    """Return every provider that the settings have a key for, smsfast first."""
    providers: dict[str, Provider] = {}
    for profile, api_key in family_of(settings):
        providers[profile.name] = SmsActivateProvider(
            await _client(stack, Purse(budgets, profile.name, call_rate(settings, profile.name))),
            profile=profile,
            api_key=api_key.get_secret_value(),
            clock=clock,
            most_cost_atomic=max_costs(settings),
            is_dedicated=profile.name in settings.dedicated,
        )
    if settings.textverified_api_key is not None and settings.textverified_username is not None:
        providers[TEXTVERIFIED.name] = TextVerifiedProvider(
            await _client(stack),
            profile=replace(TEXTVERIFIED, base_url=settings.textverified_url or TEXTVERIFIED.base_url),
            api_key=settings.textverified_api_key.get_secret_value(),
            username=settings.textverified_username,
            clock=clock,
            most_cost_atomic=max_costs(settings),
            is_dedicated=TEXTVERIFIED.name in settings.dedicated,
        )
    return providers


def max_costs(settings: Settings) -> Mapping[Mode, int]:
    """Return what a number may cost upstream, in micro-USD per SKU."""
    return {
        Mode.ACTIVATE: settings.max_cost_activate_atomic,
        Mode.ACTIVATE_PREMIUM: settings.max_cost_premium_atomic,
    }


def _waiters(settings: Settings) -> Waiters:
    caps = WaiterCaps(settings.max_waiters_per_rental, settings.max_waiters_per_address, settings.max_waiters)
    return Waiters(caps)


def _signer(settings: Settings) -> TokenSigner:
    """Key ids come from the secrets themselves, so that a rotation needs no further setting."""
    current = settings.token_secret.get_secret_value().encode()
    keys = {TokenSigner.key_id(current): current}
    if settings.previous_token_secret is not None:
        previous = settings.previous_token_secret.get_secret_value().encode()
        keys[TokenSigner.key_id(previous)] = previous
    return TokenSigner(TokenSigner.key_id(current), keys)
