"""Every crash point of every journey, one after another: `python -m tests.crashes [journey …]`. See scripts/crashes."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.crashes.enumeration import MOST_OF_A_STEP, crash_points, forgotten, opening
from tests.crashes.faults import table
from tests.crashes.journeys import AN_SMS, JOURNEYS, Journey, play
from tests.crashes.switch import CrashPoint
from tests.crashes.world import World, infra


class Tally:
    """What happened in how many cases."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.steps: set[str] = set()
        self.points: set[CrashPoint] = set()

    async def play(self, world: World, journey: Journey, point: CrashPoint) -> None:
        outcome = await play(world, journey, point)
        was_reached = outcome.fates_met == len(journey.plan.points) + 1
        self.counts["cases"] += 1
        self.counts["not reached"] += not was_reached
        self.counts["broken"] += bool(outcome.faults)
        if was_reached:
            self.steps.add(str(point))
        for fault in outcome.faults:
            say(f"  BROKEN {journey.name} / {point}: {fault.promise} {fault.rental_id} {fault.detail}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def run(told: dict[str, object], names: list[str], home: Path) -> bool:
    """Play everything; return whether all promises held."""
    tally = Tally()
    async with World.open(told, home) as world:
        await world.warm_up()
        openings = {AN_SMS: opening((await play(world, JOURNEYS[AN_SMS])).traces[0])}
        for journey in [JOURNEYS[name] for name in names or JOURNEYS]:
            began = time.monotonic()
            clean = await play(world, journey)
            tally.counts["broken"] += bool(clean.faults)
            points = crash_points(clean.traces[-1], openings.get(journey.opens_alike or "", frozenset()))
            tally.points.update(points)
            for point in points:
                await tally.play(world, journey, point)
            say(f"{journey.name}: {len(points)} crash points, {time.monotonic() - began:.0f} s {clean.faults or ''}")
        whole = await world.whole()
    left_out = forgotten(tally.points) if not names else set()
    for step in sorted(left_out):
        say(f"  FORGOTTEN {step}: no journey passes it")
    for fault in whole:
        say(f"  BROKEN in the end: {fault.promise} {fault.rental_id} {fault.detail}")
    say(f"{dict(tally.counts)}, {len(tally.steps)} different points; a step is tried at most {MOST_OF_A_STEP} times")
    return not whole and not left_out and not tally.counts["broken"]


async def run_faults(told: dict[str, object], home: Path) -> bool:
    """Play every cell of the table of facilitator faults; return whether all promises held."""
    counts: Counter[str] = Counter()
    async with World.open(told, home) as world:
        await world.warm_up()
        for cell in table():
            journey, began = cell.journey(), time.monotonic()
            outcome = await play(world, journey)
            counts["cells"] += 1
            counts["without their death"] += outcome.fates_met != len(journey.plan.points)
            counts["broken"] += bool(outcome.faults)
            say(f"{cell}: {time.monotonic() - began:.1f} s")
            for fault in outcome.faults:
                say(f"  BROKEN {fault.promise} {fault.rental_id} {fault.detail}")
        whole = await world.whole()
    for fault in whole:
        say(f"  BROKEN in the end: {fault.promise} {fault.rental_id} {fault.detail}")
    say(f"{dict(counts)}")
    return not whole and not counts["broken"] and not counts["without their death"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the service at every step of every journey, and judge the end.")
    parser.add_argument("journeys", nargs="*", help=f"which: {', '.join(JOURNEYS)} (default: all)")
    parser.add_argument("--faults", action="store_true", help="instead: every facilitator fault, times every death")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="phoneagent-crashes-") as home, infra() as told:
        playing = run_faults(told, Path(home)) if options.faults else run(told, options.journeys, Path(home))
        return 0 if asyncio.run(playing) else 1


if __name__ == "__main__":
    sys.exit(main())
