"""The API key reaches the host and nothing else: no log, no error, no evidence, no repr."""

import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import quote_plus

import httpx
import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Provider, Purchase, PurchaseUnknown
from phoneagent.dev.simulators import HeroSimulator
from phoneagent.providers.smsactivate import HERO
from tests.dev.simulators.serving import START_MS, Stage, SteppedClock, open_client
from tests.providers.conftest import MakeProvider
from tests.providers.smsactivate.scripted import ScriptedHost
from tests.waiting import BOUND_S

KEY = "s3cret/key+with&signs=0123456789"
SPELLINGS = (KEY, quote_plus(KEY), "s3cret")
PURCHASE = Purchase("US", "go", 600_000)

VERBS: dict[str, Callable[[Provider], Awaitable[object]]] = {
    "buy": lambda provider: provider.buy(PURCHASE),
    "status": lambda provider: provider.status("900001"),
    "cancel": lambda provider: provider.cancel("900001"),
    "finish": lambda provider: provider.finish("900001"),
    "stock": lambda provider: provider.stock(),
    "offers": lambda provider: provider.offers(),
    "balance": lambda provider: provider.balance(),
    "statuses": lambda provider: provider.statuses(["900001"]),
    "find_unclaimed": lambda provider: provider.find_unclaimed(PURCHASE, START_MS),
    "made_since": lambda provider: provider.made_since(START_MS),
}


def everything_an_error_holds(error: BaseException) -> str:
    """What any handler could print of an error: its whole chain with notes, and the requests that httpx hangs on."""
    told = "".join(traceback.format_exception(error))
    cause: BaseException | None = error
    while cause is not None:
        told += f"{cause!r} {cause.__dict__!r}"
        if isinstance(cause, httpx.RequestError):
            told += f"{cause.request.url} {cause.request.headers!r}"
        cause = cause.__cause__ or cause.__context__
    return told


def our_side_of(log: pytest.LogCaptureFixture) -> str:
    """What was logged, except by the host's server, which happens to run in the same process."""
    return "\n".join(record.getMessage() for record in log.records if not record.name.startswith("uvicorn"))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.fixture
def simulator(stage: Stage, clock: SteppedClock) -> HeroSimulator:
    simulator = HeroSimulator(clock, api_key=KEY, balance_atomic=1_000_000)
    stage.app = simulator.app
    return simulator


@pytest.mark.parametrize("kind", ["timeout", "drop_reply", "5xx", "html", "banned"])
@pytest.mark.parametrize("verb", VERBS)
async def test_no_fault_tells_the_key(
    simulator: HeroSimulator, make_provider: MakeProvider, log: pytest.LogCaptureFixture, verb: str, kind: str
) -> None:
    provider = make_provider(
        profile=HERO, api_key=KEY, timeout_s=0.15 if kind in {"timeout", "drop_reply"} else BOUND_S
    )
    simulator.faults.set("*", kind)
    told = repr(provider)
    try:
        told += repr(await VERBS[verb](provider))
    except Unavailable as error:
        told += everything_an_error_holds(error)

    told += our_side_of(log)
    assert simulator.faults.left() == []
    assert [spelling for spelling in SPELLINGS if spelling in told] == []


async def test_the_key_arrives_and_the_log_that_httpx_writes_shows_the_bare_handler(
    stage: Stage, simulator: HeroSimulator, make_provider: MakeProvider, log: pytest.LogCaptureFixture
) -> None:
    assert stage.app is simulator.app
    assert await make_provider(api_key=KEY).stock()  # the simulator checks the key

    requests = [record.getMessage() for record in log.records if record.name == "httpx"]
    assert requests == [f'HTTP Request: GET {stage.origin}/stubs/handler_api.php "HTTP/1.1 200 OK"']


async def test_evidence_from_a_page_that_repeats_the_request_is_cleared(
    stage: Stage, make_provider: MakeProvider
) -> None:
    host = ScriptedHost()
    stage.app = host
    host.says(f"<p>Cannot GET /stubs/handler_api.php?api_key={quote_plus(KEY)}&action=getNumber for {KEY}</p>")
    answer = await make_provider(api_key=KEY).buy(PURCHASE)

    assert host.queries[0]["api_key"] == KEY
    assert answer == PurchaseUnknown("<p>Cannot GET /stubs/handler_api.php?api_key=***&action=getNumber for ***</p>")


async def test_a_key_on_the_edge_of_the_cut_leaves_no_part_of_itself(stage: Stage, make_provider: MakeProvider) -> None:
    host = ScriptedHost()
    stage.app = host
    host.says("x" * 190 + KEY)
    answer = await make_provider(api_key=KEY).buy(PURCHASE)

    assert answer == PurchaseUnknown("x" * 190 + "***")


async def test_an_unreachable_host_is_reported_without_the_key(make_provider: MakeProvider) -> None:
    provider = make_provider(api_key=KEY, origin="http://127.0.0.1:1")

    with pytest.raises(Unavailable) as raised:
        await provider.status("1")

    told = everything_an_error_holds(raised.value)
    assert "ConnectError" in told
    assert [spelling for spelling in SPELLINGS if spelling in told] == []


async def test_a_client_that_puts_the_key_into_its_url_is_caught_by_these_tests(
    stage: Stage, log: pytest.LogCaptureFixture
) -> None:
    stage.app = ScriptedHost()
    async with open_client(stage.origin) as client:
        await client.get("/", params={"api_key": KEY})

    assert quote_plus(KEY) in our_side_of(log)
