"""V2 purchases and statuses, in every shape seen, and the way back to V1: once, and only for BAD_ACTION."""

from __future__ import annotations

import json
import uuid

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import (
    Bought,
    Closed,
    OutOfStock,
    Provider,
    Purchase,
    PurchaseRefused,
    PurchaseUnknown,
    Received,
    Refusal,
    Waiting,
)
from phoneagent.core.transitions import Activation
from phoneagent.providers.smsactivate import HERO
from tests.dev.simulators.serving import Stage
from tests.providers.conftest import MakeProvider
from tests.providers.smsactivate.scripted import ScriptedHost

PURCHASE = Purchase("US", "go", 600_000, key="pa_rental@1790000000000")
SOLD = {"activationId": 635468024, "phoneNumber": "14155551234", "activationCost": 0.55, "currency": 840}
NO_ACTION = ["BAD_ACTION", '{"title":"BAD_ACTION","details":"Method Not Found"}']


@pytest.fixture
def host(stage: Stage) -> ScriptedHost:
    host = ScriptedHost(content_type="application/json")
    stage.app = host
    return host


@pytest.fixture
def provider(host: ScriptedHost, make_provider: MakeProvider) -> Provider:
    assert not host.queries
    return make_provider(profile=HERO)


def actions(host: ScriptedHost) -> list[str]:
    return [query["action"] for query in host.queries]


# ---- buying --------------------------------------------------------------------------------------------------------


async def test_a_purchase_names_its_ceiling_and_its_intent(provider: Provider, host: ScriptedHost) -> None:
    for _ in range(2):
        await provider.buy(PURCHASE)
    await provider.buy(Purchase("US", "go", 600_000, key="another"))

    first, again, other = host.queries
    assert (first["action"], first["maxPrice"], first["country"], first["service"]) == (
        "getNumberV2",
        "0.60",
        "187",
        "go",
    )
    assert first["orderId"] == again["orderId"] != other["orderId"]
    assert str(uuid.UUID(first["orderId"])) == first["orderId"]
    assert "rental" not in str(first)


@pytest.mark.parametrize(
    ("changes", "cost_atomic"),
    [
        ({}, 550_000),
        ({"activationId": "635468024"}, 550_000),
        ({"phoneNumber": 14155551234}, 550_000),
        ({"phoneNumber": "+14155551234"}, 550_000),
        ({"activationCost": "0.5500001"}, 550_001),
        ({"activationCost": 0}, 0),
        ({"activationCost": None}, None),
        ({"activationCost": "cheap"}, None),
        ({"currency": "840"}, 550_000),
        ({"currency": None}, 550_000),
        ({"currency": 643}, None),  # roubles at a host that we take for one of dollars
    ],
)
async def test_a_number_is_read_with_the_cost_that_can_be_believed(
    provider: Provider, host: ScriptedHost, changes: dict[str, object], cost_atomic: int | None
) -> None:
    host.says(json.dumps(SOLD | changes))

    assert await provider.buy(PURCHASE) == Bought(Activation("635468024", "14155551234", cost_atomic))


async def test_a_number_that_cost_more_than_its_ceiling_is_ours_and_an_error_in_the_log(
    provider: Provider, host: ScriptedHost, caplog: pytest.LogCaptureFixture
) -> None:
    host.says(json.dumps(SOLD | {"activationCost": 0.61}))

    assert await provider.buy(PURCHASE) == Bought(Activation("635468024", "14155551234", 610_000))
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "a number cost more than its ceiling"
    ]


@pytest.mark.parametrize("status", [200, 400, 422])
@pytest.mark.parametrize("text", NO_ACTION)
async def test_a_host_without_v2_is_asked_again_in_v1_and_remembered(
    provider: Provider, host: ScriptedHost, text: str, status: int
) -> None:
    host.status = status
    host.says_to = {"getNumberV2": text.encode(), "getNumber": b"ACCESS_NUMBER:900001:14155551234"}

    answers = [await provider.buy(PURCHASE) for _ in range(2)]

    assert answers == [Bought(Activation("900001", "14155551234", None))] * 2
    assert actions(host) == ["getNumberV2", "getNumber", "getNumber"]
    assert host.queries[1]["maxPrice"] == "0.60"


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        ("NO_NUMBERS", 200, OutOfStock("NO_NUMBERS")),
        ("BAD_KEY", 401, PurchaseRefused("BAD_KEY", Refusal.AUTH)),
        ("BAD_STATUS", 200, PurchaseUnknown("BAD_STATUS")),
        ("ORDER_ALREADY_EXISTS", 409, PurchaseUnknown("ORDER_ALREADY_EXISTS")),
        ("BAD_ACTION", 500, PurchaseUnknown("HTTP 500: BAD_ACTION")),
        ("BAD_ACTIONS", 200, PurchaseUnknown("BAD_ACTIONS")),
        ("<p>BAD_ACTION</p>", 200, PurchaseUnknown("<p>BAD_ACTION</p>")),
        ("", 204, PurchaseUnknown("HTTP 204: an empty body")),
    ],
)
async def test_nothing_else_leads_to_a_second_purchase(
    provider: Provider, host: ScriptedHost, text: str, status: int, expected: object
) -> None:
    host.says(text, status)

    assert await provider.buy(PURCHASE) == expected
    assert actions(host) == ["getNumberV2"]


