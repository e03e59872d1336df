"""Buckets and seats: how much one caller may ask for, and that nobody's memory grows for ever (A21, A22)."""

from dataclasses import dataclass

import pytest

from phoneagent.core.errors import CallerLimited
from phoneagent.services.limit import Rate, RateLimit, WaiterCaps, Waiters


@dataclass
class Clock:
    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def _passes(limit: RateLimit, caller: str | None, tries: int) -> int:
    """How many of so many tries at one moment get through."""
    passed = 0
    for _ in range(tries):
        try:
            limit.take(caller)
        except CallerLimited:
            continue
        passed += 1
    return passed


def test_a_burst_passes_and_no_more() -> None:
    assert _passes(RateLimit(Rate(2, 10), Clock(), "things"), "a", 50) == 10


def test_what_was_used_comes_back_at_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(Rate(2, 10), clock, "things")
    _passes(limit, "a", 50)
    clock.now_s += 3
    assert _passes(limit, "a", 50) == 6
    clock.now_s += 3_600
    assert _passes(limit, "a", 50) == 10


def test_a_refusal_counts_nothing_and_tells_when_there_is_room() -> None:
    clock = Clock()
    limit = RateLimit(Rate(0.1, 1), clock, "things")
    limit.take("a")
    assert _passes(limit, "a", 5) == 0
    with pytest.raises(CallerLimited, match="too many things") as refused:
        limit.take("a")
    assert (refused.value.code, refused.value.members) == ("rate_limited", {"retry_after_seconds": 10})
    clock.now_s += 10
    assert _passes(limit, "a", 5) == 1


def test_callers_do_not_share_a_bucket_and_one_without_address_has_none() -> None:
    limit = RateLimit(Rate(1, 1), Clock(), "things")
    assert [_passes(limit, caller, 9) for caller in ("a", "b", None)] == [1, 1, 9]


def test_idle_callers_are_forgotten_when_there_are_too_many_and_busy_ones_are_not() -> None:
    clock = Clock()
    limit = RateLimit(Rate(1, 1), clock, "things", most=100)
    for number in range(100):
        limit.take(f"idle{number}")
    clock.now_s += 2
    limit.take("busy")
    assert len(limit) == 1
    assert _passes(limit, "busy", 3) == 0


def test_a_flood_of_callers_does_not_fill_the_memory() -> None:
    limit = RateLimit(Rate(1, 1), Clock(), "things", most=100)
    for number in range(10_000):
        limit.take(f"caller{number}")
        assert len(limit) <= 100


def _sits(waiters: Waiters, caller: str, rental_id: str | None = None) -> bool:
    try:
        waiters.sit(caller, rental_id)
    except CallerLimited as refused:
        return refused.code != "too_many_waiters"
    return True


def test_so_many_wait_for_one_rental() -> None:
    waiters = Waiters(WaiterCaps(per_rental=2))
    assert [_sits(waiters, caller, "r") for caller in ("a", "b", "c")] == [True, True, False]
    assert _sits(waiters, "c", "another")


def test_so_many_wait_from_one_address_whatever_for() -> None:
    waiters = Waiters(WaiterCaps(per_caller=3))
    assert [_sits(waiters, "a", rental_id) for rental_id in ("r", None, "s", "t", None)] == [True] * 3 + [False] * 2
    assert _sits(waiters, "b", "t")


def test_so_many_wait_in_one_process() -> None:
    waiters = Waiters(WaiterCaps(in_all=2))
    assert [_sits(waiters, f"a{number}", f"r{number}") for number in range(3)] == [True, True, False]


def test_who_rises_makes_room_and_leaves_no_trace() -> None:
    waiters = Waiters(WaiterCaps(per_rental=1, per_caller=1, in_all=1))
    for caller in ("a", "b"):
        waiters.sit(caller, "r")
        waiters.rise(caller, "r")
    assert len(waiters) == 0
    assert (waiters._by_rental, waiters._by_caller) == ({}, {})
