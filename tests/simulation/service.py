"""The service's own parts in a simulated process: real adapters, services and doors over simulated ports.

Nothing of the service is replaced but what lies behind its ports; it is put together as bootstrap does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from pydantic import SecretStr

from phoneagent.bootstrap import Engine
from phoneagent.core.tokens import TokenSigner
from phoneagent.services.breakers import Breakers
from phoneagent.services.deliver import Deliver
from phoneagent.services.shelf import Shelf
from phoneagent.settings import Settings
from phoneagent.store.activations import RedisActivations
from phoneagent.store.budgets import RedisBudgets
from phoneagent.store.catalogues import RedisCatalogues
from phoneagent.store.rentals import RedisRentals
from phoneagent.store.scripts import Scripts
from phoneagent.store.strays import RedisStrays
from phoneagent.store.upstreams import RedisUpstreams
from tests.simulation.chain import ModelChain
from tests.simulation.cheque import PAY_TO
from tests.simulation.facilitator import ModelFacilitator
from tests.simulation.gate import Gate
from tests.simulation.hints import SimWakeups
from tests.simulation.judge import Judge
from tests.simulation.ports import GatedChain, GatedFacilitator, GatedProvider, SimClock, SimIds
from tests.simulation.process import Process
from tests.simulation.provider import ModelProvider
from tests.simulation.store import Server, SimRedis
from tests.simulation.traits import Traits
from tests.simulation.weather import Weather

CLOCK_LAGS_S = (0.0, 0.0, 0.2, 3.0)
"""How far a process's time may lag behind the store's: what it last read of it was on its way for so long."""


@dataclass(frozen=True)
class Parts:
    """What all processes of a world share."""

    traits: Traits
    settings: Settings
    weather: Weather
    server: Server
    chain: ModelChain
    facilitator: ModelFacilitator
    provider: ModelProvider
    judge: Judge
    signer: TokenSigner


def build_engine(process: Process, parts: Parts) -> Engine:
    """Return the engine of one process, everything behind its gate."""
    gate = Gate(process, parts.weather)
    redis = SimRedis(parts.server, gate).as_client()
    clock = SimClock(process.loop.time, process.rng.choice(CLOCK_LAGS_S))
    store_clock = SimClock(process.loop.time)
    scripts = Scripts(redis, lambda: str(store_clock.now_ms()))
    wakeups = SimWakeups(process)
    rentals = RedisRentals(redis, scripts, parts.traits.shards)
    catalogues, upstreams = RedisCatalogues(redis, scripts), RedisUpstreams(redis, scripts)
    return Engine(
        settings=parts.settings,
        redis=redis,
        clock=cast("Any", clock),
        wakeups=wakeups,
        rentals=rentals,
        activations=RedisActivations(redis, scripts),
        strays=RedisStrays(scripts),
        catalogues=catalogues,
        budgets=RedisBudgets(scripts),
        upstreams=upstreams,
        chain=cast("Any", GatedChain(gate, parts.chain, parts.weather)),
        facilitator=GatedFacilitator(gate, parts.facilitator),
        providers={parts.provider.traits.name: GatedProvider(gate, parts.provider, parts.judge.on_buy)},
        shelf=Shelf(catalogues, wakeups, clock),
        breakers=Breakers(upstreams, wakeups, clock, {parts.provider.traits.name}),
        deliver=Deliver(rentals, wakeups, parts.signer, clock),
        ids=SimIds(process.rng),
    )


def settings_of(traits: Traits) -> Settings:
    """Return the settings of every process. They are not validated, and no variable of the caller gets in."""
    chosen: dict[str, Any] = {
        "public_url": "https://phoneagent.test",
        "redis_url": "redis://127.0.0.1:1",
        "rpc_url": "http://127.0.0.1:1",
        "pay_to": PAY_TO,
        "facilitator_url": "http://127.0.0.1:1",
        "token_secret": SecretStr("a secret of the simulation " * 2),
        "poll_attended_ms": traits.poll_young_ms,
        "poll_young_ms": traits.poll_young_ms,
        "poll_old_ms": traits.poll_old_ms,
        "refresh_s": 600.0,
        "shards": traits.shards,
    }
    return Settings.model_construct(**chosen)


__all__ = ["Parts", "build_engine", "settings_of"]
