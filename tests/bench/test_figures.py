"""Bounds: when a figure keeps its promise, and when a run has to fail."""

import pytest

from bench.figures import Bound, Figure, at_least, at_most, no_more_than, percentile


def figure(value: float, bound: Bound) -> Figure:
    return Figure("what", "ours", "beside", value, bound)


@pytest.mark.parametrize(
    ("value", "bound", "verdict"),
    [
        (5.0, at_least(5), "kept"),
        (4.9, at_least(5), "missed"),
        (1.3, at_most(1.3), "kept"),
        (1.4, at_most(1.3), "missed"),
        (19.0, no_more_than(20, " ms"), "kept"),
        (21.0, no_more_than(20, " ms"), "missed"),
    ],
)
def test_a_figure_keeps_or_misses_its_promise(value: float, bound: Bound, verdict: str) -> None:
    assert figure(value, bound).verdict == verdict


@pytest.mark.parametrize(("value", "bound"), [(2.4, at_least(5)), (2.7, at_most(1.3)), (0.0, at_least(1))])
def test_a_ratio_missed_by_more_than_a_factor_of_two_fails_the_run(value: float, bound: Bound) -> None:
    assert figure(value, bound).is_far_off


@pytest.mark.parametrize(
    ("value", "bound"), [(2.6, at_least(5)), (2.5, at_most(1.3)), (900.0, no_more_than(20, " ms"))]
)
def test_noise_and_slow_machines_do_not_fail_the_run(value: float, bound: Bound) -> None:
    assert not figure(value, bound).is_far_off


def test_a_figure_without_a_promise_is_only_shown() -> None:
    shown = Figure("what", "ours", value=7.0)

    assert (shown.verdict, shown.is_far_off) == ("", False)


def test_percentiles_are_those_of_the_values_themselves() -> None:
    values = [float(value) for value in range(101)]

    assert (percentile(values, 50), percentile(values, 99)) == (50, 99)
