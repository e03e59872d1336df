"""What the tests of the adapters share: a stage, a clock, a client, and providers made for what stands on the stage."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from phoneagent.dev.simulators.smsactivate import HANDLER_PATH
from phoneagent.providers.smsactivate import SMSFAST, Profile, SmsActivateProvider
from tests.dev.simulators.driver import KEY
from tests.dev.simulators.serving import Stage, SteppedClock, open_client, serve_stage
from tests.providers.upstreams import CEILINGS
from tests.waiting import BOUND_S

MakeProvider = Callable[..., SmsActivateProvider]


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with serve_stage() as stage:
        yield stage


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client() as client:
        yield client


@pytest.fixture
def make_provider(stage: Stage, clock: SteppedClock, client: httpx.AsyncClient) -> MakeProvider:
    """Make a provider, of smsfast unless told, for the stage or another origin, that waits at most ``timeout_s``."""

    def made(
        *,
        origin: str | None = None,
        timeout_s: float = BOUND_S,
        api_key: str = KEY,
        micro_usd_per_unit: int = 1_000_000,
        profile: Profile = SMSFAST,
    ) -> SmsActivateProvider:
        near = replace(
            profile,
            base_url=(origin or stage.origin) + HANDLER_PATH,
            purchase_timeout_s=timeout_s,
            read_timeout_s=timeout_s,
            connect_timeout_s=min(timeout_s, SMSFAST.connect_timeout_s),
            micro_usd_per_unit=micro_usd_per_unit,
        )
        return SmsActivateProvider(client, profile=near, api_key=api_key, clock=clock, most_cost_atomic=CEILINGS)

    return made
