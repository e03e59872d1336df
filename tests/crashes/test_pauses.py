"""A process that sleeps past its lease right before it acts, and wakes when another has taken over, does no harm."""

from __future__ import annotations

import pytest

from tests.crashes.journeys import AN_SMS, JOURNEYS, play_paused
from tests.crashes.switch import CrashPoint, Side
from tests.crashes.world import World

STEPS = (
    "rentals.commit attached",
    "rentals.commit settle_sent",
    "facilitator.settle",
    "rentals.commit settled",
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
    assert sum(trace.count(Side.AFTER, "rentals.commit cancelling") for trace in outcome.traces) == 1
    assert sorted(rental.order.state for rental in outcome.rentals if rental.order) == ["cancelled", "finished"]


@pytest.mark.parametrize("step", ["rentals.commit verified", "facilitator.settle"])
async def test_two_processes_at_the_same_step_do_it_once(world: World, step: str) -> None:
    outcome = await play_paused(world, JOURNEYS[AN_SMS], CrashPoint(Side.BEFORE, step), wakes_in_between=True)
    assert outcome.faults == []
    assert outcome.fates_met == 1
