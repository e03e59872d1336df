"""The two stores on which the contract is proven, empty at the start of each test.

After each test every key it left is looked up in the key table.
"""

from collections.abc import AsyncIterator

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from redis.asyncio import Redis

from phoneagent.store.connect import open_client
from tests.store import key_table
from tests.store.store_under_test import StoreUnderTest


@pytest.fixture(params=["valkey", "fakeredis"])
def backend(request: pytest.FixtureRequest) -> str | FakeServer:
    """Where the store lives: the address of a real Valkey, or a server in this process."""
    if request.param == "fakeredis":
        return FakeServer()
    url: str = request.getfixturevalue("redis_url")
    return url


def client_of(backend: str | FakeServer) -> Redis:
    """The service's own client, or its double's."""
    if isinstance(backend, str):
        return open_client(backend)
    fake: Redis = FakeAsyncRedis(server=backend, decode_responses=True)
    return fake


@pytest.fixture
async def redis(backend: str | FakeServer) -> AsyncIterator[Redis]:
    """A client of an empty store."""
    async with client_of(backend) as client:
        yield client
        assert await key_table.faults(client) == []


@pytest.fixture
def store(redis: Redis) -> StoreUnderTest:
    """The adapters with one slot."""
    return StoreUnderTest.on(redis)


@pytest.fixture
def sharded(redis: Redis) -> StoreUnderTest:
    """The adapters with four slots."""
    return StoreUnderTest.on(redis, shards=4)
