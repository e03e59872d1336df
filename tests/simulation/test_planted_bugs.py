"""The simulation finds what it is there for: five bugs, planted one by one, each within 2,000 seeds."""

import pytest

from tests.simulation.planted import BUGS
from tests.simulation.world import simulate

WITHIN = 2_000

FOUND_BY = {
    "claim split in two calls": {"I3"},
    "reveal before settle": {"I1"},
    "timeout treated as failure": {"I1", "I2", "I7"},
    "purchase retried": {"I4"},
    "lease without fence": {"I1", "I3", "I4", "I5", "I6", "I9"},
}
"""Promises that the bug breaks first; another one would mean that it is found by accident."""

SEEN_BEFORE = {"claim split in two calls": {"I8"}}
"""What a bug may break in seeds before the one that shows it whole: the second of two split claims finds the client's
own key taken by the first, and its request is told 409."""


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    with BUGS[name]():
        broken = (outcome for outcome in map(simulate, range(WITHIN)) if not outcome.is_clean)
        before = SEEN_BEFORE.get(name, set())
        found = next((outcome for outcome in broken if outcome.violations[0].promise not in before), None)

    assert found is not None
    assert found.violations[0].promise in FOUND_BY[name]
    assert simulate(found.seed).is_clean, "the seed breaks a promise without the bug too"