# ---- status --------------------------------------------------------------------------------------------------------


def status(sms: object, call: object = None) -> str:
    return json.dumps({"verificationType": 0, "sms": sms, "call": call})


@pytest.mark.parametrize(
    "text",
    [
        status(None),
        status({}),
        status([]),
        status(""),
        '{"verificationType":0,"sms":false}',
        '{"verificationType":0}',
        '{"sms":null}',
        status({"dateTime": "2026-09-21 14:00:00", "code": "", "text": None}),
        status({"dateTime": "2026-09-19 14:00:00", "code": "1111", "text": "to the number's last holder"}),
        "STATUS_WAIT_CODE",
    ],
)
async def test_no_sms_yet(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)

    assert await provider.status("1") == Waiting()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (status({"dateTime": "2026-09-21 14:00:00", "code": "4711", "text": "Your code: 4711"}), ["Your code: 4711"]),
        (status({"code": "4711", "text": ""}), ["4711"]),
        (status({"code": 4711}), ["4711"]),
        (status([{"text": "one"}, {"text": "two"}]), ["one", "two"]),
        (status(None, {"from": "442071234567", "code": "4711", "text": None}), ["4711"]),
        ("STATUS_OK:4711", ["4711"]),
        ('"STATUS_OK:4711"', ["4711"]),
        ('{"status":"STATUS_OK","code":"7777"}', ["7777"]),
        ('{"status":"STATUS_OK","code":"7777","text":"Use 7777"}', ["Use 7777"]),
    ],
)
async def test_an_sms_in_every_shape(provider: Provider, host: ScriptedHost, text: str, expected: list[str]) -> None:
    host.says(text)
    answer = await provider.status("1")

    assert isinstance(answer, Received)
    assert [message.text for message in answer.messages] == expected


async def test_the_caller_of_a_call_is_its_sender(provider: Provider, host: ScriptedHost) -> None:
    host.says(status(None, {"from": "442071234567", "text": "4 7 1 1"}))
    answer = await provider.status("1")

    assert isinstance(answer, Received)
    assert [message.sender for message in answer.messages] == ["442071234567"]


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"status":"success"}', '{"code":"1"}', "", "BAD_KEY"])
async def test_what_is_no_status_is_a_fault(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)

    with pytest.raises(Unavailable):
        await provider.status("1")


@pytest.mark.parametrize("text", NO_ACTION)
async def test_a_host_without_v2_tells_by_v1_and_is_remembered(
    provider: Provider, host: ScriptedHost, text: str
) -> None:
    host.says_to = {"getStatusV2": text.encode(), "getStatus": b"STATUS_WAIT_CODE"}

    assert [await provider.status("1") for _ in range(2)] == [Waiting()] * 2
    assert actions(host) == ["getStatusV2", "getStatus", "getStatus"]


# ---- what is over --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["STATUS_CANCEL", "NO_ACTIVATION"])
@pytest.mark.parametrize(
    "rows", ["[]", "NO_ACTIVATIONS", '[{"id":"1","sms":null},{"id":"2","sms":"not ours"}]', '{"data":[{"id":1}]}']
)
async def test_an_activation_is_over_when_its_history_shows_no_sms(
    provider: Provider, host: ScriptedHost, word: str, rows: str
) -> None:
    host.says_to = {"getStatusV2": word.encode(), "getHistory": rows.encode()}

    assert await provider.status("1") == Closed(word)


async def test_an_activation_that_is_over_with_an_sms_has_an_sms(provider: Provider, host: ScriptedHost) -> None:
    host.says_to = {"getStatusV2": b"STATUS_CANCEL", "getHistory": b'[{"id":1,"sms":"Code 4711","status":"6"}]'}
    answer = await provider.status("1")

    assert isinstance(answer, Received)
    assert [message.text for message in answer.messages] == ["Code 4711"]
    span = host.queries[1]
    assert int(span["end"]) - int(span["start"]) < 30 * 86_400


async def test_an_activation_is_not_called_over_while_its_history_cannot_be_read(
    provider: Provider, host: ScriptedHost
) -> None:
    host.says_to = {"getStatusV2": b"STATUS_CANCEL", "getHistory": b"ERROR_SQL"}

    with pytest.raises(Unavailable):
        await provider.status("1")


@pytest.mark.parametrize("name", ["cancel", "finish"])
async def test_an_empty_204_says_that_it_is_done_and_an_empty_200_nothing(
    provider: Provider, host: ScriptedHost, name: str
) -> None:
    verb = {"cancel": provider.cancel, "finish": provider.finish}[name]
    host.says("", 204)
    done = await verb("1")
    host.says("", 200)

    assert "HTTP 204" in repr(done)
    with pytest.raises(Unavailable):
        await verb("1")
