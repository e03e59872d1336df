"""The official facilitator, our own and the service judge generated payments; differences.py says what comes of it.

The short form: one payment of each mutation and version. `scripts/interop` has them judge several of each.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.agreement import Found, bench, compare, surprises
from tests.interop.clients import PYPI_V2, ROOT
from tests.interop.differences import DIFFERENCES, TAKEN, expected
from tests.interop.mutations import MUTATIONS, V2_ONLY

needs_official = pytest.mark.skipif(
    PYPI_V2.command() is None, reason=f"{PYPI_V2.name} is not installed; scripts/interop --setup installs it"
)


@pytest.fixture(scope="module")
def found(told: dict[str, Any]) -> Found:
    """What three judges said of one payment of each kind."""
    with bench(told) as judges:
        return compare(judges, examples=1)


def every_kind() -> set[tuple[str, int]]:
    return {(name, version) for name in MUTATIONS for version in ((2,) if name in V2_ONLY else (1, 2))}


@needs_official
def test_three_judges_agree_but_for_what_is_listed(found: Found) -> None:
    assert set(found.seen) == every_kind()
    assert surprises(found, expected) == []


@needs_official
def test_what_the_service_takes_the_official_facilitator_takes_in_our_bytes(found: Found) -> None:
    assert found.forwarded >= len(TAKEN)
    assert found.unsettleable == []


def test_nothing_is_listed_that_is_not_tried() -> None:
    listed = [(name, version) for name, versions in [*DIFFERENCES, *TAKEN] for version in versions]
    assert len(listed) == len(set(listed))
    assert set(listed) <= every_kind()


def test_the_decision_record_has_every_difference_and_no_other() -> None:
    decision = next(iter((ROOT / "docs" / "decisions").glob("0036-*.md"))).read_text(encoding="utf-8")
    told = [line.split("`")[1] for line in decision.splitlines() if line.startswith("| `")]
    assert sorted(told) == sorted(name for name, _ in DIFFERENCES)
