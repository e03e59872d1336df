"""The adapter in front of the simulated TextVerified."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest

from phoneagent.dev.simulators import TextVerifiedSimulator
from phoneagent.providers.textverified import TEXTVERIFIED, TextVerifiedProvider
from tests.dev.simulators.serving import Stage, SteppedClock, open_client
from tests.dev.simulators.textverified.driver import KEY, USERNAME, TextVerifiedDriver, open_simulator
from tests.providers.upstreams import CEILINGS
from tests.waiting import BOUND_S

MakeTextVerified = Callable[..., TextVerifiedProvider]


@pytest.fixture
def simulator(clock: SteppedClock) -> TextVerifiedSimulator:
    return open_simulator(clock)


@pytest.fixture
async def host(stage: Stage, simulator: TextVerifiedSimulator) -> AsyncIterator[TextVerifiedDriver]:
    stage.app = simulator.app
    async with open_client(stage.origin) as client:
        yield TextVerifiedDriver(client)


@pytest.fixture
def make_textverified(stage: Stage, clock: SteppedClock, client: httpx.AsyncClient) -> MakeTextVerified:
    """Make a provider for the stage, or for another origin, that waits at most ``timeout_s`` for an answer."""

    def made(
        *,
        origin: str | None = None,
        timeout_s: float = BOUND_S,
        api_key: str = KEY,
        username: str = USERNAME,
    ) -> TextVerifiedProvider:
        profile = replace(
            TEXTVERIFIED,
            base_url=origin or stage.origin,
            purchase_timeout_s=timeout_s,
            read_timeout_s=timeout_s,
            connect_timeout_s=min(timeout_s, TEXTVERIFIED.connect_timeout_s),
        )
        return TextVerifiedProvider(
            client, profile=profile, api_key=api_key, username=username, clock=clock, most_cost_atomic=CEILINGS
        )

    return made


@pytest.fixture
def provider(make_textverified: MakeTextVerified) -> TextVerifiedProvider:
    return make_textverified()
