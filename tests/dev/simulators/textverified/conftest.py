"""A simulated TextVerified on stage for each test, and a raw client to drive it."""

from collections.abc import AsyncIterator

import pytest

from phoneagent.dev.simulators import TextVerifiedSimulator
from tests.dev.simulators.serving import Stage, SteppedClock, open_client
from tests.dev.simulators.textverified.driver import TextVerifiedDriver, open_simulator


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def textverified(stage: Stage, clock: SteppedClock) -> TextVerifiedSimulator:
    simulator = open_simulator(clock)
    stage.app = simulator.app
    return simulator


@pytest.fixture
async def host(stage: Stage, textverified: TextVerifiedSimulator) -> AsyncIterator[TextVerifiedDriver]:
    assert stage.app is textverified.app
    async with open_client(stage.origin) as client:
        yield TextVerifiedDriver(client)
