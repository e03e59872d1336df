"""What every test of a verb gets: a whole service on a real store, and the host that sells its numbers."""

from collections.abc import AsyncIterator

import pytest

from tests.services.driver import Host, host_of
from tests.web.harness import World, open_world


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[World]:
    async with open_world(redis_url) as world:
        host_of(world)
        yield world


@pytest.fixture
def host(world: World) -> Host:
    assert isinstance(world.provider, Host)
    return world.provider
