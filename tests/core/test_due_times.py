"""When a rental wants attention, in every state it can stand in."""

from dataclasses import replace

import pytest

from phoneagent.core.rental import RETENTION_MS, Job, RentRequest, due_times, wants_abandon
from tests.core.stories import CANCEL_AT, EXPIRES, LOOK_AT, MINUTE, NOW, SETTLE_UNTIL, STORIES, VALID_BEFORE

HOUR = 60 * MINUTE
RETAIN = {"retain": NOW + 72 * HOUR}

DUE = {
    "created": {},
    "paid": {},
    "refused": RETAIN,
    "intended": {"close": LOOK_AT},
    "unknown": {"close": LOOK_AT},
    "none": {},
    "suspect": {"close": LOOK_AT},
    "suspect_bought": {"close": LOOK_AT},
    "lost": RETAIN,
    "active": {"poll": NOW, "expire": SETTLE_UNTIL},
    "coded": {"settle": NOW, "expire": SETTLE_UNTIL},
    "settling": {"settle": NOW + 5_000},
    "unsettled": {"settle": NOW + 9_000},
    "settled": {"close": NOW},
    "rejected": {"close": NOW},
    "finished": RETAIN,
    "cancelling": {"close": CANCEL_AT},
    "cancelled": RETAIN,
    "expired": {"close": EXPIRES},
    "expired_coded": {"close": EXPIRES},
    "closed": RETAIN,
    "retired": {},
    "countries_created": {},
    "countries_paid": {},
    "countries_settling": {"settle": NOW + 5_000},
    "countries_unsettled": {"settle": NOW + 9_000},
    "countries_settled": RETAIN,
    "countries_rejected": RETAIN,
}


@pytest.mark.parametrize("story", STORIES)
def test_a_rental_is_due_for(story: str) -> None:
    assert {job.value: at for job, at in due_times(STORIES[story]).items()} == DUE[story]


@pytest.mark.parametrize("story", STORIES)
def test_only_a_rental_nobody_bought_for_is_abandoned(story: str) -> None:
    idle = {"created", "paid", "none", "countries_created", "countries_paid"}

    assert wants_abandon(STORIES[story]) is (story in idle)


@pytest.mark.parametrize("story", [story for story in STORIES if story != "retired"])
def test_everything_but_a_retired_rental_is_due_for_something(story: str) -> None:
    assert due_times(STORIES[story]) or wants_abandon(STORIES[story])


def test_the_jobs_of_one_rental_run_in_the_order_of_the_specification() -> None:
    assert [job.value for job in Job] == ["abandon", "poll", "settle", "expire", "close", "retain"]


def test_an_unpaid_rental_expires_twenty_seconds_before_its_authorization_does() -> None:
    assert due_times(STORIES["active"])[Job.EXPIRE] == (VALID_BEFORE - 20) * 1000


def test_retention_lasts_seventy_two_hours_after_the_end() -> None:
    assert RETENTION_MS == 72 * HOUR
    assert due_times(STORIES["closed"])[Job.RETAIN] == NOW + 72 * HOUR


def test_retention_never_ends_before_the_entitlement_of_the_payment() -> None:
    story = STORIES["countries_settled"]
    authorization = replace(story.payment.authorization, valid_before=VALID_BEFORE + 400_000)
    long_lived = replace(story, payment=replace(story.payment, authorization=authorization))

    assert due_times(long_lived) == {Job.RETAIN: (VALID_BEFORE + 400_000 + 600) * 1000}


def test_a_request_lasts_whole_minutes() -> None:
    assert RentRequest("US", "go", 20).duration_ms == 20 * MINUTE


@pytest.mark.parametrize(
    ("story", "is_open", "is_final", "is_undecided"),
    [
        ("created", True, False, True),
        ("paid", True, False, True),
        ("active", True, False, False),
        ("unsettled", True, False, False),
        ("settled", False, True, False),
        ("rejected", False, True, False),
        ("expired", False, True, False),
        ("refused", False, True, False),
        ("countries_settling", True, False, True),
    ],
)
def test_a_rental_says_whether_it_is_open_final_or_undecided(
    story: str, *, is_open: bool, is_final: bool, is_undecided: bool
) -> None:
    rental = STORIES[story]

    assert (rental.is_open, rental.is_final, rental.is_undecided) == (is_open, is_final, is_undecided)
