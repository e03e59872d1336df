"""What all processes know about the providers: shared, dated, and forgotten in time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from phoneagent.core.breaker import Breaker, Failure, Trouble, failed
from phoneagent.core.ports import Delivered, Offer, Reading
from phoneagent.store import keys
from tests.core.stories import NOW
from tests.store.store_under_test import StoreUnderTest
from tests.waiting import within

PAIR = ("US", "go")
DAY_MS = 86_400_000


async def test_a_breaker_that_was_never_written_is_closed(store: StoreUnderTest) -> None:
    assert await store.upstreams.breakers(["smsfast"]) == {"smsfast": Breaker()}


async def test_a_breaker_is_read_as_it_was_written(store: StoreUnderTest) -> None:
    for failure in [Failure(trouble, NOW) for trouble in (Trouble.BUY, Trouble.READ, Trouble.AUTH)]:
        written = await store.upstreams.move("smsfast", partial(failed, failure=failure))
        assert written != Breaker()
        assert await store.upstreams.breakers(["smsfast", "hero-sms"]) == {"smsfast": written, "hero-sms": Breaker()}


async def test_no_process_undoes_what_another_wrote_meanwhile(store: StoreUnderTest) -> None:
    def one_more(breaker: Breaker) -> Breaker:
        return replace(breaker, times=breaker.times + 1)

    await within(asyncio.gather(*[store.upstreams.move("smsfast", one_more) for _ in range(10)]))

    assert (await store.upstreams.breakers(["smsfast"]))["smsfast"].times == 10


async def test_offers_are_dated_by_the_store_and_forgotten_after_a_day(store: StoreUnderTest) -> None:
    offers = {PAIR: Offer(310_000, 7), ("GB", "tg"): Offer(400_000, 0)}
    await store.upstreams.note_offers("hero-sms", offers)

    assert await store.upstreams.readings(["smsfast", "hero-sms"]) == {"hero-sms": Reading(NOW, offers)}
    assert 0 < await store.redis.pttl(keys.offers("hero-sms")) <= DAY_MS


async def test_deliveries_of_a_week_count_each_pair_for_itself(store: StoreUnderTest) -> None:
    for has_delivered in (True, True, False):
        await store.upstreams.count_end("smsfast", PAIR, has_delivered=has_delivered)
    await store.upstreams.count_end("smsfast", ("GB", "tg"), has_delivered=False)
    assert await store.upstreams.delivered("smsfast") == {PAIR: Delivered(2, 3), ("GB", "tg"): Delivered(0, 1)}
    assert await store.upstreams.delivered("hero-sms") == {}

    store.time.pass_ms(6 * DAY_MS)
    await store.upstreams.count_end("smsfast", PAIR, has_delivered=True)
    assert await store.upstreams.delivered("smsfast") == {PAIR: Delivered(3, 4), ("GB", "tg"): Delivered(0, 1)}

    store.time.pass_ms(DAY_MS)
    assert await store.upstreams.delivered("smsfast") == {PAIR: Delivered(1, 1)}
    await store.upstreams.count_end("smsfast", PAIR, has_delivered=False)
    assert await store.redis.hlen(keys.delivered("smsfast")) == 3  # the day, and two counts: the rest is gone
