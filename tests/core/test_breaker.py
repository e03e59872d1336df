"""When a provider gets no purchases any more, for how long, and what lets it sell again."""

from __future__ import annotations

import pytest

from phoneagent.core.breaker import (
    BAN_MOST_MS,
    OPEN_MOST_MS,
    OPEN_MS,
    Breaker,
    Failure,
    Trouble,
    failed,
    proved,
    worked,
)

NOW = 1_800_000_000_000
S = 1_000


def after(*failures: tuple[Trouble, int]) -> Breaker:
    """A new breaker after these failures, each with its second."""
    breaker = Breaker()
    for trouble, at_s in failures:
        breaker = failed(breaker, Failure(trouble, NOW + at_s * S))
    return breaker


@pytest.mark.parametrize("trouble", [Trouble.AUTH, Trouble.BALANCE, Trouble.BANNED])
def test_a_refusal_of_the_account_opens_it_at_once(trouble: Trouble) -> None:
    breaker = after((trouble, 0))
    assert (breaker.reason, breaker.until_ms) == (trouble, NOW + 2 * OPEN_MS)
    assert breaker.is_open(NOW + 2 * OPEN_MS - 1)
    assert breaker.is_half_open(NOW + 2 * OPEN_MS)


def test_a_ban_is_believed_for_a_day_at_most_and_never_shortens_what_stands() -> None:
    in_an_hour = failed(Breaker(), Failure(Trouble.BANNED, NOW, NOW + 3_600 * S))
    assert in_an_hour.until_ms == NOW + 3_600 * S
    assert failed(in_an_hour, Failure(Trouble.BANNED, NOW + 1, NOW)).until_ms == NOW + 3_600 * S
    assert failed(Breaker(), Failure(Trouble.BANNED, NOW, NOW + 10 * BAN_MOST_MS)).until_ms == NOW + BAN_MOST_MS
    assert failed(Breaker(), Failure(Trouble.BANNED, NOW, NOW - 1)).until_ms == NOW + 2 * OPEN_MS


def test_three_lost_purchases_within_a_minute_open_it() -> None:
    assert after((Trouble.BUY, 0), (Trouble.BUY, 30)).is_closed
    assert after((Trouble.BUY, 0), (Trouble.BUY, 30), (Trouble.BUY, 60)).is_open(NOW + 60 * S)
    assert after((Trouble.BUY, 0), (Trouble.BUY, 30), (Trouble.BUY, 61)).is_closed


def test_five_unanswered_questions_open_it_only_when_they_go_on_for_ten_seconds() -> None:
    at_once = [(Trouble.READ, 0)] * 50
    assert after(*at_once).is_closed
    assert after(*at_once, (Trouble.READ, 10)).is_open(NOW + 10 * S)
    assert after((Trouble.READ, 0), (Trouble.READ, 10)).is_closed


def test_an_answer_ends_the_count_of_its_kind_and_of_no_other() -> None:
    counted = after((Trouble.BUY, 0), (Trouble.BUY, 1), (Trouble.READ, 1))
    answered = worked(counted, Trouble.READ)
    assert (answered.has_counted(Trouble.BUY), answered.has_counted(Trouble.READ)) == (True, False)
    assert failed(answered, Failure(Trouble.BUY, NOW + 2 * S)).is_open(NOW + 2 * S)
    assert failed(worked(counted, Trouble.BUY), Failure(Trouble.BUY, NOW + 2 * S)).is_closed


def test_a_failed_probe_opens_it_twice_as_long_up_to_ten_minutes() -> None:
    breaker, now_ms, lasted = after((Trouble.BUY, 0), (Trouble.BUY, 0), (Trouble.BUY, 0)), NOW, []
    for _ in range(8):
        lasted.append(breaker.until_ms - now_ms)
        now_ms = breaker.until_ms
        breaker = failed(breaker, Failure(Trouble.READ, now_ms))
    assert lasted == [OPEN_MS * 2**n for n in range(5)] + [OPEN_MOST_MS] * 3


def test_who_worked_for_a_while_starts_anew() -> None:
    opened = after((Trouble.AUTH, 0))
    closed = proved(opened, opened.until_ms)
    soon = failed(closed, Failure(Trouble.AUTH, closed.until_ms + OPEN_MS))
    later = failed(closed, Failure(Trouble.AUTH, closed.until_ms + 5 * OPEN_MS))
    assert closed.is_closed
    assert (soon.times, later.times) == (2, 1)


def test_a_late_answer_does_not_close_what_was_opened_meanwhile() -> None:
    opened = after((Trouble.AUTH, 0))
    assert proved(opened, NOW + 1) == opened


def test_faults_say_nothing_new_while_it_is_open() -> None:
    opened = after((Trouble.BUY, 0), (Trouble.BUY, 0), (Trouble.BUY, 0))
    assert failed(opened, Failure(Trouble.READ, NOW + 1)) == opened
