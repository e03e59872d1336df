"""The world of payments, fresh for every test."""

from collections.abc import AsyncIterator

import pytest

from tests.facilitators.world import World, opened_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened_world() as opened:
        yield opened
