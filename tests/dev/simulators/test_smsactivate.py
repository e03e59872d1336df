"""The smsfast simulator seen through its own handler; expected texts are those of providers.md §1.2, §1.3, §1.11."""

import json
import re
from pathlib import Path

import pytest

from phoneagent.dev.simulators import SOLD_OUT, SmsActivateSimulator
from phoneagent.dev.simulators.smsactivate import HANDLER_PATH
from tests.dev.simulators.driver import KEY, Driver
from tests.dev.simulators.serving import Stage, SteppedClock, open_client


async def test_the_reference_transcript_is_reproduced_word_for_word(host: Driver) -> None:
    assert await host.ask("getBalance") == "ACCESS_BALANCE:12.40"
    assert await host.ask("getPrices", service="go", country=187) == '{"187":{"go":{"cost":0.31,"count":265876}}}'
    assert re.fullmatch(
        r"ACCESS_NUMBER:900001:1415[0-9]{7}", await host.ask("getNumber", service="go", country=187, maxPrice="0.60")
    )
    assert await host.ask("getStatus", id=900001) == "STATUS_WAIT_CODE"
    await host.advance(30)
    assert await host.ask("setStatus", id=900001, status=8) == "EARLY_CANCEL_DENIED"
    await host.sms(activation_id="900001", text="Your code is 478392", delay_s=11)
    await host.advance(11)
    assert await host.ask("getStatus", id=900001) == "STATUS_OK:478392:Your code is 478392"
    assert await host.ask("setStatus", id=900001, status=3) == "BAD_STATUS"
    assert await host.ask("setStatus", id=900001, status=6) == "ACCESS_ACTIVATION"
    assert await host.ask("getNumber", service="go", country=187) != "NO_NUMBERS"
    await host.advance(125)
    assert await host.ask("setStatus", id=900002, status=8) == "ACCESS_CANCEL"
    assert await host.ask("getStatus", id=900002) == "STATUS_CANCEL"
    assert await host.ask("getBalance") == "ACCESS_BALANCE:12.09"
    assert await host.ask("getCountries") == "BAD_ACTION"


@pytest.mark.parametrize(
    ("action", "params", "answer"),
    [
        ("getBalance", {"api_key": ""}, "NO_KEY"),
        ("getBalance", {"api_key": "wrong"}, "BAD_KEY"),
        ("getNumber", {"api_key": "wrong", "service": "go", "country": "187"}, "BAD_KEY"),
        ("", {}, "BAD_ACTION"),
        ("getCountries", {}, "BAD_ACTION"),
        ("getNumberV2", {"service": "go", "country": "187"}, "BAD_ACTION"),
        ("getStatusV2", {"id": "900001"}, "BAD_ACTION"),
        ("getActiveActivations", {}, "BAD_ACTION"),
        ("getHistory", {}, "BAD_ACTION"),
        ("getNumber", {"service": "other", "country": "187"}, "BAD_SERVICE"),
        ("getNumber", {"country": "187"}, "BAD_SERVICE"),
        ("getNumber", {"service": "go", "country": "999"}, "BAD_COUNTRY"),
        ("getNumber", {"service": "go", "country": "187", "maxPrice": "0.30"}, "WRONG_MAX_PRICE:0.31"),
        ("getNumber", {"service": "go", "country": "187", "maxprice": "0.30"}, "WRONG_MAX_PRICE:0.31"),
        ("getNumber", {"service": "go", "country": "187", "maxPrice": "cheap"}, "WRONG_MAX_PRICE:0.31"),
        ("getStatus", {"id": "900001"}, "NO_ACTIVATION"),
        ("getStatus", {}, "NO_ACTIVATION"),
        ("getStatus", {"id": "-1"}, "NO_ACTIVATION"),
        ("setStatus", {"id": "900001", "status": "8"}, "NO_ACTIVATION"),
        ("setStatus", {"id": "900001", "status": "1"}, "NO_ACTIVATION"),
        ("getPrices", {"service": "nothing"}, "[]"),
        ("getNumbersStatus", {"country": "999"}, "[]"),
    ],
)
async def test_every_refusal_is_a_word_in_an_html_page_with_status_200(
    host: Driver, action: str, params: dict[str, str], answer: str
) -> None:
    response = await host.get(action, **params)

    assert response.text == answer
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=UTF-8"


