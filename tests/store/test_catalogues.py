"""Every process sees the same catalogues, in the order in which they were published."""

import asyncio

import pytest

from phoneagent.core import catalog
from phoneagent.core.catalog import Mode
from phoneagent.store import keys
from tests.core.stories import NOW
from tests.prices import change_price
from tests.store.store_under_test import StoreUnderTest
from tests.waiting import within

POOLS = {("US", "go"): 5, ("FR", "tg"): 0}


async def test_before_the_first_publication_there_is_none(store: StoreUnderTest) -> None:
    assert await store.catalogues.recent() == []


async def test_a_published_catalogue_is_read_as_it_was_returned(store: StoreUnderTest) -> None:
    published = await store.catalogues.publish(POOLS)

    assert published == catalog.build(1, NOW, POOLS)
    assert await store.catalogues.recent() == [published]


async def test_a_published_price_stays_when_the_next_release_asks_another(
    store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = await store.catalogues.publish(POOLS)
    change_price(monkeypatch, Mode.ACTIVATE, 1_500_000)
    await store.catalogues.publish(POOLS)

    old, new = await store.catalogues.recent()
    assert old == published
    assert (old.listings["US", "go"].price_atomic, new.listings["US", "go"].price_atomic) == (1_000_000, 1_500_000)


async def test_a_version_published_without_prices_has_todays(store: StoreUnderTest) -> None:
    await store.redis.lpush(keys.CATALOGUE, f'{{"version":1,"as_of_ms":"{NOW}"}}\n[["US","go",5]]')

    assert await store.catalogues.recent() == [catalog.build(1, NOW, {("US", "go"): 5})]


async def test_versions_count_up_and_are_read_oldest_first(store: StoreUnderTest) -> None:
    for number in range(3):
        store.time.now_ms = NOW + number
        await store.catalogues.publish({("US", "go"): number})

    recent = await store.catalogues.recent()
    assert [(shelf.version, shelf.as_of_ms) for shelf in recent] == [(1, NOW), (2, NOW + 1), (3, NOW + 2)]
    assert [shelf.listings["US", "go"].pool for shelf in recent] == [0, 1, 2]


async def test_an_empty_stock_is_a_catalogue_too(store: StoreUnderTest) -> None:
    await store.catalogues.publish({})

    assert await store.catalogues.recent() == [catalog.build(1, NOW, {})]


async def test_a_version_is_kept_until_its_successor_is_older_than_the_price_grace(store: StoreUnderTest) -> None:
    minutes = (0, 4, 8, 14, 15)
    for minute in minutes:
        store.time.now_ms = NOW + minute * 60_000
        await store.catalogues.publish({})

    # at minute 15 the version of minute 4 was current until 8, within the last ten minutes; that of 0 until 4 was not
    assert [shelf.version for shelf in await store.catalogues.recent()] == [2, 3, 4, 5]


async def test_publications_at_the_same_time_get_versions_of_their_own(store: StoreUnderTest) -> None:
    published = await within(asyncio.gather(*[store.catalogues.publish(POOLS) for _ in range(10)]))

    assert sorted(shelf.version for shelf in published) == list(range(1, 11))
    assert [shelf.version for shelf in await store.catalogues.recent()] == list(range(1, 11))
