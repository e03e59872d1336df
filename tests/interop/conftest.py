"""`phoneagent dev --json` as a child process, started once for all that other people's software is tried on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.run import service


@pytest.fixture(scope="session")
def told() -> Iterator[dict[str, Any]]:
    """What the running service announced. No fault is armed: who arms one clears it."""
    with service() as announced:
        yield announced
