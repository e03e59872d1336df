"""What every test of a worker gets: a whole service on a real store with work to do."""

from collections.abc import AsyncIterator

import pytest

from tests.web.harness import World, open_world


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[World]:
    async with open_world(redis_url) as world:
        yield world
