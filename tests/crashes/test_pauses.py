"""A process that sleeps past its lease right before it acts, and wakes when another has taken over, does no harm."""

from __future__ import annotations

import asyncio

import pytest

from phoneagent.store import keys
from tests.crashes.case import STORY_WITHIN_S, Case
from tests.crashes.journeys import AN_SMS, JOURNEYS, Journey, an_sms, play_paused
from tests.crashes.service import LOOK_S
from tests.crashes.switch import CrashPoint, Side
from tests.crashes.world import World

STEPS = (
    "rentals.commit_last attached",
    "rentals.commit settle_sent",
    "facilitator.settle",
    "rentals.commit_last settled",
)


@pytest.mark.parametrize("step", STEPS)
async def test_a_process_that_wakes_too_late_changes_nothing(world: World, step: str) -> None:
    point = CrashPoint(Side.BEFORE, step)
    outcome = await play_paused(world, JOURNEYS[AN_SMS], point, wakes_in_between=False)
    assert outcome.faults == []
    assert outcome.fates_met == 1
    assert outcome.traces[0].points.index(point) < len(outcome.traces[0].points) - 1


async def test_a_number_bought_by_a_process_that_slept_is_given_back(world: World) -> None:
    outcome = await play_paused(
        world, JOURNEYS[AN_SMS], CrashPoint(Side.BEFORE, "provider.buy"), wakes_in_between=False
    )
    assert outcome.faults == []
    assert sum(trace.count(Side.AFTER, "rentals.commit_last cancelling") for trace in outcome.traces) == 1
    assert sorted(rental.order.state for rental in outcome.rentals if rental.order) == ["cancelled", "finished"]


async def an_sms_long_ago(case: Case) -> None:
    """The story of an SMS, told to its end while the process that went to sleep still sleeps; then it wakes."""
    await an_sms(case)
    await case.drained()
    await case.processes.wake_paused()
    async with asyncio.timeout(STORY_WITHIN_S):
        while not await case.world.redis.exists(keys.strays("smsfast")):  # noqa: ASYNC110  another process writes it
            await asyncio.sleep(LOOK_S)


async def test_a_number_bought_when_its_order_has_long_ended_is_given_back_as_a_stray(world: World) -> None:
    journey = Journey("an sms long ago", an_sms_long_ago, 1)
    outcome = await play_paused(world, journey, CrashPoint(Side.BEFORE, "provider.buy"), wakes_in_between=False)
    assert outcome.faults == []
    assert outcome.evidence is not None
    assert list(outcome.evidence.memory.strays.values()) == ["cancelled"]
    assert sorted(rental.order.state for rental in outcome.rentals if rental.order) == ["finished", "refunded"]


@pytest.mark.parametrize("step", ["rentals.commit intended", "facilitator.settle"])
async def test_two_processes_at_the_same_step_do_it_once(world: World, step: str) -> None:
    outcome = await play_paused(world, JOURNEYS[AN_SMS], CrashPoint(Side.BEFORE, step), wakes_in_between=True)
    assert outcome.faults == []
    assert outcome.fates_met == 1
