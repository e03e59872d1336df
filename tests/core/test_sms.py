"""What becomes of an SMS follows from where the money stands (ARCHITECTURE §2 "Several SMS", I1, I5)."""

from dataclasses import replace

import pytest

from phoneagent.core import transitions as verb
from phoneagent.core.rental import Job, MessageState, due_times
from tests.core.stories import EXPIRES, NOW, SMS, STORIES, TX, sms

OTHER = sms("Your code is 111222")


@pytest.mark.parametrize(
    ("story", "state", "reason"),
    [
        ("active", "sealed", None),
        ("coded", "sealed", None),
        ("settling", "sealed", None),
        ("unsettled", "sealed", None),
        ("settled", "revealed", None),
        ("rejected", "written_off", "authorization_expired"),
        ("cancelling", "written_off", "after_cancel"),
        ("suspect_bought", "written_off", "after_cancel"),
        ("expired", "written_off", "too_late"),
        ("expired_coded", "written_off", "too_late"),
    ],
)
def test_a_new_sms_goes_where_the_hold_says(story: str, state: str, reason: str | None) -> None:
    change = verb.sms_seen(STORIES[story], [OTHER], EXPIRES)

    stored = change.rental.messages[-1]
    assert (stored.text, stored.state.value, stored.reason) == (OTHER.text, state, reason)
    assert [event.type.value for event in change.events] == ["rental.sms_received"]
    written_off = [(entry.kind.value, entry.reference) for entry in change.ledger]
    assert written_off == ([("write_off", reason)] if reason else [])


@pytest.mark.parametrize("story", ["active", "coded", "settling", "unsettled", "settled", "rejected", "expired_coded"])
def test_an_sms_is_stored_once_however_often_it_is_shown(story: str) -> None:
    first = verb.sms_seen(STORIES[story], [SMS, OTHER], NOW).rental

    again = verb.sms_seen(first, [SMS, OTHER], NOW + 1)

    assert again.rental == first
    assert again.events + again.ledger == ()
    assert [message.text for message in first.messages].count(OTHER.text) == 1


def test_an_sms_shown_twice_in_one_answer_is_one_sms() -> None:
    change = verb.sms_seen(STORIES["active"], [SMS, SMS, OTHER, SMS], NOW)

    assert [message.text for message in change.rental.messages] == [SMS.text, OTHER.text]


def test_the_same_text_from_another_sender_is_another_sms() -> None:
    change = verb.sms_seen(STORIES["coded"], [SMS, sms(SMS.text, "Google")], NOW)

    assert [message.sender for message in change.rental.messages] == ["VERIFY", "Google"]


def test_the_same_sms_with_another_time_is_the_same_sms() -> None:
    change = verb.sms_seen(STORIES["coded"], [sms(at_ms=NOW + 60_000)], NOW)

    assert change.rental == STORIES["coded"]


def test_nothing_shown_changes_nothing() -> None:
    assert verb.sms_seen(STORIES["active"], [], NOW) == verb.Change(STORIES["active"])


def test_a_first_sms_stops_the_polling_and_asks_for_the_money() -> None:
    rental = verb.sms_seen(STORIES["active"], [SMS], NOW + 7).rental

    assert rental.poll_at_ms is None
    assert due_times(rental)[Job.SETTLE] == NOW + 7
    assert Job.POLL not in due_times(rental)


def test_a_second_sms_does_not_move_a_settlement_that_is_under_way() -> None:
    rental = verb.sms_seen(STORIES["settling"], [OTHER], NOW + 7).rental

    assert rental.settle_at_ms == STORIES["settling"].settle_at_ms


@pytest.mark.parametrize("story", ["settled", "cancelling", "expired", "rejected"])
def test_an_sms_after_the_end_has_the_order_finished_at_once(story: str) -> None:
    rental = verb.sms_seen(STORIES[story], [OTHER], NOW + 7).rental

    assert due_times(rental) == {Job.CLOSE: NOW + 7}
    assert rental.order is not None
    assert rental.order.state.value == "coded"


def test_settling_reveals_every_sms_that_is_sealed() -> None:
    both = verb.sms_seen(STORIES["settling"], [OTHER], NOW).rental

    rental = verb.settled(both, TX, 1, NOW).rental

    assert [message.text for message in rental.revealed()] == [SMS.text, OTHER.text]
    assert rental.sealed() == ()


def test_settling_does_not_reveal_what_was_written_off() -> None:
    story = STORIES["settling"]
    lost = replace(SMS, text="lost", state=MessageState.WRITTEN_OFF, reason="too_late")

    rental = verb.settled(replace(story, messages=(*story.messages, lost)), TX, 1, NOW).rental

    assert [message.state.value for message in rental.messages] == ["revealed", "written_off"]


def test_a_rejection_writes_off_what_was_sealed_and_leaves_older_reasons() -> None:
    story = STORIES["settling"]
    lost = replace(SMS, text="lost", state=MessageState.WRITTEN_OFF, reason="too_late")

    rental = verb.rejected(
        replace(story, messages=(*story.messages, lost)), "why", 1, NOW, payer_is_to_blame=False
    ).rental

    assert [message.reason for message in rental.messages] == ["why", "too_late"]
