"""The instruments themselves: points that can be written down, steps that cannot be forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crashes.enumeration import crash_points, forgotten, opening
from tests.crashes.switch import CrashPoint, Side, Switch, Trace
from tests.crashes.watch import TIME_DRIVEN, UNUSED, calls, verbs


def test_a_crash_point_is_read_as_it_was_written() -> None:
    point = CrashPoint(Side.AFTER, "rentals.commit settled", 2)
    assert CrashPoint.parse(str(point)) == point


@pytest.mark.parametrize("text", ["", "after", "after rentals.claim", "during rentals.claim #1", "after x #y"])
def test_what_is_no_crash_point_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the message is the standard library's for some
        CrashPoint.parse(text)


def test_a_trace_tells_what_was_passed_and_how_often(tmp_path: Path) -> None:
    switch = Switch(tmp_path / "trace")
    for side in (Side.BEFORE, Side.AFTER, Side.BEFORE):
        switch.reach(side, "provider.buy")
    trace = Trace.read(tmp_path / "trace")
    assert [str(point) for point in trace.points] == [
        "before provider.buy #1",
        "after provider.buy #1",
        "before provider.buy #2",
    ]
    assert (trace.count(Side.BEFORE, "provider.buy"), trace.met_fate) == (2, False)


def test_what_only_time_repeats_is_tried_once() -> None:
    passed = [CrashPoint(Side.BEFORE, step, nth) for step in ("rentals.get", "provider.buy") for nth in range(1, 9)]
    assert [(point.step, point.nth) for point in crash_points(Trace(tuple(passed), met_fate=False))] == [
        ("rentals.get", 1),
        ("provider.buy", 1),
        ("provider.buy", 2),
    ]


def test_an_opening_ends_with_the_reply_that_brings_the_number() -> None:
    reply = [CrashPoint(Side.AFTER, "reply POST /rent", nth) for nth in (1, 2)]
    later = CrashPoint(Side.BEFORE, "provider.status")
    assert opening(Trace((*reply, later), met_fate=False)) == frozenset(reply)


def test_a_call_or_a_transition_without_a_crash_point_is_named() -> None:
    steps = {f"rentals.commit {verb}" for verb in verbs()} | set(calls())
    points = [CrashPoint(Side.BEFORE, step) for step in steps - {"provider.buy", "rentals.commit settled"}]
    assert forgotten(points) == {"provider.buy", "transitions.settled"}


def test_every_exception_from_the_enumeration_exists() -> None:
    assert calls().keys() >= TIME_DRIVEN
    assert calls().keys() | {f"transitions.{name}" for name in verbs()} >= UNUSED
