"""A store that may forget or evict is refused, and the number of slots never changes once it is written."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from phoneagent.dev.valkey import EmbeddedValkey
from phoneagent.store import keys
from phoneagent.store.connect import durability_faults, fix_shards, open_client
from tests.waiting import within


@pytest.fixture
async def own_server() -> AsyncIterator[Redis]:
    """A server that a test may spoil."""
    async with await EmbeddedValkey.start() as valkey, open_client(valkey.url) as client:
        yield client


async def test_the_embedded_store_is_fit_for_money(own_server: Redis) -> None:
    assert await durability_faults(own_server) == []


async def test_a_store_that_forgets_or_evicts_is_told_what_to_set(own_server: Redis) -> None:
    await own_server.config_set("maxmemory-policy", "allkeys-lru")
    evicts = await durability_faults(own_server)
    await own_server.config_set("appendonly", "no")
    both = await durability_faults(own_server)

    assert evicts == ["maxmemory-policy is 'allkeys-lru'; set it to noeviction"]
    assert both == ["appendonly is 'no'; set it to yes", *evicts]


async def test_a_call_can_be_cancelled_at_whatever_moment(redis_url: str) -> None:
    async with open_client(redis_url) as client:

        async def ask_for_ever() -> None:
            while True:
                await client.ping()

        for ticks in range(80):
            asking = asyncio.create_task(ask_for_ever())
            for _ in range(ticks):
                await asyncio.sleep(0)
            asking.cancel()
            await within(asyncio.wait([asking]))
            assert asking.cancelled()


async def test_the_first_start_fixes_the_number_of_slots(redis: Redis) -> None:
    assert await fix_shards(redis, 4) == 4
    assert await fix_shards(redis, 1) == 4
    assert await redis.get(keys.SHARDS) == "4"
