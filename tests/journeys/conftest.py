"""`phoneagent dev --json` as a child process, started once for all journeys and driven from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.journeys.dev_process import announced, looked_at
from tests.journeys.outsider import Outside


@pytest.fixture(scope="session")
def told() -> Iterator[dict[str, Any]]:
    with announced("phoneagent", "dev", "--json") as told:
        yield told


@pytest.fixture
async def outside(told: dict[str, Any]) -> AsyncIterator[Outside]:
    async with looked_at(told) as outside:
        yield outside
