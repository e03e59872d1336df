"""Lists of activations and prices in every shape they were seen in: read whole, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Offer, Provider, Purchase, Received, Waiting
from phoneagent.core.transitions import Activation
from phoneagent.providers.smsactivate import HERO
from tests.dev.simulators.serving import START_MS, Stage
from tests.providers.conftest import MakeProvider
from tests.providers.smsactivate.scripted import ScriptedHost

US_GOOGLE = Purchase("US", "go", 600_000)
NOW = "2026-09-21 14:13:20"  # START_MS
ROW = {
    "activationId": "1",
    "serviceCode": "go",
    "phoneNumber": "14155551234",
    "activationCost": 0.55,
    "activationStatus": "4",
    "smsCode": None,
    "smsText": None,
    "activationTime": NOW,
    "countryCode": "187",
    "currency": 840,
}
SHORT_ROW = {"id": 1, "service": "go", "phone": 14155551234, "cost": "0.55", "createDate": NOW, "country": 187}
SHAPES: dict[str, Callable[[dict[str, Any]], object]] = {
    "the original's": lambda row: {"status": "success", "activeActivations": [row]},
    "a bare list": lambda row: [row],
    "under data": lambda row: {"data": [row], "meta": {}},
    "in rows": lambda row: {"status": "success", "activeActivations": {"rows": [row]}},
    "by id": lambda row: {"1": row},
}
NO_LIST = [
    "",
    "BAD_KEY",
    "<html>",
    "{}",
    "null",
    '{"status":"success"}',
    '{"status":"error","error":"ERROR_SQL"}',
    "[7]",
    '[{"serviceCode":"go"}]',
    '{"status":"success","activeActivations":"none"}',
]
FOUND = Activation("1", "14155551234", 550_000)


@pytest.fixture
def host(stage: Stage) -> ScriptedHost:
    host = ScriptedHost()
    host.says_to = {"getHistory": b"[]"}
    stage.app = host
    return host


@pytest.fixture
def provider(host: ScriptedHost, make_provider: MakeProvider) -> Provider:
    assert not host.queries
    return make_provider(profile=HERO)


# ---- activations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [ROW, SHORT_ROW], ids=["long names", "short names"])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_list_is_read_in_every_shape(
    provider: Provider, host: ScriptedHost, shape: str, row: dict[str, Any]
) -> None:
    host.says(json.dumps(SHAPES[shape](row)))

    assert await provider.find_unclaimed(US_GOOGLE, START_MS) == [FOUND]
    assert await provider.made_since(START_MS) == [FOUND]
    assert await provider.statuses(["1", "2"]) == {"1": Waiting()}


@pytest.mark.parametrize("text", ["NO_ACTIVATIONS", '{"status":"error","error":"NO_ACTIVATIONS"}', "[]"])
async def test_a_list_of_none_is_empty(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)

    assert await provider.find_unclaimed(US_GOOGLE, START_MS) == []
    assert await provider.statuses(["1"]) == {}


@pytest.mark.parametrize("action", ["getActiveActivations", "getHistory"])
@pytest.mark.parametrize("text", NO_LIST)
async def test_what_is_no_list_proves_nothing(provider: Provider, host: ScriptedHost, text: str, action: str) -> None:
    host.says_to = {"getActiveActivations": b"[]", "getHistory": b"[]"} | {action: text.encode()}

    with pytest.raises(Unavailable):
        await provider.find_unclaimed(US_GOOGLE, START_MS)


@pytest.mark.parametrize(
    "change",
    [
        {"serviceCode": "tg"},
        {"countryCode": "12"},
        {"activationTime": "2026-09-21 14:12:19"},
        {"activationTime": "2026-09-21T17:12:19+03:00"},
    ],
)
async def test_another_service_country_or_time_is_not_ours(
    provider: Provider, host: ScriptedHost, change: dict[str, str]
) -> None:
    host.says(json.dumps([ROW | change]))

    assert await provider.find_unclaimed(US_GOOGLE, START_MS) == []


@pytest.mark.parametrize("at", [None, "", "yesterday", 1_790_000_000, "2026-09-21T14:13:20Z", "2026-09-21 17:13:20"])
async def test_a_time_that_does_not_exclude_it_leaves_it_in(provider: Provider, host: ScriptedHost, at: object) -> None:
    host.says(json.dumps([ROW | {"activationTime": at}]))

    assert await provider.find_unclaimed(US_GOOGLE, START_MS) == [FOUND]


async def test_a_running_activation_with_a_masked_number_proves_nothing(provider: Provider, host: ScriptedHost) -> None:
    host.says(json.dumps([ROW | {"phoneNumber": "1415****1234"}]))

    with pytest.raises(Unavailable):
        await provider.find_unclaimed(US_GOOGLE, START_MS)


async def test_what_ended_between_the_two_lists_is_found_in_the_history(provider: Provider, host: ScriptedHost) -> None:
    host.says("NO_ACTIVATIONS")
    host.says_to["getHistory"] = json.dumps([SHORT_ROW | {"date": NOW, "currency": 840}]).encode()

    assert await provider.find_unclaimed(US_GOOGLE, START_MS) == [FOUND]
    assert [query["action"] for query in host.queries] == ["getActiveActivations", "getHistory"]


async def test_a_history_that_tells_no_service_matches_nothing_and_is_still_listed(
    provider: Provider, host: ScriptedHost
) -> None:
    host.says("NO_ACTIVATIONS")
    host.says_to["getHistory"] = b'[{"id":"7","date":"2026-09-21 14:13:20","phone":"14155551234","cost":0,"sms":null}]'

    assert await provider.find_unclaimed(US_GOOGLE, START_MS) == []
    assert await provider.made_since(START_MS) == [Activation("7", "14155551234", 0)]


# ---- pages ---------------------------------------------------------------------------------------------------------


class PagedHost:
    """A host whose list of running activations changes while it is read: ``moves`` are ids that end before a page."""

    def __init__(self, ids: list[int], moves: dict[int, set[int]]) -> None:
        self.ids, self.moves, self.pages = ids, moves, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = Request(scope).query_params
        if query["action"] == "getHistory":
            await Response("[]")(scope, receive, send)
            return
        self.ids = [one for one in self.ids if one not in self.moves.get(self.pages, set())]
        self.pages += 1
        start, limit = int(query["start"]), int(query["limit"])
        rows = [ROW | {"activationId": one} for one in self.ids[start : start + limit]]
        await Response(json.dumps(rows) if rows else "NO_ACTIVATIONS")(scope, receive, send)


async def test_pages_are_read_to_the_end_though_some_end_meanwhile(stage: Stage, make_provider: MakeProvider) -> None:
    stage.app = PagedHost([*range(250)], {1: {0, 1, 2}, 2: {100, 101}})

    found = await make_provider(profile=HERO).made_since(START_MS)

    assert {int(one.activation_id) for one in found} >= {*range(250)} - {100, 101}


async def test_a_list_that_moved_by_more_than_pages_overlap_proves_nothing(
    stage: Stage, make_provider: MakeProvider
) -> None:
    stage.app = PagedHost([*range(250)], {1: {*range(30)}})

    with pytest.raises(Unavailable) as raised:
        await make_provider(profile=HERO).made_since(START_MS)

    assert "moved" in raised.value.__notes__[0]


async def test_a_list_without_an_end_proves_nothing(stage: Stage, make_provider: MakeProvider) -> None:
    stage.app = PagedHost([*range(5_000)], {})

    with pytest.raises(Unavailable) as raised:
        await make_provider(profile=HERO).made_since(START_MS)

    assert "no end" in raised.value.__notes__[0]


# ---- many at once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"smsCode": ["4711"], "smsText": ["Code 4711"]}, ["Code 4711"]),
        ({"smsCode": "4711", "smsText": "Code 4711"}, ["Code 4711"]),
        ({"smsCode": ["1", "2"], "smsText": '["one 1","two 2"]'}, ["one 1", "two 2"]),
        ({"smsCode": None, "smsText": "[Acme] 4711"}, ["[Acme] 4711"]),
        ({"smsCode": ["4711", "4712"], "smsText": "Code 4711"}, ["Code 4711", "4712"]),
        ({"smsCode": "", "smsText": "Code 4711", "activationStatus": "6"}, ["Code 4711"]),
    ],
)
async def test_sms_are_told_in_every_shape(
    provider: Provider, host: ScriptedHost, change: dict[str, Any], expected: list[str]
) -> None:
    host.says(json.dumps([ROW | change]))

    answer = (await provider.statuses(["1"]))["1"]

    assert isinstance(answer, Received)
    assert [message.text for message in answer.messages] == expected


@pytest.mark.parametrize(
    "change", [{"smsCode": ["4711"]}, {"smsCode": "4711"}, {"activationStatus": "8"}, {"activationStatus": "new"}]
)
async def test_one_of_whom_the_list_tells_too_little_is_left_to_be_asked_by_itself(
    provider: Provider, host: ScriptedHost, change: dict[str, Any]
) -> None:
    host.says(json.dumps([ROW | change]))

    assert await provider.statuses(["1"]) == {}


async def test_a_code_is_all_there_is_where_no_v2_tells_the_text(
    host: ScriptedHost, make_provider: MakeProvider
) -> None:
    host.says(json.dumps([ROW | {"smsCode": ["4711"]}]))
    v1 = replace(HERO, actions=HERO.actions - {"getStatusV2"})

    answer = (await make_provider(profile=v1).statuses(["1"]))["1"]

    assert isinstance(answer, Received)
    assert [message.text for message in answer.messages] == ["4711"]


async def test_a_host_that_turns_out_to_have_no_list_is_not_asked_again(provider: Provider, host: ScriptedHost) -> None:
    host.says("BAD_ACTION")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await provider.statuses(["1"])

    assert len(host.queries) == 1
    assert not provider.traits.can_ask_in_bulk


# ---- prices --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "offer"),
    [
        ('{"187":{"go":{"cost":0.31,"count":7}}}', Offer(310_000, 7)),
        ('{"187":{"go":{"price":"0.31","count":"7"}}}', Offer(310_000, 7)),
        ('{"187":{"go":{"0.31":4,"0.50":3,"0.90":99}}}', Offer(310_000, 7)),
        ('{"187":{"go":{"0.31":0,"0.50":3}}}', Offer(500_000, 3)),
        ('{"187":{"go":{"0.70":2,"0.90":99}}}', Offer(700_000, 2)),
        ('{"187":{"go":{"17":{"count":4,"price":"0.5"},"18":{"count":2,"price":0.4}}}}', Offer(400_000, 6)),
        ('{"187":{"go":{"Au":{"17":{"count":4,"price":0.5}},"Ag":{"8":{"count":2,"price":0.4}}}}}', Offer(400_000, 6)),
        ('{"187":{"go":{"cost":0.31,"count":0}}}', Offer(310_000, 0)),
    ],
)
async def test_a_price_list_becomes_offers(provider: Provider, host: ScriptedHost, text: str, offer: Offer) -> None:
    host.says(text)

    assert await provider.offers() == {("US", "go"): offer}


@pytest.mark.parametrize(
    "rows",
    [
        '[{"country":187,"count":7,"price":0.31,"retail_price":0.62}]',
        '{"0":{"country":"187","count":"7","price":"0.31","freePriceMap":{"0.31":7}}}',
    ],
)
async def test_a_host_without_a_price_list_is_asked_service_by_service(
    provider: Provider, host: ScriptedHost, rows: str
) -> None:
    host.says("[]")
    host.says_to = {"getPrices": b"BAD_ACTION", "getTopCountriesByService": rows.encode()}

    offers = await provider.offers()

    assert offers["US", "pm"] == Offer(310_000, 7)
    assert {query["service"] for query in host.queries[1:]} == set(HERO.service_codes.values())


@pytest.mark.parametrize("text", ["BAD_KEY", "<html>", "[]", '{"status":"false","msg":"service is incorrect"}'])
async def test_a_host_that_tells_no_prices_is_broken_and_not_sold_out(
    provider: Provider, host: ScriptedHost, text: str
) -> None:
    host.says(text)

    with pytest.raises(Unavailable):
        await provider.offers()


# ---- balance -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "balance_atomic"),
    [
        ("ACCESS_BALANCE:17.154", 17_154_000),
        ("ACCESS_BALANCE:0", 0),
        ("ACCESS_BALANCE: 0.0000019 ", 1),
        ("ACCESS_BALANCE:-0.0000019", -2),
        ('"ACCESS_BALANCE:5"', 5_000_000),
    ],
)
async def test_a_balance_is_never_taken_for_more_than_it_is(
    provider: Provider, host: ScriptedHost, text: str, balance_atomic: int
) -> None:
    host.says(text)

    assert await provider.balance() == balance_atomic


@pytest.mark.parametrize("text", ["ACCESS_BALANCE", "ACCESS_BALANCE:", "ACCESS_BALANCE:much", "5", "--5", "BAD_KEY"])
async def test_a_balance_that_nobody_understands_is_a_fault(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)

    with pytest.raises(Unavailable):
        await provider.balance()
