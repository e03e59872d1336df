"""The loop of status questions: within the budget, together where one call answers many, and nobody is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import CallRate, Provider, StatusAnswer
from phoneagent.core.rental import Job
from phoneagent.services.receive import PollPace, Receive
from phoneagent.store import keys
from phoneagent.workers import Line, Poller
from phoneagent.workers.runner import STORE_AWAY_S
from tests.waiting import within
from tests.web.fakes import FakeProvider
from tests.web.harness import World

RATE = CallRate(1, 4)
"""Of a burst of four, one is kept for orders."""


@dataclass
class Counted(FakeProvider):
    """A provider whose every call is paid for, as the transport does it, and noted."""

    world: World | None = None
    calls: list[tuple[str, ...]] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def _pay(self, *call: str) -> None:
        assert self.world is not None
        room = await self.world.engine.budgets.take("smsfast", RATE, RATE.kept_for_orders)
        assert room.wait_ms == 0, "more was asked than the budget had"
        self.calls.append(call)
        await self.answers.wait()

    async def status(self, activation_id: str) -> StatusAnswer:
        await self._pay("status", activation_id)
        return await super().status(activation_id)

    async def statuses(self, activation_ids: Collection[str]) -> Mapping[str, StatusAnswer]:
        await self._pay("statuses", *sorted(activation_ids))
        return {one: await FakeProvider.status(self, one) for one in activation_ids}


@pytest.fixture
def host(world: World) -> Counted:
    old = world.provider
    host = Counted(world.clock, replace(old.traits), dict(old.shelf), world=world)
    host.answers.set()
    cast("dict[str, Provider]", world.engine.providers)["smsfast"] = world.provider = host
    return host


def poller_of(world: World, lines: Mapping[str, Line] | None = None) -> Poller:
    engine = world.engine
    receive = Receive(engine.rentals, engine.providers, engine.clock, PollPace(), engine.wakeups)
    provider: Provider = world.provider
    known = {"smsfast": Line(provider, RATE, 2_000)} if lines is None else lines
    return Poller(receive, known, engine.rentals, engine.budgets, engine.wakeups, longest_sleep_s=1.0)


async def turned(poller: Poller) -> float:
    """One turn, with all it started done."""
    sleep_s = await poller.turn()
    if running := poller.running:
        await within(asyncio.wait(running))
    return sleep_s


@contextlib.asynccontextmanager
async def running(world: World, poller: Poller) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    task = asyncio.create_task(poller.run(stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        world.wakeups.ring_all()
        await within(asyncio.wait([task]))


async def test_no_more_is_leased_than_the_budget_has_room_for(world: World, host: Counted) -> None:
    rented = [await world.rent() for _ in range(5)]
    poller = poller_of(world)
    assert await turned(poller) == 0
    assert len(host.calls) == 3
    assert await turned(poller) == 1.0  # until the next call comes in
    assert len(host.calls) == 3
    assert sum([await world.engine.rentals.take(one.id) is not None for one in rented]) == 5  # nobody is held in vain


async def test_the_others_follow_as_calls_come_in(world: World, host: Counted) -> None:
    for _ in range(5):
        await world.rent()
    poller = poller_of(world)
    await turned(poller)
    for _ in range(2):
        world.clock.pass_by(1)
        await turned(poller)
    assert {call[1] for call in host.calls} == {"a1", "a2", "a3", "a4", "a5"}
    assert len(host.calls) == 5


async def test_two_processes_share_one_budget(world: World, host: Counted) -> None:
    for _ in range(5):
        await world.rent()
    for poller in (poller_of(world), poller_of(world)):
        await turned(poller)
    assert len(host.calls) == 3


async def test_one_call_answers_all_that_are_due_and_due_soon(world: World, host: Counted) -> None:
    host.traits = replace(host.traits, can_ask_in_bulk=True)
    early = [await world.rent() for _ in range(3)]
    poller = poller_of(world)
    await turned(poller)
    world.clock.pass_by(2)
    late = [await world.rent() for _ in range(2)]
    await turned(poller)
    assert host.calls == [("statuses", "a1", "a2", "a3"), ("statuses", "a1", "a2", "a3", "a4", "a5")]
    assert await turned(poller) == 1.0
    assert len(early + late) == 5


async def test_a_list_under_way_does_not_hold_up_whoever_comes(world: World, host: Counted) -> None:
    host.traits = replace(host.traits, can_ask_in_bulk=True)
    for _ in range(3):
        await world.rent()
    host.answers.clear()
    poller = poller_of(world)
    await poller.turn()
    await world.rent()
    await poller.turn()
    host.answers.set()
    await within(asyncio.wait(poller.running))
    assert [call[0] for call in host.calls] == ["statuses", "status"] or host.calls[1] == ("statuses", "a4")


async def test_a_provider_that_is_gone_from_the_settings_is_told_and_holds_nobody_up(
    world: World, host: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    gone, here = await world.rent(), await world.rent()
    await world.engine.redis.hset(keys.rental("s00", gone.id), "order_provider", "gone")
    await turned(poller_of(world))
    assert host.calls == [("status", "a2")]
    (told,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert vars(told)["rental_id"] == gone.id
    assert here.id != gone.id


async def test_the_loop_is_woken_and_stops_when_what_runs_is_done(world: World, host: Counted) -> None:
    poller = poller_of(world)
    async with running(world, poller) as stopping:
        assert await world.wakeups.arrival() == "jobs:poll"
        rented = await world.rent()
        async with asyncio.timeout(5):
            while not host.calls:  # noqa: ASYNC110  nobody sets an event for it
                await asyncio.sleep(0)
        stopping.set()
    assert poller.running == set()
    assert await world.engine.rentals.take(rented.id) is not None


@pytest.mark.parametrize("failure", [Unavailable("store_unavailable"), RuntimeError("a bug")])
async def test_a_store_that_is_away_only_delays_the_questions(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    poller = poller_of(world)

    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(poller._rentals, "lease_due", fail)
    assert await poller.turn() == STORE_AWAY_S
    monkeypatch.undo()
    assert await world.due_in_ms(Job.POLL) is None
    assert await poller.turn() == 1.0


async def test_a_loop_that_is_cut_before_its_questions_begin_leaves_nothing_behind(world: World, host: Counted) -> None:
    await world.rent()
    poller = poller_of(world)
    await poller.turn()
    (question,) = poller.running
    question.cancel()

    await asyncio.wait([question])
    gc.collect()  # a coroutine that nobody awaited would be told here, and a warning is an error

    assert host.calls == []
    assert poller.running == set()
