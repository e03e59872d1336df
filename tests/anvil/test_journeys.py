"""Every journey of tests/journeys/test_story.py, word for word, on npm's anvil with Circle's real FiatTokenV2_2."""

from __future__ import annotations

from tests.anvil import circle
from tests.journeys.outsider import Outside
from tests.journeys.test_story import *  # noqa: F403  all of its tests, those to come included


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
