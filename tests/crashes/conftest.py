"""One outside world for all crash cases, and a fresh pair of eyes on it for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crashes.world import World, infra


@pytest.fixture(scope="session")
def crash_infra() -> Iterator[dict[str, Any]]:
    """Store, chain, facilitator and provider; the services come and go."""
    with infra() as told:
        yield told


@pytest.fixture
async def world(crash_infra: dict[str, Any], tmp_path: Path) -> AsyncIterator[World]:
    """The outside world as one case sees it."""
    async with World.open(crash_infra, tmp_path) as world:
        yield world
