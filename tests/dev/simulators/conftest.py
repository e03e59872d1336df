"""A simulator on stage for each test, and a raw client to drive it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from phoneagent.core import money
from phoneagent.dev.simulators import SmsActivateSimulator
from tests.dev.simulators.driver import KEY, Driver
from tests.dev.simulators.serving import Stage, SteppedClock, open_client, serve_stage


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with serve_stage() as stage:
        yield stage


@pytest.fixture
def simulator(stage: Stage) -> SmsActivateSimulator:
    simulator = SmsActivateSimulator(SteppedClock(), api_key=KEY, balance_atomic=money.atomic("12.40"))
    stage.app = simulator.app
    return simulator


@pytest.fixture
async def host(stage: Stage, simulator: SmsActivateSimulator) -> AsyncIterator[Driver]:
    assert stage.app is simulator.app
    async with open_client(stage.origin) as client:
        yield Driver(client)
