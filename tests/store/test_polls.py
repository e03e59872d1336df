"""Status questions are leased by what matters most, for each provider as many as it may be asked, and none starves."""

from dataclasses import replace

import pytest

from phoneagent.core import transitions as verb
from phoneagent.core.ports import DuePolls, Wanted, hint_topic
from phoneagent.core.rental import Job, Rental
from phoneagent.store import keys
from tests.core.stories import EXPIRES, NOW, PURCHASE_TIMEOUT, draft, payment, rental_id
from tests.store.paths import TO_CODED, TO_PAID
from tests.store.store_under_test import StoreUnderTest

YOUNG = 90_000
ALL = Wanted(100)
NONE = Wanted(0)


async def bought(
    store: StoreUnderTest,
    number: int,
    due_ms: int,
    bought_ms: int = NOW,
    *,
    host: str = "smsfast",
    intent_ms: int = NOW,
) -> str:
    """An active rental that nobody holds: where and when its number was bought, and when it is asked about next."""
    leased = await store.claimed(draft(number))
    activation = verb.Activation(str(number), f"1415555{number:04d}", None)
    rental = await store.bring(
        leased.lease,
        leased.rental,
        *TO_PAID,
        lambda r: verb.intended(r, host, PURCHASE_TIMEOUT, intent_ms),
        lambda r: verb.attached(r, activation, bought_ms),
        lambda r: verb.poll_again(r, due_ms),
    )
    await store.rentals.drop(leased.lease)
    return rental.id


async def lease(store: StoreUnderTest, picked: int = 0, others: Wanted = NONE, **wanted: Wanted) -> DuePolls:
    hosts = {name.replace("_", "-"): one for name, one in wanted.items()}
    return await store.rentals.lease_polls(hosts, others, young_ms=YOUNG, picked=picked)


def ids(due: DuePolls) -> list[str]:
    return [one.lease.rental_id for one in due.leased]


async def test_whose_window_is_over_goes_first_then_the_young_and_attended(store: StoreUnderTest) -> None:
    store.time.now_ms = NOW + 300_000
    young = store.time.now_ms - YOUNG + 1
    plain = await bought(store, 1, NOW)
    is_young = await bought(store, 2, NOW + 1, young)
    attended = await bought(store, 3, NOW + 2)
    both = await bought(store, 4, NOW + 3, young)
    for one in (attended, both):
        await store.rentals.attend(one, 1_000, 0)

    assert ids(await lease(store, smsfast=Wanted(3))) == [both, is_young, attended]
    assert ids(await lease(store, smsfast=ALL)) == [plain]


async def test_the_last_question_of_a_window_goes_before_all_others(store: StoreUnderTest) -> None:
    store.time.now_ms = EXPIRES - 1
    both = await bought(store, 1, NOW, EXPIRES - 1)
    await store.rentals.attend(both, 1_000, 0)
    last = await bought(store, 2, EXPIRES - 1, intent_ms=NOW - 1)

    assert ids(await lease(store, smsfast=Wanted(1))) == [last]


async def test_what_was_hinted_at_goes_before_those_that_only_wait(store: StoreUnderTest) -> None:
    store.time.now_ms = NOW + 300_000
    both = await bought(store, 1, NOW, store.time.now_ms)
    await store.rentals.attend(both, 1_000, 0)
    hinted = await bought(store, 2, store.time.now_ms + 8_000)
    await store.rentals.ask_now(hinted)

    assert ids(await lease(store, smsfast=Wanted(1))) == [hinted]
    store.time.pass_ms(20_000)  # the hint was for one question
    assert ids(await lease(store, smsfast=Wanted(1))) == [both]


async def test_every_fourth_is_the_one_that_has_waited_longest(store: StoreUnderTest) -> None:
    store.time.now_ms = NOW + 300_000
    old = [await bought(store, number, NOW + number) for number in (1, 2)]
    young = [await bought(store, number, store.time.now_ms, store.time.now_ms) for number in range(3, 9)]

    assert ids(await lease(store, smsfast=Wanted(4))) == [*young[:3], old[0]]
    assert ids(await lease(store, picked=3, smsfast=Wanted(1))) == [old[1]]


