"""Clients that strangers wrote for the hosts we buy from work unchanged on our simulators, to the last cent.

`scripts/upstreams --setup` installs them; what is missing is named in the reason of a skip.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from phoneagent.core import money
from phoneagent.dev.simulators import Door, HeroSimulator, SmsActivateSimulator
from phoneagent.dev.simulators.door import HANDLER_PATH
from tests.dev.simulators.driver import KEY
from tests.dev.simulators.serving import Stage, SteppedClock, serve_stage

PYTHON = Path(__file__).parents[3] / ".venv-upstreams/bin/python"
DRIVERS = Path(__file__).parent / "drivers"
WITHIN_S = 30.0
"""A client's imports take seconds on a busy machine."""


@dataclass(frozen=True)
class Scene:
    stage: Stage
    door: Door

    async def played(self, story: str) -> dict[str, Any]:
        """What a client's story told when it ran against the simulator."""
        program = [str(DRIVERS / f"{story}_story.py"), self.stage.origin, HANDLER_PATH, KEY]
        pipe = asyncio.subprocess.PIPE
        async with asyncio.timeout(WITHIN_S):
            child = await asyncio.create_subprocess_exec(str(PYTHON), *program, stdout=pipe, stderr=pipe)
            out, err = await child.communicate()
        assert child.returncode == 0, err.decode()
        told: dict[str, Any] = json.loads(out)
        return told

    def rows(self) -> list[tuple[str, str]]:
        return [(row["number"], row["status"]) for row in self.door.host.state()["activations"]]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    if not PYTHON.exists():
        pytest.skip("the upstream clients are not installed; scripts/upstreams --setup installs them")
    with serve_stage() as stage:
        yield stage


@pytest.fixture
def hero(stage: Stage) -> Scene:
    door = HeroSimulator(SteppedClock(), api_key=KEY, balance_atomic=money.atomic("12.40"))
    stage.app = door.app
    return Scene(stage, door)


@pytest.fixture
def smsfast(stage: Stage) -> Scene:
    door = SmsActivateSimulator(SteppedClock(), api_key=KEY, balance_atomic=money.atomic("12.40"), shows_text=False)
    stage.app = door.app
    return Scene(stage, door)


async def test_herosms_buys_reads_and_cancels_at_hero(hero: Scene) -> None:
    told = await hero.played("herosms")

    assert hero.rows() == [(told["numbers"][0], "finished"), (told["numbers"][1], "cancelled")]
    assert [told["balance"], told["left"]] == [12.4, 11.85]
    assert told["price"][0] == told["top"] == 0.55
    assert told["costs"] == [0.55, 0.55]
    assert told["countries"] > 70
    assert [told["waiting"], told["cancelled"]] == ["STATUS_WAIT_CODE", "STATUS_CANCEL"]
    assert told["sms"] == ["478392", "Code 478392"]
    assert told["messages"] == ["Code 478392"]
    assert told["retry"] == "STATUS_WAIT_RETRY:'478392'"
    assert told["too early"] == "EARLY_CANCEL_DENIED"
    assert told["stranger"] == "BAD_KEY"
    assert len(told["history"]) == 2


async def test_grizzly_buys_reads_and_cancels_at_hero(hero: Scene) -> None:
    """It takes JSON only from who calls it that, so not from smsfast, which serves everything as text/html."""
    told = await hero.played("grizzly")

    assert hero.rows() == [(told["numbers"][0], "finished"), (told["numbers"][1], "cancelled")]
    assert [told["balance"], told["left"]] == [12.4, 11.85]
    assert told["price"] == [0.55, 12_345]
    assert [told["waiting"], told["sms"]] == ["STATUS_WAIT_CODE", "478392"]
    assert "too early" in told


@pytest.mark.parametrize("host", ["smsfast", "hero"])
async def test_smsbower_buys_reads_and_cancels_with_v1_at_either(host: str, request: pytest.FixtureRequest) -> None:
    scene: Scene = request.getfixturevalue(host)

    told = await scene.played("smsbower")

    assert scene.rows() == [(told["numbers"][0], "finished"), (told["numbers"][1], "cancelled")]
    assert told["balance"] == 12.4
    assert told["left"] == {"smsfast": 12.09, "hero": 11.85}[host]
    assert [told["waiting"], told["sms"]] == ["STATUS_WAIT_CODE", "478392"]
