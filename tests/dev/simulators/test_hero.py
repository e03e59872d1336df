"""The hero-sms simulator seen through its own handler; texts are those of providers.md §1.1, §1.7 and §1.11."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from phoneagent.core import money
from phoneagent.dev.simulators import HeroSimulator
from phoneagent.dev.simulators.door import HANDLER_PATH
from tests.dev.simulators.driver import KEY, Driver
from tests.dev.simulators.serving import Stage, SteppedClock, open_client


@pytest.fixture
async def host(stage: Stage) -> AsyncIterator[Driver]:
    stage.app = HeroSimulator(SteppedClock(), api_key=KEY, balance_atomic=money.atomic("12.40")).app
    async with open_client(stage.origin) as client:
        yield Driver(client)


async def bought(host: Driver, **more: str | int) -> dict[str, Any]:
    sold: dict[str, Any] = (await host.get("getNumberV2", service="go", country=187, **more)).json()
    return sold


def titled(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["title"]


async def test_the_reference_transcript_is_reproduced(host: Driver) -> None:
    sold = await bought(host, maxPrice="0.6", orderId="5f0c")
    assert sold | {"phoneNumber": "1"} == {
        "activationId": 635468024,
        "phoneNumber": "1",
        "activationCost": 0.55,
        "currency": 840,
        "countryCode": "187",
        "countryPhoneCode": "1",
        "canGetAnotherSms": "1",
        "activationTime": "2026-09-21 14:13:20",
        "activationEndTime": "2026-09-21 14:33:20",
        "activationOperator": "any",
    }
    assert await host.ask("getNumberV2", service="go", country=187, orderId="5f0c") == "ORDER_ALREADY_EXISTS"
    assert await host.ask("getNumberV2", service="go", country=187, maxPrice="0.5") == "WRONG_MAX_PRICE:0.55"
    assert (await host.get("getStatusV2", id=635468024)).json() == {"verificationType": 0, "sms": None, "call": None}
    await host.advance(30)
    early = await host.get("setStatus", id=635468024, status=8)
    assert titled(early) == (409, "EARLY_CANCEL_DENIED")
    assert early.json()["info"] == {"minActivationTime": 120}
    await host.sms(activation_id="635468024", text="G-478392 is your Google verification code.")
    assert (await host.get("getStatusV2", id=635468024)).json()["sms"] == {
        "dateTime": "2026-09-21 14:13:50",
        "code": "478392",
        "text": "G-478392 is your Google verification code.",
    }
    await host.advance(100)
    assert titled(await host.get("setStatus", id=635468024, status=8)) == (409, "OTP_RECEIVED")
    silent = await bought(host)
    await host.advance(130)
    gone = await host.get("cancelActivation", id=silent["activationId"])
    assert (gone.status_code, gone.content) == (204, b"")
    assert await host.balance() == "11.85"


@pytest.mark.parametrize(
    ("action", "params", "answer"),
    [
        ("getBalance", {"api_key": ""}, (422, "UNPROCESSABLE_ENTITY")),
        ("getBalance", {"api_key": "wrong"}, (401, "BAD_KEY")),
        ("getMoney", {}, (422, "BAD_ACTION")),
        ("getNumberV2", {"service": "other", "country": "187"}, (400, "BAD_SERVICE")),
        ("getNumberV2", {"service": "go", "country": "12"}, (400, "BAD_COUNTRY")),
        ("getNumberV2", {"service": "ig", "country": "81"}, (404, "NO_NUMBERS")),
        ("getStatus", {"id": "1"}, (404, "NOT_FOUND")),
        ("getStatusV2", {"id": "x"}, (404, "NOT_FOUND")),
        ("setStatus", {"id": "1", "status": "8"}, (404, "NOT_FOUND")),
        ("cancelActivation", {"id": "1"}, (404, "NOT_FOUND")),
        ("getTopCountriesByService", {"service": "full"}, (400, "BAD_SERVICE")),
    ],
)
async def test_refusals_in_json_carry_a_status(
    host: Driver, action: str, params: dict[str, str], answer: tuple[int, str]
) -> None:
    response = await host.get(action, **params)

    assert titled(response) == answer
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("action", "params", "answer"),
    [
        ("getNumber", {"service": "ig", "country": "81"}, (200, "NO_NUMBERS")),
        ("getNumber", {"service": "go", "country": "187", "maxPrice": "0.1"}, (400, "WRONG_MAX_PRICE:0.55")),
        ("getHistory", {"start": "1", "end": "9999999"}, (400, "WRONG_DATE")),
        ("getHistory", {"start": "9", "end": "1"}, (400, "WRONG_DATE")),
        ("getOperators", {"country": "999"}, (200, "OPERATORS_NOT_FOUND")),
    ],
)
async def test_other_refusals_are_text(
    host: Driver, action: str, params: dict[str, str], answer: tuple[int, str]
) -> None:
    response = await host.get(action, **params)

    assert (response.status_code, response.text) == answer


async def test_a_key_may_come_in_a_header(host: Driver) -> None:
    answer = await host.client.get(
        HANDLER_PATH, params={"action": "getBalance"}, headers={"authorization": f"ApiKey {KEY}"}
    )

    assert answer.text == "ACCESS_BALANCE:12.40"


@pytest.mark.parametrize("action", ["getCountries", "getServicesList", "getOperators"])
async def test_what_is_the_same_for_all_needs_no_key(host: Driver, action: str) -> None:
    answer = await host.client.get(HANDLER_PATH, params={"action": action})

    assert answer.status_code == 200
    assert answer.json()


async def test_country_12_is_not_sold_here(host: Driver) -> None:
    countries = (await host.get("getCountries")).json()

    assert {"12", "187"} & {str(country["id"]) for country in countries} == {"187"}


@pytest.mark.parametrize(("name", "value"), [("service", "other"), ("country", "12")])
async def test_a_price_that_is_not_had_is_refused_with_200(host: Driver, name: str, value: str) -> None:
    assert (await host.get("getPrices", **{name: value})).json() == {"status": "false", "msg": f"{name} is incorrect"}


async def test_prices_may_come_in_a_list(host: Driver) -> None:
    bare = (await host.get("getPrices")).json()
    await host.control("settings", prices_in_list=True)

    assert (await host.get("getPrices")).json() == [bare]
    assert (await host.control("settings", prices_in_list="yes")).status_code == 400


async def test_the_market_tells_the_same_in_three_ways(host: Driver) -> None:
    row = (await host.get("getPrices", service="go", country=187)).json()["187"]["go"]
    counts = (await host.get("getNumbersStatus", country=187)).json()
    top = (await host.get("getTopCountriesByService", service="go")).json()

    ours = next(country for country in top if country["country"] == 187)
    assert (row["cost"], row["count"]) == (0.55, counts["go"]) == (ours["price"], ours["count"])


# ---- SMS -----------------------------------------------------------------------------------------------------------


async def test_another_sms_is_waited_for_with_the_past_code_repeated(host: Driver) -> None:
    activation_id = (await bought(host))["activationId"]
    assert titled(await host.get("setStatus", id=activation_id, status=3)) == (409, "BAD_STATUS")
    await host.sms(activation_id=activation_id, text="first 1111")
    assert await host.ask("getStatus", id=activation_id) == "STATUS_OK:1111"
    assert await host.ask("setStatus", id=activation_id, status=3) == "ACCESS_RETRY_GET"
    assert await host.ask("getStatus", id=activation_id) == "STATUS_WAIT_RETRY:'1111'"
    await host.sms(activation_id=activation_id, text="second 2222")

    assert await host.ask("getStatus", id=activation_id) == "STATUS_OK:2222"
    shown = (await host.get("getAllSms", id=activation_id)).json()["data"]
    assert [(sms["phoneFrom"], sms["text"]) for sms in shown] == [("Google", "first 1111"), ("Google", "second 2222")]


async def test_a_number_takes_no_sms_after_its_window_or_its_end(host: Driver) -> None:
    first, second = [(await bought(host))["activationId"] for _ in range(2)]
    for one in (first, second):
        await host.sms(activation_id=one, text="1111")
    await host.ask("setStatus", id=first, status=6)
    assert await host.sms(activation_id=first, text="2222") == "lost"
    await host.advance(1_200)

    assert await host.sms(activation_id=second, text="2222") == "lost"
    assert await host.balance() == "11.30"


async def test_status_1_does_not_exist(host: Driver) -> None:
    activation_id = (await bought(host))["activationId"]

    assert titled(await host.get("setStatus", id=activation_id, status=1)) == (409, "BAD_STATUS")


async def test_a_cancelled_activation_is_not_active(host: Driver) -> None:
    activation_id = (await bought(host))["activationId"]
    await host.advance(120)

    assert await host.ask("setStatus", id=activation_id, status=8) == "ACCESS_CANCEL"
    assert titled(await host.get("setStatus", id=activation_id, status=8)) == (409, "ACTIVATION_NOT_ACTIVE")
    assert await host.ask("getStatusV2", id=activation_id) == "STATUS_CANCEL"


# ---- lists ---------------------------------------------------------------------------------------------------------


async def test_running_activations_show_no_code_one_or_several(host: Driver) -> None:
    assert (await host.get("getActiveActivations")).json() == {"status": "error", "error": "NO_ACTIVATIONS"}
    silent, once, twice, closed = [(await bought(host))["activationId"] for _ in range(4)]
    for one, text in ((once, "1111"), (twice, "2222"), (twice, "[Acme] 3333"), (closed, "4444")):
        await host.sms(activation_id=one, text=text)
    await host.ask("setStatus", id=closed, status=6)

    answer = (await host.get("getActiveActivations")).json()

    assert answer["status"] == "success"
    shown = {row["activationId"]: (row["smsCode"], row["smsText"]) for row in answer["activeActivations"]}
    assert shown == {
        str(twice): (["2222", "3333"], '["2222", "[Acme] 3333"]'),
        str(once): ("1111", "1111"),
        str(silent): (None, None),
    }


async def test_a_page_has_a_hundred_rows_at_most(host: Driver) -> None:
    for _ in range(103):
        await host.ask("getNumber", service="ds", country=1)

    pages = [(await host.get("getActiveActivations", start=start, limit=500)).json() for start in (0, 100, 200)]

    assert [len(page.get("activeActivations", [])) for page in pages] == [100, 3, 0]


async def test_the_history_has_everything_without_service_or_country(host: Driver) -> None:
    charged, running = [(await bought(host))["activationId"] for _ in range(2)]
    await host.sms(activation_id=charged, text="Code 1111")
    await host.ask("setStatus", id=charged, status=6)

    rows = (await host.get("getHistory")).json()

    assert [(row["id"], row["sms"], row["cost"], row["status"]) for row in rows] == [
        (str(running), None, 0, "4"),
        (str(charged), "Code 1111", 0.55, "6"),
    ]
    assert set(rows[0]) == {"id", "date", "phone", "sms", "cost", "status", "currency"}


# ---- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["getStatus", "getStatusV2", "getActiveActivations"])
async def test_a_stale_answer_hides_an_sms_for_one_call(host: Driver, action: str) -> None:
    activation_id = (await bought(host))["activationId"]
    fresh = await host.ask(action, id=activation_id)
    await host.sms(activation_id=activation_id, text="1111")
    await host.fault(action, "stale_status")

    assert await host.ask(action, id=activation_id) == fresh
    assert "1111" in await host.ask(action, id=activation_id)


@pytest.mark.parametrize(("action", "status"), [("getNumber", 200), ("getNumberV2", 404)])
async def test_stale_stock_is_refused_in_either_form(host: Driver, action: str, status: int) -> None:
    await host.fault("purchase", "no_numbers")
    response = await host.get(action, service="go", country=187)

    assert (response.status_code, "NO_NUMBERS" in response.text) == (status, True)
    assert (await host.state())["activations"] == []


async def test_a_ban_is_text_with_403(host: Driver) -> None:
    await host.fault("*", "banned")
    response = await host.get("getBalance")

    assert (response.status_code, response.text) == (403, "BANNED:'2026-09-21 14-23-20'")


async def test_an_account_goes_on_after_a_restart(stage: Stage, tmp_path: Path) -> None:
    clock, path = SteppedClock(), tmp_path / "hero.jsonl"
    for order_id, text, left in (("a", "1111", "11.85"), ("b", "2222", "11.30")):
        simulator = HeroSimulator(clock, api_key=KEY, balance_atomic=money.atomic("12.40"), data_path=path)
        stage.app = simulator.app
        async with open_client(stage.origin) as client:
            host = Driver(client)
            await bought(host, orderId=order_id)
            assert await host.ask("getNumberV2", service="go", country=187, orderId="a") == "ORDER_ALREADY_EXISTS"
            await host.sms(activation_id="635468024", text=text)
            last = json.loads(await host.ask("getAllSms", id="635468024"))["data"][-1]
            assert (await host.balance(), last["text"]) == (left, text)
        simulator.close()
