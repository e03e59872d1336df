"""A running `phoneagent dev --json`, whatever starts it, and the stranger who looks at it.

It must never outlive the context that runs it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.journeys.outsider import Outside

STOP_WITHIN_S = 15


@contextlib.contextmanager
def announced(*module: str) -> Iterator[dict[str, Any]]:
    """What a running dev announced; the process must end by itself within its promise."""
    command = [sys.executable, "-m", *module]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  no shell, our own module
    assert child.stdout is not None
    try:
        yield json.loads(child.stdout.readline())
    finally:
        child.terminate()
        status = child.wait(STOP_WITHIN_S)
        child.stdout.close()
    assert status == 0


@contextlib.asynccontextmanager
async def looked_at(told: dict[str, Any]) -> AsyncIterator[Outside]:
    """The service as a stranger sees it, with no fault armed."""
    outside = Outside(told)
    for origin in (told["facilitator_url"], told["simulators"]["smsactivate"]):
        (await outside.http.post(f"{origin}/_sim/fault", json={"clear": True})).raise_for_status()
    yield outside
    await outside.http.aclose()
