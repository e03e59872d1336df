"""What the seed says about a world beside its weather: how many processes, how fast, which host, which clients.

Everything is small and fast, so that a run takes a fraction of a second. It must never draw from anything but the seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.simulation.clients import Habit
from tests.simulation.provider import Habits


@dataclass
class Traits:
    """What the seed says about the world, beside its weather."""

    shards: int
    webs: int
    workers: int
    confirmations: int
    chaos_s: float
    longest_sleep_s: float
    poll_young_ms: int
    poll_old_ms: int
    habits: Habits
    clients: list[Habit] = field(default_factory=list)


def draw_traits(rng: random.Random) -> Traits:
    """Draw the world of a run."""
    pick = rng.choice
    early_s = pick((30.0, 120.0))
    life_s = pick((180.0, 420.0, 1200.0))
    return Traits(
        shards=pick((1, 1, 2)),
        webs=pick((2, 2, 3)),
        workers=pick((2, 2, 3)),
        confirmations=pick((1, 1, 2, 3)),
        chaos_s=pick((60.0, 90.0, 150.0)),
        longest_sleep_s=pick((15.0, 30.0, 60.0)),
        poll_young_ms=pick((3_000, 8_000, 15_000)),
        poll_old_ms=pick((15_000, 30_000)),
        habits=Habits(
            can_list=pick((True, False)),
            early_cancel_s=early_s,
            life_s=life_s,
            purchase_timeout_s=20.0,
            is_dedicated=pick((True, True, False)),
            sms_chance=pick((0.4, 0.8, 1.0)),
            refund_window_s=life_s + 60.0,
        ),
        clients=[pick(list(Habit)) for _ in range(pick((2, 2, 3)))],
    )


__all__ = ["Traits", "draw_traits"]
