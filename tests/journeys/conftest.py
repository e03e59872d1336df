"""`phoneagent dev --json` as a child process, started once for all journeys and driven from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.journeys.outsider import Outside

STOP_WITHIN_S = 15


@pytest.fixture(scope="session")
def told() -> Iterator[dict[str, Any]]:
    """What a running dev announced; the process must end by itself within its promise."""
    child = subprocess.Popen([sys.executable, "-m", "phoneagent", "dev", "--json"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        yield json.loads(child.stdout.readline())
    finally:
        child.terminate()
        status = child.wait(STOP_WITHIN_S)
        child.stdout.close()
    assert status == 0


@pytest.fixture
async def outside(told: dict[str, Any]) -> AsyncIterator[Outside]:
    """The service as a stranger sees it, with no fault armed."""
    outside = Outside(told)
    for origin in (told["facilitator_url"], told["simulators"]["smsactivate"]):
        (await outside.http.post(f"{origin}/_sim/fault", json={"clear": True})).raise_for_status()
    yield outside
    await outside.http.aclose()
