"""The outside world of the development service in one process: chain, facilitator and simulated providers.

Started by the composition with its orders on one pipe; it tells its addresses on another. It must never serve anything
but loopback, and it ends with its parent.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.types import ASGIApp

from phoneagent import logs
from phoneagent.bootstrap import bind, stop_on_signals
from phoneagent.bootstrap.process import raise_file_limit, serve
from phoneagent.dev.chain import CHAIN_ID, DevChain
from phoneagent.dev.control import ControlGuard, Faults, control_routes
from phoneagent.dev.facilitator import facilitator_app
from phoneagent.dev.keys import DevKeys, address_of
from phoneagent.dev.simulators import HeroSimulator, SmsActivateSimulator, TextVerifiedSimulator
from phoneagent.facilitators import LocalFacilitator, MemoryOutbox, Nodes, Relayer, Rpc
from phoneagent.store.clock import DevClockHand
from phoneagent.store.connect import open_client
from phoneagent.x402 import network_of

HOST = "127.0.0.1"
WEI = 10**18
WALLET_USDC_ATOMIC = 10_000 * 10**6
TEXTVERIFIED_USERNAME = "dev@phoneagent.example"
PROVIDER_BALANCE_ATOMIC = 5_000 * 10**6
SPREAD_S = 0.05
"""How long a moved clock is given to reach every process before the mover is answered."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the composition wants: where the store is, which keys, and where to keep data (None: nowhere)."""

    redis_url: str
    keys: DevKeys
    data_dir: str | None


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts listen; the simulated providers by the names that are announced."""

    rpc_url: str
    facilitator_url: str
    simulators: dict[str, str]


class Chain(Protocol):
    """The node that every part stands on. The embedded one is usual; tests put another in its place."""

    @property
    def app(self) -> ASGIApp:
        """JSON-RPC at ``POST /``, with the token at Base's USDC address and ether for the relayer and the wallet."""

    async def tick(self) -> None:
        """Seal a block at the clock's time, which jumped."""

    async def aclose(self) -> None:
        """End the node and everything it holds."""


class Simulator(Protocol):
    """A simulated provider."""

    @property
    def app(self) -> ASGIApp:
        """The provider's own protocol, and the control API."""

    def close(self) -> None:
        """Close what it remembers in."""


class SharedClock:
    """The one dev clock: its offset lives in the store, and moving it mines a block and wakes every queue."""

    def __init__(self, hand: DevClockHand) -> None:
        """Move through ``hand``; the chain joins when it stands."""
        self._hand = hand
        self.chain: Chain | None = None

    def now_ms(self) -> int:
        """Return the time in unix ms."""
        return self._hand.now_ms()

    def now_s(self) -> int:
        """Return the time in unix seconds."""
        return self.now_ms() // 1000

    async def advance(self, seconds: float) -> int:
        """Move every part forward together and return the new time in unix ms."""
        await self._hand.advance(seconds)
        if self.chain is not None:
            await self.chain.tick()
        await self._hand.wake_queues()
        await asyncio.sleep(SPREAD_S)
        return self.now_ms()


OpenChain = Callable[[Orders, SharedClock], Awaitable[Chain]]


async def run(orders: Orders, tell: int, open_chain: OpenChain) -> None:
    """Start the parts, write their addresses to the descriptor ``tell``, serve until told to stop."""
    raise_file_limit()
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    redis = open_client(orders.redis_url)
    hand = DevClockHand(redis)
    await hand.read()
    clock = SharedClock(hand)
    chain = await open_chain(orders, clock)
    clock.chain = chain
    textverified = _textverified(orders, clock)
    simulators = {**_simulators(orders, clock), "textverified": textverified}
    socks = [bind(HOST, 0) for _ in range(2 + len(simulators))]
    rpc_url, facilitator_url, *urls = (f"http://{HOST}:{sock.getsockname()[1]}" for sock in socks)
    addresses = Addresses(rpc_url, facilitator_url, dict(zip(simulators, urls, strict=True)))
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.TaskGroup() as group:
        group.create_task(serve(_chain_app(chain, clock), socks[0], stopping, 1))
        await _is_served(http, rpc_url)
        domain = network_of(CHAIN_ID).usdc
        relayer_key = bytes.fromhex(orders.keys.relayer.removeprefix("0x"))
        relayer = await Relayer.open(relayer_key, domain, MemoryOutbox, clock.now_s)
        facilitator = LocalFacilitator(Nodes.only(Rpc(http, rpc_url)), relayer, domain, clock.now_s)
        group.create_task(serve(facilitator_app(facilitator, domain, clock=clock), socks[1], stopping, 1))
        for simulator, sock in zip(simulators.values(), socks[2:], strict=True):
            group.create_task(serve(simulator.app, sock, stopping, 1))
        hooks = group.create_task(textverified.hooks.run())
        os.write(tell, json.dumps(asdict(addresses)).encode())
        os.close(tell)
        await stopping.wait()
        hooks.cancel()
    for simulator in simulators.values():
        simulator.close()
    await chain.aclose()
    await redis.aclose()


