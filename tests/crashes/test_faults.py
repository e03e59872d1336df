"""A facilitator that fails in every way while the settling process dies. The whole table: scripts/crashes --faults."""

from __future__ import annotations

import pytest

from tests.crashes.faults import Cell, short_table
from tests.crashes.journeys import play
from tests.crashes.world import World


@pytest.mark.parametrize("cell", short_table(), ids=str)
async def test_nobody_pays_twice_and_no_paid_thing_is_withheld(world: World, cell: Cell) -> None:
    journey = cell.journey()
    outcome = await play(world, journey)
    assert outcome.faults == []
    assert outcome.fates_met == len(journey.plan.points)
