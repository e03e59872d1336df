"""One whole run: the service's processes, the world around them and its clients, all drawn from one seed.

First some minutes of faults, then none, until everything is quiet. It must never touch anything outside this process.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from unittest.mock import patch

from starlette.routing import Route

from phoneagent.bootstrap import Engine, crew, web_app
from phoneagent.core.invariants import Violation
from phoneagent.core.tokens import TokenSigner
from phoneagent.web.discovery import Discovery
from tests.simulation.chain import Kind, ModelChain, Transaction
from tests.simulation.cheque import PAY_TO
from tests.simulation.clients import Client
from tests.simulation.facilitator import ModelFacilitator
from tests.simulation.hints import Bus, SimWakeups
from tests.simulation.judge import Judge
from tests.simulation.loop import Deadlock, VirtualLoop
from tests.simulation.overheard import overhearing
from tests.simulation.process import Killed, Process, register
from tests.simulation.provider import ModelProvider
from tests.simulation.service import Parts, build_engine, settings_of
from tests.simulation.store import server
from tests.simulation.story import Story
from tests.simulation.traits import draw_traits
from tests.simulation.verdict import open_ends, pronounce
from tests.simulation.weather import forecast
from tests.simulation.web import Answer, Ask, WebProcess

LONGEST_RECOVERY_S = 3 * 3600
OTHERS_MISBEHAVE_S = 240.0
QUIET_LOOK_S = 20.0
GRACE_S = 5.0
SECRET = b"s" * 32
_PAGES: list[Route] = []


@dataclass(frozen=True)
class Running:
    """One process of the service."""

    name: str
    process: Process
    engine: Engine
    stopping: asyncio.Event

    @property
    def is_web(self) -> bool:
        """Tell whether it serves clients; the others work."""
        return self.name.startswith("web")

    @property
    def wakeups(self) -> SimWakeups:
        """Its ear."""
        return cast("SimWakeups", self.engine.wakeups)


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    seed: int
    violations: list[Violation]
    story: Story
    counts: Counter[str]
    lasted_s: float

    @property
    def is_clean(self) -> bool:
        """Tell whether every promise was kept."""
        return not self.violations


class World:
    """Everything of one run."""

    def __init__(self, seed: int) -> None:
        """Build the world; nothing moves yet."""
        self.seed = seed
        self.loop = VirtualLoop(self._stream("order"))
        self.loop.on_task = register
        self.loop.set_exception_handler(self._on_loose_end)
        self.story = Story(self.loop.time)
        self.weather = forecast(self._stream("weather"))
        self.traits = draw_traits(self._stream("world"))
        self.signer = TokenSigner("k1", {"k1": SECRET})
        self.chain = ModelChain(self.loop.time, PAY_TO, self.traits.confirmations)
        self.provider = ModelProvider(
            self.traits.habits, self.loop.time, self._stream("provider"), self.weather, self.story
        )
        self.facilitator = ModelFacilitator(self.chain, self._stream("facilitator"), self.weather, self.story)
        self.server = server()
        self.bus = Bus(self.loop, self._stream("hints"), self.weather)
        self.broken = self.loop.create_future()
        self.judge = Judge(self.server, self.chain, self.provider, self.story, self._stop)
        self.server.reset(self.judge.on_script, self._publish)
        self.slots = [f"s{number:02d}" for number in range(self.traits.shards)]
        self._parts = Parts(
            traits=self.traits,
            settings=settings_of(self.traits),
            weather=self.weather,
            server=self.server,
            chain=self.chain,
            facilitator=self.facilitator,
            provider=self.provider,
            judge=self.judge,
            signer=self.signer,
        )
        self._webs: list[WebProcess] = []
        self._running: list[Running] = []
        self._births: Counter[str] = Counter()
        self._luck = self._stream("luck")
        self._clients = self._make_clients()

    # ---- the run

    async def run(self) -> None:
        """Live through chaos and recovery, then judge."""
        for number in range(self.traits.webs):
            self._start(f"web{number}")
        for number in range(self.traits.workers):
            self._start(f"work{number}")
        living = [asyncio.ensure_future(one) for one in (self._deploy(), *[client.live() for client in self._clients])]
        await self._until_broken(self.traits.chaos_s)
        self._calm_down()
        self.loop.call_later(OTHERS_MISBEHAVE_S, self.weather.clear_up)
        claiming = [asyncio.ensure_future(client.claim_lists()) for client in self._clients]
        await self._until_quiet([*living, *claiming])
        if not self.judge.violations:
            pronounce(self.judge, self.slots)

    async def _until_broken(self, seconds: float) -> None:
        await asyncio.wait([self.broken], timeout=seconds)

    def _calm_down(self) -> None:
        self.story.note("world", "the faults are over")
        self.weather.calm_down()
        for running in self._running:
            running.process.thaw()

    async def _until_quiet(self, tasks: list[asyncio.Future[None]]) -> None:
        ends_s = self.loop.time() + LONGEST_RECOVERY_S
        while not self.judge.violations and self.loop.time() < ends_s:
            await self._until_broken(QUIET_LOOK_S)
            if all(task.done() for task in tasks) and not open_ends(self.judge):
                break
        for task in tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                raise RuntimeError("a client failed") from task.exception()

    def _stop(self, _violation: Violation) -> None:
        if not self.broken.done():
            self.broken.set_result(None)

    # ---- processes

    def _start(self, name: str) -> None:
        if self.broken.done():
            return
        self._births[name] += 1
        full_name = f"{name}.{self._births[name]}"
        process = Process(full_name, self.loop, self.story, self._stream(full_name))
        running = Running(name, process, build_engine(process, self._parts), asyncio.Event())
        self._running.append(running)
        process.on_death.append(lambda: self._bury(running))
        self.bus.join(running.wakeups)
        if running.is_web:
            self._webs.append(WebProcess(process, web_app(running.engine), self.weather))
            process.spawn(running.engine.shelf.follow())
            process.spawn(running.engine.breakers.follow())
            process.spawn(running.engine.sweep.run())
        else:
            workers = crew(running.engine, longest_sleep_s=self.traits.longest_sleep_s)
            process.spawn(workers.run(running.stopping))

    def _bury(self, running: Running) -> None:
        self._running.remove(running)
        self.bus.leave(running.wakeups)
        self._close_door(running)
        self.loop.call_later(self._luck.uniform(0.5, 20.0), self._start, running.name)

    def _close_door(self, running: Running) -> None:
        self._webs = [web for web in self._webs if web.process is not running.process]

    async def _deploy(self) -> None:
        """Stop a process in good order every now and then, as SIGTERM does; another takes its place."""
        while self.weather.deploys:
            await asyncio.sleep(self._luck.uniform(10.0, 40.0))
            if self._running and self.weather.deploys:
                running = self._luck.choice(self._running)
                self.story.injected(running.process.name, "stop", "SIGTERM")
                self._close_door(running)
                running.stopping.set()
                running.engine.stop_waiting()
                self.loop.call_later(GRACE_S, running.process.end)

    def _publish(self, topics: str) -> None:
        self.judge.on_wake(topics)
        self.bus.publish(topics)

    # ---- clients

    def _make_clients(self) -> list[Client]:
        clients = [
            Client(number, habit, self, self._stream(f"client{number}"))
            for number, habit in enumerate(self.traits.clients)
        ]
        for client in clients:
            arrives_in = self._luck.choice((0, 0, 3, 10, 20))
            self.chain.send(Transaction(Kind.TOP_UP, client.address, client.money), arrives_in)
        return clients

    def now_s(self) -> float:
        """Return the time of the run."""
        return self.loop.time()

    async def ask(self, ask: Ask, patience_s: float) -> Answer | None:
        """Send a request to some web process; none may be there."""
        if not self._webs:
            await asyncio.sleep(1.0)
            return None
        web = self._luck.choice(self._webs)
        answer = await web.ask(ask, patience_s)
        told = f"{answer.status} {answer.code or answer.body[:90].decode()}" if answer else "no answer"
        self.story.note(f">{web.process.name}", f"{ask.method} {ask.path} {ask.body or ''}", told)
        return answer

    def _stream(self, purpose: str) -> random.Random:
        """Return the random numbers of one purpose, so that a draw more here moves nothing there."""
        return random.Random(f"{self.seed}:{purpose}")  # noqa: S311  a simulation, not a secret

    def _on_loose_end(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Judge an exception that nobody waited for."""
        exception = context.get("exception")
        if exception is not None and not isinstance(exception, Killed):
            self.judge.objects("no crash", "a task", f"{context['message']}: {exception!r}")

    def clean_up(self) -> None:
        """End every task, so that nothing is left of the run."""
        self.broken.cancel()
        for running in list(self._running):
            running.process.end()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_later(1.0, self.loop.stop)
        self.loop.run_forever()
        self.loop.close()


def simulate(seed: int) -> Outcome:
    """Run one seed."""
    world = World(seed)
    with overhearing(world.story, world.judge), _as_current(world.loop), _pages_made_once():
        try:
            world.loop.run_until_complete(world.run())
        except Deadlock:
            world.judge.objects("I9", "the end", "deadlock: everybody waits for ever")
        finally:
            lasted_s = world.loop.time()
            world.clean_up()
    return Outcome(seed, world.judge.violations, world.story, world.story.counts, lasted_s)


@contextmanager
def _pages_made_once() -> Iterator[None]:
    """Let all processes share the pages that introduce the service: their bytes are the same, and making them slow."""
    make = Discovery.routes

    def routes(self: Discovery) -> list[Route]:
        if not _PAGES:
            _PAGES.extend(make(self))
        return _PAGES

    with patch.object(Discovery, "routes", routes):
        yield


@contextmanager
def _as_current(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)


__all__ = ["Outcome", "World", "simulate"]
