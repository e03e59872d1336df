"""The service of the journeys on a chain that is not ours; skipped by name where npm gives no anvil."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.anvil import packages
from tests.journeys.dev_process import announced, looked_at
from tests.journeys.outsider import Outside


@pytest.fixture(scope="session")
def npm_packages() -> None:
    """The locked packages, installed. A wrong package fails the tests; an absent registry skips them."""
    try:
        packages.install()
    except packages.PackagesAbsentError as absent:
        pytest.skip(f"no anvil here: {absent}")


@pytest.fixture(scope="session")
def told(npm_packages: None) -> Iterator[dict[str, Any]]:  # noqa: ARG001  the packages must be there first
    with announced("tests.anvil.dev") as told:
        yield told


@pytest.fixture
async def outside(told: dict[str, Any]) -> AsyncIterator[Outside]:
    async with looked_at(told) as outside:
        yield outside