async def test_an_answer_in_json_is_served_as_html_too(host: Driver) -> None:
    response = await host.get("getPrices")

    assert response.headers["content-type"] == "text/html; charset=UTF-8"
    assert len(json.loads(response.text)) == 76


async def test_a_posted_form_is_as_good_as_a_query(host: Driver) -> None:
    response = await host.client.post(HANDLER_PATH, data={"api_key": KEY, "action": "getBalance"})

    assert response.text == "ACCESS_BALANCE:12.40"


@pytest.mark.parametrize(("country", "service"), sorted(SOLD_OUT))
async def test_a_sold_out_pair_is_listed_with_its_price_and_sells_nothing(
    host: Driver, country: str, service: str
) -> None:
    row = json.loads(await host.ask("getPrices", country=country, service=service))[country][service]

    assert row["count"] == 0
    assert row["cost"] > 0
    assert await host.ask("getNumber", country=country, service=service) == "NO_NUMBERS"


async def test_a_purchase_takes_one_from_the_stock_and_its_cost_from_the_balance(host: Driver) -> None:
    activation_id, number = await host.buy()

    assert json.loads(await host.ask("getNumbersStatus", country=187))["go"] == 265_875
    assert await host.balance() == "12.09"
    assert await host.state() == {
        "balance": 12.09,
        "activations": [{"activation_id": activation_id, "number": number, "status": "waiting", "cost": 0.31}],
    }


async def test_an_empty_account_buys_nothing(host: Driver) -> None:
    for _ in range(40):  # 40 times 0.31 = 12.40
        await host.buy()

    assert await host.ask("getNumber", country=187, service="go") == "NO_BALANCE"
    assert await host.balance() == "0.00"


async def test_no_number_is_sold_twice(host: Driver) -> None:
    numbers = {(await host.buy(country, "ds"))[1] for country in (1, 187, 36, 196) for _ in range(15)}

    assert len(numbers) == 60


async def test_a_cancel_is_refused_for_two_minutes_and_then_refunds_once(host: Driver) -> None:
    activation_id, _ = await host.buy()
    await host.advance(119.999)
    assert await host.ask("setStatus", id=activation_id, status=8) == "EARLY_CANCEL_DENIED"
    assert await host.balance() == "12.09"

    await host.advance(0.001)
    assert await host.ask("setStatus", id=activation_id, status=8) == "ACCESS_CANCEL"
    assert await host.ask("setStatus", id=activation_id, status=8) == "BAD_STATUS"
    assert await host.balance() == "12.40"
    assert json.loads(await host.ask("getNumbersStatus", country=187))["go"] == 265_876
    assert await host.status_of(activation_id) == "cancelled"


async def test_a_silent_activation_is_refunded_by_itself_after_twenty_minutes(host: Driver) -> None:
    activation_id, _ = await host.buy()
    await host.advance(1199.999)
    assert await host.ask("getStatus", id=activation_id) == "STATUS_WAIT_CODE"

    await host.advance(0.001)
    assert await host.status_of(activation_id) == "expired"
    assert await host.balance() == "12.40"
    assert await host.ask("getStatus", id=activation_id) == "STATUS_CANCEL"


async def test_an_activation_with_a_code_cannot_be_cancelled_and_stays_charged(host: Driver) -> None:
    activation_id, number = await host.buy()
    await host.sms(number=f"+{number}", text="Your code is 478392")
    await host.advance(2000)

    assert await host.ask("setStatus", id=activation_id, status=8) == "BAD_STATUS"
    assert await host.ask("getStatus", id=activation_id) == "STATUS_OK:478392:Your code is 478392"
    assert await host.status_of(activation_id) == "received"
    assert await host.ask("setStatus", id=activation_id, status=6) == "ACCESS_ACTIVATION"
    assert await host.status_of(activation_id) == "finished"
    assert await host.ask("getStatus", id=activation_id) == "STATUS_CANCEL"
    assert await host.balance() == "12.09"


