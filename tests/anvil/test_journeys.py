"""Every journey of tests/journeys, word for word, on npm's anvil with Circle's real FiatTokenV2_2.

A journey that is added there runs here too; only those that never look at a chain are left where they are.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from tests import journeys
from tests.anvil import circle
from tests.journeys.outsider import Outside

WITHOUT_A_CHAIN = {"test_stopping"}


def take_over_journeys() -> None:
    """Make the journeys' tests and fixtures this module's own, as if they stood here."""
    for path in sorted(Path(str(journeys.__file__)).parent.glob("test_*.py")):
        if path.stem in WITHOUT_A_CHAIN:
            continue
        for name, value in vars(importlib.import_module(f"tests.journeys.{path.stem}")).items():
            if name.startswith("_"):
                continue
            assert not name.startswith("test_") or globals().get(name, value) is value, (
                f"two journeys are called {name}"
            )
            globals()[name] = value


take_over_journeys()


async def test_these_journeys_run_on_anvil_and_on_circles_own_code(outside: Outside) -> None:
    version = await outside.rpc("web3_clientVersion")
    implementation = await outside.rpc("eth_getStorageAt", outside.told["usdc"], circle.IMPLEMENTATION_SLOT, "latest")

    assert version.startswith("anvil/")
    assert implementation[-40:] == circle.IMPLEMENTATION[2:]
    assert len(await outside.rpc("eth_getCode", outside.told["usdc"], "latest")) > 2


async def test_the_dev_clock_moves_anvil_too(outside: Outside) -> None:
    moved = await outside.simulator("clock", advance_s=3600)

    newest = await outside.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003  the protocol's own flag
    assert abs(int(newest["timestamp"], 16) - moved["now"]) <= 2
