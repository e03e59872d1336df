"""How rough a run is: the rates of every kind of fault, drawn from the seed.

A rate may be zero: some bugs show only when everything else goes well. It must never draw from anything but the seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields

OF_OTHERS = ("misbehaves", "stale_read", "whim")
"""What others do wrong though our processes run well."""


CURSED = (
    "claim",
    "verify",
    "buy",
    "claim_activation",
    "commit",
    "drop",
    "status",
    "settle",
    "find_settlement",
    "cancel",
    "finish",
    "find_unclaimed",
    "made_since",
    "take_strays",
    "mark_stray",
    "end_stray",
)


@dataclass
class Weather:
    """Chances per call, but ``hint_*``, which are per hint, ``reset``, per HTTP answer, and ``deploys``: 1 or 0.

    Around the ``cursed_call`` processes die and freeze far more often than elsewhere.
    """

    store_away: float
    store_lost: float
    port_away: float
    port_lost: float
    kill: float
    pause: float
    slow: float
    hint_dropped: float
    hint_doubled: float
    hint_late: float
    reset: float
    misbehaves: float
    stale_read: float
    whim: float
    deploys: float
    cursed: float
    cursed_call: str = ""

    def calm_down(self) -> None:
        """From now on everything of ours runs; only others may still misbehave."""
        for one in fields(self):
            if one.name not in OF_OTHERS and one.type == "float":
                setattr(self, one.name, 0.0)

    def clear_up(self) -> None:
        """From now on nothing fails any more."""
        for name in OF_OTHERS:
            setattr(self, name, 0.0)


def forecast(rng: random.Random) -> Weather:
    """Draw the weather of a run."""
    pick = rng.choice
    return Weather(
        store_away=pick((0, 0.002, 0.01)),
        store_lost=pick((0, 0.002, 0.01)),
        port_away=pick((0, 0.02, 0.08)),
        port_lost=pick((0, 0.02, 0.08)),
        kill=pick((0, 0.001, 0.004, 0.01)),
        pause=pick((0, 0.001, 0.004, 0.01)),
        slow=pick((0, 0.005, 0.03)),
        hint_dropped=pick((0, 0.1, 0.6)),
        hint_doubled=pick((0, 0.1)),
        hint_late=pick((0, 0.2)),
        reset=pick((0, 0.03, 0.15)),
        misbehaves=pick((0, 0.3, 0.7)),
        stale_read=pick((0, 0.1, 0.3)),
        whim=pick((0, 0.1, 0.3)),
        deploys=pick((0.0, 0.0, 1.0)),
        cursed=pick((0, 0.05, 0.2)),
        cursed_call=pick(CURSED),
    )


__all__ = ["Weather", "forecast"]
