"""A process killed at every kind of step, and a fresh one takes over. scripts/crashes tries every step there is."""

from __future__ import annotations

import pytest

from tests.crashes.journeys import AN_SMS, JOURNEYS, play
from tests.crashes.switch import CrashPoint
from tests.crashes.world import World

POINTS = (
    (AN_SMS, "after rentals.claim #1"),
    (AN_SMS, "after rentals.commit intended #1"),
    (AN_SMS, "after provider.buy #1"),
    (AN_SMS, "after activations.claim #1"),
    (AN_SMS, "after rentals.commit_last attached #1"),
    (AN_SMS, "before reply POST /rent #2"),
    (AN_SMS, "after provider.status #1"),
    (AN_SMS, "after rentals.commit_last sms_seen #1"),
    (AN_SMS, "after rentals.commit settle_sent #1"),
    (AN_SMS, "after facilitator.settle #1"),
    (AN_SMS, "after rentals.commit_last settled #1"),
    (AN_SMS, "after provider.finish #1"),
    ("silence", "after rentals.commit_last expired #1"),
    ("a cancel", "after rentals.commit_last cancelled_by_client #1"),
    ("a cancel", "after provider.cancel #1"),
    ("the country list", "after rentals.commit verified #1"),
    ("the country list", "after facilitator.settle #1"),
    ("the country list", "after rentals.commit_last settled #1"),
    ("a purchase without an answer", "after rentals.commit_last purchase_suspect #1"),
    ("a settlement without an outcome", "after rentals.commit_last settled #1"),
)


@pytest.mark.parametrize(("name", "point"), POINTS, ids=[f"{name}: {point}" for name, point in POINTS])
async def test_whoever_dies_another_brings_it_to_its_end(world: World, name: str, point: str) -> None:
    journey = JOURNEYS[name]
    outcome = await play(world, journey, CrashPoint.parse(point))
    assert outcome.faults == []
    assert outcome.fates_met == len(journey.plan.points) + 1


async def test_an_sms_that_nobody_could_settle_in_time_is_not_charged(world: World) -> None:
    outcome = await play(world, JOURNEYS["an sms nobody settles in time"])
    assert outcome.faults == []
    (message,) = outcome.rentals[0].messages
    assert (message.state, message.reason) == ("written_off", "too_late")


async def test_what_every_case_left_behind_fits_together(world: World) -> None:
    await play(world, JOURNEYS["a cancel"])
    assert await world.whole() == []