async def test_of_each_provider_as_many_are_taken_as_are_wanted(store: StoreUnderTest) -> None:
    await bought(store, 1, NOW)
    await bought(store, 2, NOW)
    hero = await bought(store, 3, NOW, host="hero-sms")
    gone = await bought(store, 4, NOW, host="gone")

    due = await lease(store, others=Wanted(1), smsfast=NONE, hero_sms=Wanted(5))

    assert ids(due) == [hero, gone]
    assert (due.next_in_ms, due.live) == (0, 4)  # the other two are left
    assert len((await lease(store, smsfast=Wanted(1))).leased) == 1


async def test_what_is_due_soon_comes_along_but_does_not_begin(store: StoreUnderTest) -> None:
    now, soon, later = [await bought(store, number, NOW + ms) for number, ms in enumerate((50, 2_050, 2_051), 1)]

    assert ids(await lease(store, smsfast=Wanted(9, ahead_ms=2_000))) == []
    store.time.pass_ms(50)
    assert ids(await lease(store, smsfast=Wanted(9, ahead_ms=2_000))) == [now, soon]
    store.time.pass_ms(2_001)
    assert ids(await lease(store, smsfast=Wanted(9))) == [later]


async def test_a_rental_under_a_lease_is_put_off_and_one_that_is_gone_is_forgotten(store: StoreUnderTest) -> None:
    held = await bought(store, 1, NOW)
    assert await store.rentals.take(held) is not None
    await store.redis.zadd("{s00}:due:poll", {rental_id(7): NOW})

    due = await lease(store, smsfast=ALL)

    assert (ids(due), due.next_in_ms) == ([], 1_000)
    assert await store.redis.zrange("{s00}:due:poll", 0, -1) == [held]


async def test_whoever_waits_is_asked_for_soon_and_is_known_until_it_stops(store: StoreUnderTest) -> None:
    one = await bought(store, 1, NOW + 8_000)
    await store.rentals.attend(one, 10_000, 2_000)
    assert await store.due_in_ms(Job.POLL) == 2_000

    await store.rentals.attend(one, 10_000, 3_000)
    assert await store.due_in_ms(Job.POLL) == 2_000  # never later than before
    store.time.pass_ms(2_000)
    (leased,) = (await lease(store, smsfast=ALL)).leased
    assert leased.is_attended

    await store.rentals.drop(leased.lease, replace(leased.rental, poll_at_ms=NOW + 10_000))
    store.time.pass_ms(8_000)
    (leased,) = (await lease(store, smsfast=ALL)).leased
    assert not leased.is_attended


async def test_a_hint_makes_a_question_due_and_rings_whoever_asks(store: StoreUnderTest) -> None:
    one = await bought(store, 1, NOW + 8_000)

    assert await store.rentals.ask_now(one)
    assert await store.due_in_ms(Job.POLL) == 0
    assert hint_topic(one) != one


@pytest.mark.parametrize("number", [1, 2], ids=["with an SMS", "never made"])
async def test_nothing_is_told_of_a_rental_that_is_not_asked_about(store: StoreUnderTest, number: int) -> None:
    leased = await store.claimed(draft(1))
    await store.bring(leased.lease, leased.rental, *TO_CODED)
    before = await store.contents()

    await store.rentals.attend(rental_id(number), 1_000, 0)
    assert not await store.rentals.ask_now(rental_id(number))

    assert await store.contents() == before


async def test_the_owner_of_an_activation_is_told_and_nobody_elses(store: StoreUnderTest) -> None:
    rental: Rental = draft(1)
    await store.activations.claim("smsfast", verb.Activation("7", "14155550007", None), rental.id)

    assert await store.activations.owner("smsfast", "7") == rental.id
    assert await store.activations.owner("hero-sms", "7") is None
    assert await store.activations.owner("smsfast", "\ud800") is None


async def test_polls_of_all_slots_share_what_is_wanted(sharded: StoreUnderTest) -> None:
    payers = {keys.slot_of_payer(payer, 4): payer for payer in (f"0x{number:040x}" for number in range(20))}
    for number, slot in enumerate(("s00", "s01", "s02"), 1):
        leased = await sharded.claimed(draft(number, pays=payment(payer=payers[slot]), slot=slot))
        await sharded.rentals.drop(leased.lease)
        await sharded.redis.zadd(keys.due(slot, Job.POLL), {leased.rental.id: NOW})

    due = await lease(sharded, others=Wanted(2))

    assert (len(due.leased), due.live, due.next_in_ms) == (2, 3, 0)
