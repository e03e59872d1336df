"""The work of an unlucky worker: for each due job the verb of a world in which nothing good happens any more.

No SMS comes, no facilitator answers, no host refunds. It must end every rental: that is what due times are for.
"""

from __future__ import annotations

from typing import assert_never

from phoneagent.core import transitions as verb
from phoneagent.core.order import OrderState
from phoneagent.core.rental import ABANDON_AFTER_MS, Job, Rental, RentalState, due_times, wants_abandon
from phoneagent.core.transitions import Change

STEPS_MOST = 15
"""From anywhere to the end: a settle call, a proof, an expiry, a cancel, a retirement, each with a look before."""


def next_job(rental: Rental, now_ms: int) -> tuple[Job, int]:
    """The job that comes first and when; the order of the kinds decides between two of one time."""
    times = due_times(rental)
    if wants_abandon(rental):
        times[Job.ABANDON] = now_ms + ABANDON_AFTER_MS
    job = min(times, key=lambda kind: (max(times[kind], now_ms), list(Job).index(kind)))
    return job, max(times[job], now_ms)


def done(rental: Rental, job: Job, now_ms: int) -> Change:
    """What the job makes of the rental."""
    match job:
        case Job.ABANDON:
            return verb.released_unbought(rental, "retry_same_payment", "abandoned", now_ms)
        case Job.POLL:
            return _polled(rental, now_ms)
        case Job.SETTLE:
            return _asked_for_money(rental, now_ms)
        case Job.EXPIRE:
            return verb.expired(rental, now_ms, now_ms)
        case Job.CLOSE:
            return _closed(rental, now_ms)
        case Job.RETAIN:
            return verb.retired(rental)
        case _:
            assert_never(job)


def _polled(rental: Rental, now_ms: int) -> Change:
    expires_at_ms = rental.expires_at_ms or 0
    return verb.poll_again(rental, expires_at_ms) if now_ms < expires_at_ms else verb.expired(rental, now_ms, now_ms)


def _asked_for_money(rental: Rental, now_ms: int) -> Change:
    valid_until_ms = rental.payment.authorization.valid_before * 1000
    if now_ms <= rental.settle_until_ms:
        return verb.settle_sent(rental, rental.settle_until_ms + 1, now_ms)
    if now_ms <= valid_until_ms and rental.was_sent:
        return verb.settle_undecided(rental, "timeout", valid_until_ms + 1)
    if rental.was_sent:
        return verb.rejected(rental, "authorization_expired", 99, now_ms, payer_is_to_blame=False)
    return verb.expired(rental, now_ms, now_ms)


def _closed(rental: Rental, now_ms: int) -> Change:
    order = rental.order
    if order is None:
        return verb.close_later(rental, now_ms)
    ends = {
        OrderState.SUSPECT: OrderState.LOSS,
        OrderState.CANCELLING: OrderState.CANCELLED,
        OrderState.CODED: OrderState.FINISHED,
    }
    if rental.state is RentalState.PAID:
        return verb.not_bought(rental, "not listed")
    if order.state is OrderState.BOUGHT:
        return verb.cancelling(rental, now_ms)
    return verb.order_ended(rental, ends[order.state], "proof", now_ms)
