"""Key, username and token reach the host and nothing else; numbers and texts reach no log and no error."""

import logging
import traceback
from collections.abc import Awaitable, Callable

import httpx
import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Provider, Purchase
from phoneagent.providers.textverified import TEXTVERIFIED, TextVerifiedProvider
from tests.dev.simulators.serving import Stage, SteppedClock
from tests.dev.simulators.textverified.driver import KEY, USERNAME, TextVerifiedDriver
from tests.providers.textverified.conftest import MakeTextVerified
from tests.providers.textverified.scripted import TOKEN, ScriptedHost
from tests.providers.upstreams import CEILINGS

PURCHASE = Purchase("US", "go", 600_000)
VERBS: dict[str, Callable[[Provider], Awaitable[object]]] = {
    "buy": lambda provider: provider.buy(PURCHASE),
    "status": lambda provider: provider.status("lr_01A"),
    "cancel": lambda provider: provider.cancel("lr_01A"),
    "finish": lambda provider: provider.finish("lr_01A"),
    "stock": lambda provider: provider.stock(),
    "find": lambda provider: provider.find_unclaimed(PURCHASE, 0),
}


def told_of(error: BaseException) -> str:
    """What any handler could print of an error: its whole chain with notes, and the requests that httpx hangs on."""
    told = "".join(traceback.format_exception(error))
    cause: BaseException | None = error
    while cause is not None:
        told += f"{cause!r} {cause.__dict__!r}"
        if isinstance(cause, httpx.RequestError):
            told += str(cause.request.url)
        cause = cause.__cause__ or cause.__context__
    return told


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("status", [401, 403, 500, 200])
async def test_a_host_that_repeats_our_secrets_does_not_spread_them(
    stage: Stage,
    make_textverified: MakeTextVerified,
    caplog: pytest.LogCaptureFixture,
    verb: str,
    status: int,
) -> None:
    script = ScriptedHost()
    script.says("POST /auth", {"token": TOKEN, "expiresIn": 899})
    for what in ("POST /verifications", "GET /verifications", "GET /services", "GET /verifications/lr_01A"):
        script.says(what, f"debug: {KEY} {USERNAME} Bearer {TOKEN}", status)
    script.says("POST /verifications/lr_01A/cancel", f"debug: {KEY} {USERNAME} {TOKEN}", status)
    stage.app = script
    caplog.set_level(logging.DEBUG)

    try:
        told = repr(await VERBS[verb](make_textverified()))
    except Unavailable as exc:
        told = told_of(exc)

    assert not any(secret in told for secret in (KEY, USERNAME, TOKEN))
    assert not any(secret in caplog.text for secret in (KEY, USERNAME, TOKEN))


async def test_a_wrong_key_is_refused_without_being_shown(
    host: TextVerifiedDriver, make_textverified: MakeTextVerified
) -> None:
    stranger = make_textverified(api_key="wrong-key-0123456789")

    with pytest.raises(Unavailable) as raised:
        await stranger.stock()
    assert "wrong-key" not in told_of(raised.value)
    assert (await host.state())["activations"] == []


async def test_no_number_and_no_text_of_an_sms_is_logged(
    host: TextVerifiedDriver, provider: TextVerifiedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    made = await host.made()
    await host.sms(number=made["number"], text="secret words 4711")
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    await provider.status(made["id"])
    ours = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("httpx"))

    assert ours
    assert made["number"] not in ours
    assert "secret words" not in ours


async def test_the_adapter_does_not_print_its_secrets(clock: SteppedClock, client: httpx.AsyncClient) -> None:
    provider = TextVerifiedProvider(
        client, profile=TEXTVERIFIED, api_key=KEY, username=USERNAME, clock=clock, most_cost_atomic=CEILINGS
    )

    shown = repr(provider) + repr(vars(provider)) + repr(vars(vars(provider)["_wire"])["_credentials"])
    assert KEY not in shown
    assert USERNAME not in shown
