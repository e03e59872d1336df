"""Every word of providers.md §1.2 and §1.3 in every place, from a host that says it word for word."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import (
    Bought,
    CancelDone,
    CancelHasCode,
    CancelTooEarly,
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
from phoneagent.providers.smsactivate import SMSFAST, SmsActivateProvider
from tests.dev.simulators.serving import Stage, SteppedClock
from tests.providers.conftest import MakeProvider
from tests.providers.smsactivate.scripted import ScriptedHost
from tests.waiting import BOUND_S

PURCHASE = Purchase("US", "pm", 600_000)
PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"
JSON = "application/json"
NOT_FOUND = '{"title":"NOT_FOUND","details":"Activation Not Found"}'

NO_STOCK = [
    "NO_NUMBERS",
    "OUT_OF_STOCK",
    "WRONG_MAX_PRICE",
    '{"status":"error","error":"NO_NUMBERS"}',
    '{"title":"NO_NUMBERS","details":"none"}',
]
REFUSED = {
    "NO_BALANCE": Refusal.BALANCE,
    "NO_BALANCE_FORWARD": Refusal.BALANCE,
    "BAD_KEY": Refusal.AUTH,
    "NO_KEY": Refusal.AUTH,
    "ACCOUNT_INACTIVE": Refusal.AUTH,
    "BANNED": Refusal.BANNED,
    "BANNED:for ever": Refusal.BANNED,
    "CHANNELS_LIMIT": Refusal.BUSY,
    "BAD_SERVICE": Refusal.PAIR,
    "WRONG_SERVICE": Refusal.PAIR,
    "BAD_COUNTRY": Refusal.PAIR,
    "WRONG_COUNTRY": Refusal.PAIR,
    "WRONG_OPERATOR": Refusal.PAIR,
    "SERVICE_UNAVAILABLE_REGION": Refusal.PAIR,
    "This service is prohibited for sale": Refusal.PAIR,
    "WHATSAPP_NOT_AVAILABLE": Refusal.PAIR,
    "BAD_ACTION": Refusal.OTHER,
    "WRONG_EXCEPTION_PHONE": Refusal.OTHER,
    "BAD_DATA": Refusal.OTHER,
    "NO_YULA_MAIL": Refusal.OTHER,
    "WRONG_ADDITIONAL_SERVICE": Refusal.OTHER,
    "REPEAT_ADDITIONAL_SERVICE": Refusal.OTHER,
    "NOT_INCOMING": Refusal.OTHER,
    '"BAD_KEY"': Refusal.AUTH,
    '{"title":"BAD_KEY","details":"Unauthorized"}': Refusal.AUTH,
    '{"title":"UNPROCESSABLE_ENTITY","info":{"field":"api_key","code":"REQUIRED"}}': Refusal.OTHER,
    '{"success":false,"error":{"message":"BAD_SERVICE"}}': Refusal.PAIR,
    '{"status":"error","message":"NO_BALANCE"}': Refusal.BALANCE,
}
NOBODY_KNOWS = [
    "",
    "  \r\n",
    "ERROR_SQL",
    "SQL_ERROR",
    "SERVER ERROR",
    "NO_CONNECTION",
    "ORDER_ALREADY_EXISTS",
    "no numbers",
    "NO_MONEY_HERE",
    "You have no balance",
    "null",
    "[]",
    "{}",
    "{not json",
    "[" * 10_000,
    '{"status":"error"}',
    '{"title":"internal error"}',
    '{"title":"NOT_FOUND","details":"No such page"}',
    '{"success":false}',
    '{"success":false,"error":{"message":"service is incorrect"}}',
    '"no numbers"',
    '{"activationId":900001}',
    '{"activationId":900001,"phoneNumber":"1415****1234"}',
    '{"activationId":{},"phoneNumber":"14155551234"}',
    '{"phoneNumber":"14155551234"}',
    '[{"activationId":900001,"phoneNumber":"14155551234"}]',
    '{"cost":1e99999999999999999999}',
    PAGE,
    f"<p>prohibited for sale</p>{PAGE}",
]


@pytest.fixture
def host(stage: Stage) -> ScriptedHost:
    host = ScriptedHost()
    stage.app = host
    return host


@pytest.fixture
def provider(host: ScriptedHost, make_provider: MakeProvider) -> Provider:
    assert not host.queries
    return make_provider()


# ---- what is sent --------------------------------------------------------------------------------------------------


async def test_a_purchase_always_names_the_most_it_may_cost(provider: Provider, host: ScriptedHost) -> None:
    await provider.buy(PURCHASE)

    assert host.queries == [
        {
            "api_key": "0123456789abcdef",
            "action": "getNumber",
            "service": "ts",
            "country": "187",
            "maxPrice": "0.60",
        }
    ]


async def test_a_ceiling_is_told_in_the_hosts_money(host: ScriptedHost, make_provider: MakeProvider) -> None:
    await make_provider(micro_usd_per_unit=11_000).buy(PURCHASE)

    assert host.queries[0]["maxPrice"] == "54.545454"


async def test_a_price_in_the_hosts_money_is_held_against_the_ceiling(
    host: ScriptedHost, make_provider: MakeProvider
) -> None:
    host.says('{"187":{"go":{"cost":54.54,"count":1},"fb":{"cost":"54.55","count":1}}}')

    assert await make_provider(micro_usd_per_unit=11_000).stock() == {("US", "go"): 1}


# ---- buy -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "activation_id", "number"),
    [
        ("ACCESS_NUMBER:900001:14155551234", "900001", "14155551234"),
        ("\ufeffACCESS_NUMBER:900001:14155551234\r\n", "900001", "14155551234"),
        ("ACCESS_NUMBER:900001:+14155551234", "900001", "14155551234"),
        ("ACCESS_NUMBER:a1-b2:14155551234:0.31", "a1-b2", "14155551234"),
    ],
)
async def test_a_number_is_read_from_its_word(
    provider: Provider, host: ScriptedHost, text: str, activation_id: str, number: str
) -> None:
    host.says(text)
    answer = await provider.buy(PURCHASE)

    assert isinstance(answer, Bought)
    assert (answer.activation.activation_id, answer.activation.number) == (activation_id, number)


@pytest.mark.parametrize(
    "rest", ["", ":", ":1", ":1:", ":1:abc", ":1:1415****1234", "::14155551234", ":1 2:14155551234"]
)
async def test_a_purchase_without_a_readable_number_is_unknown(
    provider: Provider, host: ScriptedHost, rest: str
) -> None:
    host.says(f"ACCESS_NUMBER{rest}")

    assert await provider.buy(PURCHASE) == PurchaseUnknown(f"ACCESS_NUMBER{rest}")


@pytest.mark.parametrize("status", [200, 400, 404, 409])
@pytest.mark.parametrize("text", NO_STOCK)
async def test_words_for_no_stock(provider: Provider, host: ScriptedHost, text: str, status: int) -> None:
    host.says(text, status, JSON)

    assert await provider.buy(PURCHASE) == OutOfStock(text)


@pytest.mark.parametrize("status", [200, 401, 422])
@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
async def test_words_for_a_refusal(
    provider: Provider, host: ScriptedHost, text: str, reason: Refusal, status: int
) -> None:
    host.says(text, status)

    assert await provider.buy(PURCHASE) == PurchaseRefused(text, reason)


@pytest.mark.parametrize(
    "text",
    ["BANNED:'2026-11-20 10-00-00'", "BANNED:2026-11-20 10-00-00", "BANNED:'2026-11-20 10:00:00'"],
)
async def test_a_ban_tells_its_end(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)

    assert await provider.buy(PURCHASE) == PurchaseRefused(text, Refusal.BANNED, 1_795_168_800_000)


async def test_a_price_above_the_ceiling_tells_the_least_that_would_do(provider: Provider, host: ScriptedHost) -> None:
    host.says("WRONG_MAX_PRICE:0.6500001")

    assert await provider.buy(PURCHASE) == OutOfStock("WRONG_MAX_PRICE:0.6500001", 650_001)


@pytest.mark.parametrize("text", NOBODY_KNOWS)
async def test_anything_else_leaves_the_purchase_unknown(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)
    answer = await provider.buy(PURCHASE)

    assert isinstance(answer, PurchaseUnknown)
    assert answer.raw == (text.strip()[:200] or "an empty body")
    assert len(host.queries) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("text", ["NO_NUMBERS", "BAD_KEY", "", PAGE])
async def test_a_refusal_from_a_host_that_failed_is_not_trusted(
    provider: Provider, host: ScriptedHost, text: str, status: int
) -> None:
    host.says(text, status)
    answer = await provider.buy(PURCHASE)

    assert isinstance(answer, PurchaseUnknown)
    assert answer.raw.startswith(f"HTTP {status}: ")


async def test_a_number_from_a_host_that_failed_is_ours_all_the_same(provider: Provider, host: ScriptedHost) -> None:
    host.says("ACCESS_NUMBER:900001:14155551234", 500)

    assert isinstance(await provider.buy(PURCHASE), Bought)


async def test_a_redirect_is_not_followed(provider: Provider, host: ScriptedHost) -> None:
    host.says("", 302)
    host.headers = {"location": "/elsewhere"}

    assert isinstance(await provider.buy(PURCHASE), PurchaseUnknown)
    assert len(host.queries) == 1


async def test_an_address_that_nobody_listens_on_was_never_asked(make_provider: MakeProvider) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{closed.getsockname()[1]}"
        provider = make_provider(origin=origin)

        assert await provider.buy(PURCHASE) == PurchaseRefused("not sent: getNumber: ConnectError")
        with pytest.raises(Unavailable):
            await provider.status("1")


async def test_a_call_that_found_no_free_connection_was_never_sent(
    stage: Stage, clock: SteppedClock, host: ScriptedHost
) -> None:
    host.stream = endless(b"x", pause_s=0.05)
    smsfast = replace(SMSFAST, base_url=f"{stage.origin}/", connect_timeout_s=0.1, read_timeout_s=BOUND_S)
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as client:
        provider = SmsActivateProvider(client, profile=smsfast, api_key="k" * 16, clock=clock, most_cost_atomic={})
        async with client.stream("GET", stage.origin):
            answer = await provider.buy(PURCHASE)

    assert answer == PurchaseRefused("not sent: getNumber: PoolTimeout")
    assert len(host.queries) == 1


async def test_a_host_that_hangs_up_after_it_was_asked_leaves_the_purchase_unknown(
    make_provider: MakeProvider,
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        provider = make_provider(origin=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

        assert await provider.buy(PURCHASE) == PurchaseUnknown("getNumber: RemoteProtocolError")


async def test_an_answer_that_never_ends_is_given_up_for_its_size(provider: Provider, host: ScriptedHost) -> None:
    host.stream = endless(b"x" * 65_536)

    assert await provider.buy(PURCHASE) == PurchaseUnknown("getNumber: HTTP 200, more than 65536 bytes")


async def test_an_answer_that_drips_is_given_up_for_its_time(host: ScriptedHost, make_provider: MakeProvider) -> None:
    host.stream = endless(b"x", pause_s=0.05)

    assert await make_provider(timeout_s=0.3).buy(PURCHASE) == PurchaseUnknown("getNumber: TimeoutError")


async def endless(chunk: bytes, pause_s: float = 0) -> AsyncIterator[bytes]:
    while True:
        yield chunk
        await asyncio.sleep(pause_s)


# ---- status --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["STATUS_WAIT_CODE", "STATUS_WAIT_RESEND", "\ufeff STATUS_WAIT_CODE\n", "STATUS_WAIT_RETRY"]
)
async def test_words_for_waiting(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)

    assert await provider.status("1") == Waiting()


@pytest.mark.parametrize(
    "text", ["STATUS_CANCEL", "NO_ACTIVATION", "WRONG_ACTIVATION_ID", '{"title":"NO_ACTIVATION"}', NOT_FOUND]
)
async def test_words_for_an_activation_that_is_over(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)

    assert await provider.status("1") == Closed(text)


@pytest.mark.parametrize(
    ("text", "sms"),
    [
        ("STATUS_OK:478392", "478392"),
        ("STATUS_OK: 478392 ", "478392"),
        ("STATUS_OK:478392:", "478392"),
        ("STATUS_OK:1FgsA5", "1FgsA5"),
        ("STATUS_OK:478392:Your code: 478392", "Your code: 478392"),
        ("STATUS_OK:478392:two\nlines", "two\nlines"),
        ("STATUS_OK:abcdef:Use abcdef", "Use abcdef"),
        ("STATUS_OK:Hello: no code", "Hello: no code"),
        ("STATUS_OK:https://example.com/4711", "https://example.com/4711"),
        ("STATUS_WAIT_RETRY:'478392'", "478392"),
        ("STATUS_WAIT_RETRY:478392", "478392"),
    ],
)
async def test_words_for_an_sms(provider: Provider, host: ScriptedHost, text: str, sms: str) -> None:
    host.says(text)
    answer = await provider.status("1")

    assert isinstance(answer, Received)
    assert [message.text for message in answer.messages] == [sms]
    assert host.queries[0]["id"] == "1"


@pytest.mark.parametrize(
    "text", ["STATUS_OK", "STATUS_OK:", "STATUS_OK::", "STATUS_UNHEARD_OF", "BAD_KEY", *NOBODY_KNOWS]
)
async def test_a_status_that_nobody_understands_is_a_fault(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)

    with pytest.raises(Unavailable):
        await provider.status("1")


async def test_a_status_from_a_host_that_failed_is_not_trusted(provider: Provider, host: ScriptedHost) -> None:
    host.says("STATUS_CANCEL", 503)

    with pytest.raises(Unavailable):
        await provider.status("1")


async def test_the_hosts_words_go_to_the_log_without_numbers_and_not_to_the_caller(
    provider: Provider, host: ScriptedHost
) -> None:
    host.says("OH_NO:14155551234 got 478392")

    with pytest.raises(Unavailable) as raised:
        await provider.status("1")

    assert raised.value.__notes__ == ["smsfast: getStatus: OH_NO:# got #"]
    assert "OH_NO" not in raised.value.detail


# ---- cancel and finish ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["ACCESS_CANCEL", "ACCESS_CANCEL_ALREADY", "ALREADY_CANCELED", "STATUS_CANCEL", "NO_ACTIVATION", NOT_FOUND]
)
async def test_words_for_cancelled(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)

    assert await provider.cancel("1") == CancelDone(text)
    assert (host.queries[0]["action"], host.queries[0]["status"]) == ("setStatus", "8")


@pytest.mark.parametrize(
    ("text", "wait_ms"),
    [
        ("EARLY_CANCEL_DENIED", 10_000),
        ('{"title":"EARLY_CANCEL_DENIED","info":{"minActivationTime":120}}', 120_000),
        ('{"title":"EARLY_CANCEL_DENIED","info":{"minActivationTime":-1}}', 10_000),
        ('{"title":"EARLY_CANCEL_DENIED","info":{"minActivationTime":"soon"}}', 10_000),
        ('{"title":"EARLY_CANCEL_DENIED","info":[]}', 10_000),
    ],
)
async def test_words_for_too_early(provider: Provider, host: ScriptedHost, text: str, wait_ms: int) -> None:
    host.says(text, 409, JSON)

    assert await provider.cancel("1") == CancelTooEarly(wait_ms)


NOT_CANCELLABLE = ["BAD_STATUS", '{"title":"OTP_RECEIVED"}', '{"title":"FREE_CANCELLATION_EXPIRED"}']


@pytest.mark.parametrize("status", [b"STATUS_OK:478392", b"STATUS_WAIT_CODE"])
@pytest.mark.parametrize("text", NOT_CANCELLABLE)
async def test_words_for_a_cancel_that_may_have_lost_to_a_code(
    provider: Provider, host: ScriptedHost, text: str, status: bytes
) -> None:
    host.says(text)
    host.says_to["getStatus"] = status

    assert await provider.cancel("1") == CancelHasCode(text)


@pytest.mark.parametrize("text", NOT_CANCELLABLE)
async def test_a_refused_cancel_of_what_is_over_is_done(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)
    host.says_to["getStatus"] = b"NO_ACTIVATION"

    assert await provider.cancel("1") == CancelDone(f"{text}, NO_ACTIVATION")


@pytest.mark.parametrize("text", ["ACCESS_ACTIVATION", "BAD_STATUS", "NO_ACTIVATION", "STATUS_CANCEL"])
async def test_words_for_finished(provider: Provider, host: ScriptedHost, text: str) -> None:
    host.says(text)

    assert await provider.finish("1") == text
    assert (host.queries[0]["action"], host.queries[0]["status"]) == ("setStatus", "6")


@pytest.mark.parametrize("text", ["ACCESS_READY", "BAD_KEY", *NOBODY_KNOWS])
async def test_a_closing_word_that_nobody_understands_is_a_fault(
    provider: Provider, host: ScriptedHost, text: str
) -> None:
    host.says(text)

    with pytest.raises(Unavailable):
        await provider.cancel("1")
    with pytest.raises(Unavailable):
        await provider.finish("1")


# ---- stock ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"187":{"go":{"cost":0.31,"count":7}}}',
        '{"187":{"go":{"cost":"0.31","count":"7","physicalCount":3}}}',
        '[{"187":{"go":{"cost":0.6,"count":7}}},{"999":{"go":{"cost":0.1,"count":9}}}]',
        '{"187":{"go":{"cost":0.31,"count":7},"fb":{"cost":null,"count":1},"ig":[],"tw":{"cost":true,"count":1}},"1":7}',
        '{"187":{"go":{"cost":0.31,"count":7},"fb":{"cost":-1,"count":1},"ig":{"cost":"dear","count":1}}}',
    ],
)
async def test_a_price_list_is_read_in_every_shape_it_was_seen_in(
    provider: Provider, host: ScriptedHost, text: str
) -> None:
    host.says(text)

    assert await provider.stock() == {("US", "go"): 7}


@pytest.mark.parametrize(
    "text",
    ["BAD_KEY", '{"187":{"go":{"cost":0.61,"count":7}}}', '{"187":{"am":{"cost":0.1,"count":7}}}', *NOBODY_KNOWS],
)
async def test_a_price_list_without_anything_of_ours_is_a_fault(
    provider: Provider, host: ScriptedHost, text: str
) -> None:
    host.says(text)

    with pytest.raises(Unavailable):
        await provider.stock()
