"""The simulation finds what it is there for: five bugs, planted one by one, each within 2,000 seeds."""

import pytest

from tests.simulation.planted import BUGS
from tests.simulation.world import simulate

WITHIN = 2_000

FOUND_BY = {
    "claim split in two calls": {"I3", "I8"},  # the second claim finds its own key taken: 409
    "reveal before settle": {"I1"},
    "timeout treated as failure": {"I1", "I2", "I7"},
    "purchase retried": {"I4"},
    "lease without fence": {"I1", "I3", "I4", "I5", "I6", "I9"},
}
"""Promises that the bug breaks first; another one would mean that it is found by accident."""


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    with BUGS[name]():
        found = next((outcome for outcome in map(simulate, range(WITHIN)) if not outcome.is_clean), None)

    assert found is not None
    assert found.violations[0].promise in FOUND_BY[name]
    assert simulate(found.seed).is_clean, "the seed breaks a promise without the bug too"
