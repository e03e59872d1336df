"""What every attack gets: one whole service on an empty store, with the outside world faked at its ports."""

from collections.abc import AsyncIterator

import pytest

from tests.web.harness import World, open_world


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[World]:
    async with open_world(redis_url) as world:
        yield world
