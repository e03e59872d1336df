"""`phoneagent probe` tells what a key can do, from the host's own answers, and leaves the account as it was."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from phoneagent.core import money
from phoneagent.dev.simulators import Door, HeroSimulator, SmsActivateSimulator
from phoneagent.providers.finding import Finding, Verdict
from phoneagent.providers.smsactivate import HERO, SMSFAST, Profile
from phoneagent.providers.smsactivate.probe import actions_found, probe
from tests.dev.simulators.driver import KEY
from tests.dev.simulators.serving import START_MS, Stage, SteppedClock
from tests.providers.smsactivate.scripted import ScriptedHost

YES, NO, NOT_KNOWN = Verdict.YES, Verdict.NO, Verdict.NOT_KNOWN
READING = {"getBalance", "getPrices", "getStatusV2", "getActiveActivations", "getHistory"}


@pytest.fixture(params=[SmsActivateSimulator, HeroSimulator], ids=["smsfast", "hero"])
def door(request: pytest.FixtureRequest, stage: Stage, clock: SteppedClock) -> Door:
    made: Door = request.param(clock, api_key=KEY, balance_atomic=money.atomic("12.40"))
    stage.app = made.app
    return made


@pytest.fixture
def scripted(stage: Stage) -> ScriptedHost:
    host = ScriptedHost()
    stage.app = host
    return host


async def probed(client: httpx.AsyncClient, stage: Stage, profile: Profile = SMSFAST) -> dict[str, Finding]:
    near = replace(profile, base_url=f"{stage.origin}/stubs/handler_api.php", read_timeout_s=1.0)
    return {finding.name: finding for finding in await probe(client, near, KEY, START_MS)}


async def test_an_account_is_reported_as_it_is_and_nothing_is_bought(
    door: Door, client: httpx.AsyncClient, stage: Stage
) -> None:
    door.host.buy("187", "go", None)
    before = door.host.state()

    found = await probed(client, stage)

    has_v2 = YES if isinstance(door, HeroSimulator) else NO
    assert {name: finding.verdict for name, finding in found.items()} == {
        "balance": YES,
        "prices": YES,
        "united states": YES,
        "service pm": YES,
        "service other": YES,
        "V2": has_v2,
        "bulk": has_v2,
        "history": has_v2,
        "list": has_v2,
        "webhooks": NOT_KNOWN,
    }
    assert found["service pm"].detail == "service ts"
    assert found["united states"].detail == ("country 187" if has_v2 is YES else "country 187 and 12")
    assert door.host.state() == before
    assert "1415" not in repr(found)


async def test_only_reading_actions_are_sent(scripted: ScriptedHost, client: httpx.AsyncClient, stage: Stage) -> None:
    scripted.says("BAD_ACTION")

    await probed(client, stage, HERO)

    assert {query["action"] for query in scripted.queries} == READING


@pytest.mark.parametrize(
    ("body", "status"), [("<html>", 200), ("", 200), ("BAD_KEY", 401), ("NO_ACTIVATIONS_TODAY", 200), ("[1]", 200)]
)
async def test_what_nobody_understands_is_not_known(
    scripted: ScriptedHost, client: httpx.AsyncClient, stage: Stage, body: str, status: int
) -> None:
    scripted.says(body, status)

    found = await probed(client, stage)

    assert {finding.verdict for finding in found.values()} == {NOT_KNOWN}


async def test_a_host_that_is_away_is_not_known_and_the_key_is_not_told(client: httpx.AsyncClient) -> None:
    away = replace(SMSFAST, base_url="http://127.0.0.1:1/")

    found = await probe(client, away, KEY, START_MS)

    assert {finding.verdict for finding in found} == {NOT_KNOWN}
    assert KEY not in repr(found)


async def test_a_paypal_that_is_not_sold_under_its_code_is_told(
    scripted: ScriptedHost, client: httpx.AsyncClient, stage: Stage
) -> None:
    scripted.says_to["getPrices"] = b'{"12":{"pm":{"cost":0.1,"count":3},"go":{"cost":"0.2","count":4}}}'

    found = await probed(client, stage)

    assert (found["service pm"].verdict, found["service pm"].detail) == (NO, "no service ts")
    assert found["united states"].detail == "country 12"


async def test_findings_become_the_setting_of_a_host_that_we_do_not_know(
    client: httpx.AsyncClient, stage: Stage, clock: SteppedClock
) -> None:
    stage.app = HeroSimulator(clock, api_key=KEY, balance_atomic=0).app

    actions = actions_found(list((await probed(client, stage)).values()))

    assert actions == ["getActiveActivations", "getHistory", "getNumberV2", "getStatusV2"]