async def open_embedded(orders: Orders, clock: SharedClock) -> DevChain:
    """Found the embedded chain, or go on with the one in the data directory, and fund the wallet."""
    keys = orders.keys
    wallet = address_of(keys.wallet)
    home = Path(orders.data_dir) if orders.data_dir else None
    chain = await DevChain.open(
        home / "chain" if home else None,
        accounts={wallet: 10 * WEI, address_of(keys.relayer): 1_000 * WEI},
        owner_key=bytes.fromhex(keys.owner.removeprefix("0x")),
        now_s=lambda: clock.now_ms() // 1000,
    )
    funded = home / "funded" if home else None  # written last: killed before it, we fund again
    if funded is None or not funded.exists():
        await chain.mint(wallet, WALLET_USDC_ATOMIC)
    if funded is not None:
        funded.touch()
    return chain


def _simulators(orders: Orders, clock: SharedClock) -> dict[str, Simulator]:
    """Return the simulated providers by the names that are announced, each with an account file of its own."""
    home = Path(orders.data_dir) if orders.data_dir else None
    return {
        "smsactivate": SmsActivateSimulator(
            clock,
            api_key=orders.keys.smsfast_api_key,
            balance_atomic=PROVIDER_BALANCE_ATOMIC,
            data_path=home / "smsfast.json" if home else None,
        ),
        "hero": HeroSimulator(
            clock,
            api_key=orders.keys.hero_api_key,
            balance_atomic=PROVIDER_BALANCE_ATOMIC,
            data_path=home / "hero.json" if home else None,
        ),
    }


def _textverified(orders: Orders, clock: SharedClock) -> TextVerifiedSimulator:
    return TextVerifiedSimulator(
        clock,
        api_key=orders.keys.textverified_api_key,
        api_username=TEXTVERIFIED_USERNAME,
        balance_atomic=PROVIDER_BALANCE_ATOMIC,
        data_path=Path(orders.data_dir) / "textverified.json" if orders.data_dir else None,
    )


def _chain_app(chain: Chain, clock: SharedClock) -> Starlette:
    controls = control_routes(faults=Faults({}), state=lambda: {"now": clock.now_ms() // 1000}, clock=clock)
    return Starlette(routes=[*controls, Mount("/", chain.app)], middleware=[Middleware(ControlGuard)])


async def _is_served(http: httpx.AsyncClient, rpc_url: str) -> None:
    """Wait until the chain answers: the relayer asks it at once."""
    while True:
        try:
            await http.post(rpc_url, json={"jsonrpc": "2.0", "id": 0, "method": "eth_chainId", "params": []})
        except httpx.TransportError:
            await asyncio.sleep(SPREAD_S)
        else:
            return


def main(open_chain: OpenChain = open_embedded) -> None:
    """Run with orders from one descriptor, addresses to another, logs to a third: the three arguments."""
    orders_fd, tell_fd, errors_fd = (int(fd) for fd in sys.argv[1:4])
    os.dup2(errors_fd, sys.stderr.fileno())
    logs.set_up("WARNING")
    with os.fdopen(orders_fd) as pipe:
        given = json.load(pipe)
    orders = Orders(given["redis_url"], DevKeys(**given["keys"]), given["data_dir"])
    asyncio.run(run(orders, tell_fd, open_chain))


if __name__ == "__main__":
    main()