async def test_only_a_waiting_activation_takes_the_word_that_an_sms_was_requested(host: Driver) -> None:
    activation_id, _ = await host.buy()

    assert await host.ask("setStatus", id=activation_id, status=1) == "ACCESS_READY"
    assert await host.ask("setStatus", id=activation_id, status=6) == "BAD_STATUS"
    assert await host.ask("setStatus", id=activation_id, status=77) == "BAD_STATUS"
    await host.sms(activation_id=activation_id, text="1234")
    assert await host.ask("setStatus", id=activation_id, status=1) == "BAD_STATUS"


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        ({"text": "Your code is 478392"}, "STATUS_OK:478392:Your code is 478392"),
        (
            {"text": "Code 12 or 1234 or 567890, not 123456789"},
            "STATUS_OK:567890:Code 12 or 1234 or 567890, not 123456789",
        ),
        ({"text": "Use uk52q3s8", "code": "uk52q3s8"}, "STATUS_OK:uk52q3s8:Use uk52q3s8"),
        ({"text": "Hello: no code here"}, "STATUS_OK:Hello: no code here"),
        ({"text": "Код 4711 für Zoë"}, "STATUS_OK:4711:Код 4711 für Zoë"),
    ],
)
async def test_an_sms_is_shown_with_its_code_and_text(host: Driver, order: dict[str, str], answer: str) -> None:
    activation_id, number = await host.buy()

    assert await host.sms(number=number, **order) == "delivered"
    assert await host.ask("getStatus", id=activation_id) == answer


async def test_plain_v1_shows_the_code_alone_and_can_be_switched(host: Driver) -> None:
    activation_id, _ = await host.buy()
    await host.sms(activation_id=activation_id, text="Your code is 478392")

    assert (await host.control("settings", plain=True)).json() == {"plain": True}
    assert await host.ask("getStatus", id=activation_id) == "STATUS_OK:478392"
    await host.control("settings", plain=False)
    assert await host.ask("getStatus", id=activation_id) == "STATUS_OK:478392:Your code is 478392"
    assert (await host.control("settings", plain="yes")).status_code == 400


async def test_a_delayed_sms_arrives_by_the_dev_clock(host: Driver) -> None:
    activation_id, _ = await host.buy()

    assert await host.sms(activation_id=activation_id, text="478392", delay_s=5) == "scheduled"
    await host.advance(4.999)
    assert await host.ask("getStatus", id=activation_id) == "STATUS_WAIT_CODE"
    await host.advance(0.001)
    assert await host.ask("getStatus", id=activation_id) == "STATUS_OK:478392"


@pytest.mark.parametrize(
    ("delay_s", "status", "balance"), [(1200, "received", "12.09"), (1200.001, "expired", "12.40")]
)
async def test_what_happened_during_one_long_jump_happened_in_its_order(
    host: Driver, delay_s: float, status: str, balance: str
) -> None:
    activation_id, _ = await host.buy()
    await host.sms(activation_id=activation_id, text="478392", delay_s=delay_s)
    await host.advance(10_000)

    assert await host.status_of(activation_id) == status
    assert await host.balance() == balance


async def test_a_second_sms_and_an_sms_to_an_ended_activation_are_lost(host: Driver) -> None:
    received, _ = await host.buy()
    await host.sms(activation_id=received, text="1111")
    cancelled, number = await host.buy()
    await host.advance(120)
    await host.ask("setStatus", id=cancelled, status=8)

    assert await host.sms(activation_id=received, text="2222") == "lost"
    assert await host.sms(number=number, text="3333") == "lost"
    assert await host.ask("getStatus", id=received) == "STATUS_OK:1111"
    assert await host.ask("getStatus", id=cancelled) == "STATUS_CANCEL"


@pytest.mark.parametrize("receiver", [{"number": "14155550000"}, {"activation_id": "900001"}, {"activation_id": "x"}])
async def test_an_sms_to_a_number_that_was_never_sold_is_404(host: Driver, receiver: dict[str, str]) -> None:
    assert (await host.control("sms", **receiver, sender="Google", text="1234")).status_code == 404


async def test_a_simulator_that_is_started_again_on_its_file_goes_on(stage: Stage, tmp_path: Path) -> None:
    clock, path = SteppedClock(), tmp_path / "smsfast.jsonl"
    answers = []
    for _ in range(2):
        simulator = SmsActivateSimulator(clock, api_key=KEY, balance_atomic=1_000_000, data_path=path, shows_text=False)
        stage.app = simulator.app
        async with open_client(stage.origin) as client:
            host = Driver(client)
            await host.buy()
            await host.sms(activation_id="900001", text="Your code is 478392")
            answers.append((await host.balance(), await host.ask("getStatus", id=900001)))
        simulator.close()

    assert answers == [("0.69", "STATUS_OK:478392"), ("0.38", "STATUS_OK:478392")]
