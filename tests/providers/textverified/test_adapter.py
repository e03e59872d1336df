"""The adapter's own promises beyond the contract, against a host that answers word for word what a test tells it."""

import asyncio
import socket
from typing import Any

import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import (
    Bought,
    CancelDone,
    CancelHasCode,
    CancelTooEarly,
    Closed,
    Offer,
    OutOfStock,
    Purchase,
    PurchaseRefused,
    PurchaseUnknown,
    Received,
    Refusal,
    Waiting,
)
from phoneagent.core.rental import Message, MessageState
from phoneagent.core.transitions import Activation
from phoneagent.dev.simulators import TextVerifiedSimulator
from phoneagent.providers.textverified import TextVerifiedProvider
from tests.dev.simulators.serving import START_MS, Stage, SteppedClock
from tests.dev.simulators.textverified.driver import TextVerifiedDriver
from tests.providers.textverified.conftest import MakeTextVerified
from tests.providers.textverified.scripted import PENDING, TOKEN, Said, ScriptedHost
from tests.waiting import BOUND_S

PURCHASE = Purchase("US", "go", 600_000)
PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"
ACTIVATION = Activation("lr_01A", "17755551234", 500_000)
SMS: dict[str, Any] = {
    "id": "sms_1",
    "from": "22000",
    "to": "7755551234",
    "createdAt": "2026-09-21T14:13:30.1230000+00:00",
    "smsContent": "G-123456 is your Google verification code.",
    "parsedCode": "123456",
    "encrypted": False,
}


def error(code: str, description: str = "…") -> dict[str, str]:
    return {"errorCode": code, "errorDescription": description}


@pytest.fixture
def script(stage: Stage) -> ScriptedHost:
    script = ScriptedHost()
    script.sells()
    stage.app = script
    return script


# ---- the token -----------------------------------------------------------------------------------------------------


async def test_many_callers_fetch_one_token(script: ScriptedHost, provider: TextVerifiedProvider) -> None:
    await asyncio.gather(*(provider.status("lr_01A") for _ in range(20)))

    assert script.asked.count("POST /auth") == 1
    assert {request.headers["authorization"] for request in script.requests[1:]} == {f"Bearer {TOKEN}"}


async def test_a_token_is_replaced_before_it_ends(
    script: ScriptedHost, provider: TextVerifiedProvider, clock: SteppedClock
) -> None:
    await provider.status("lr_01A")
    await clock.advance(838)
    await provider.status("lr_01A")
    assert script.asked.count("POST /auth") == 1
    await clock.advance(2)
    await provider.status("lr_01A")

    assert script.asked.count("POST /auth") == 2


async def test_many_callers_whose_token_was_ended_fetch_one_new_one(
    host: TextVerifiedDriver, provider: TextVerifiedProvider, simulator: TextVerifiedSimulator
) -> None:
    activation_id = (await host.made())["id"]
    await provider.status(activation_id)
    await host.control("settings", expire_tokens=True)
    issued = simulator.tokens._issued

    answers = await asyncio.gather(*(provider.status(activation_id) for _ in range(20)))

    assert answers == [Waiting()] * 20
    assert simulator.tokens._issued == issued + 1


async def test_a_token_that_is_refused_again_is_a_fault(script: ScriptedHost, provider: TextVerifiedProvider) -> None:
    script.answers["GET /verifications/lr_01A"].clear()
    script.says("GET /verifications/lr_01A", "", 401)

    with pytest.raises(Unavailable):
        await provider.status("lr_01A")
    assert script.asked == ["POST /auth", "GET /verifications/lr_01A"] * 2


async def test_all_callers_share_the_fault_of_one_refresh(script: ScriptedHost, provider: TextVerifiedProvider) -> None:
    script.answers["POST /auth"].clear()
    script.says("POST /auth", PAGE, 502)

    answers = await asyncio.gather(*(provider.status("lr_01A") for _ in range(20)), return_exceptions=True)

    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert script.asked == ["POST /auth"]
    script.answers["POST /auth"].clear()
    script.sells()
    assert await provider.status("lr_01A") == Waiting()


async def test_the_token_goes_to_the_configured_host_only(script: ScriptedHost, provider: TextVerifiedProvider) -> None:
    script.answers["GET /sms"].clear()
    script.says("GET /sms", script.page([], "sms?cursor=10"))
    script.says("GET /sms", script.page([SMS]))

    assert isinstance(await provider.status("lr_01A"), Received)  # the link named www.textverified.com
    assert str(script.requests[-1].url.query) == "cursor=10"


@pytest.mark.parametrize(
    "href", ["https://www.textverified.com/logout", "/api/pub/v2/../../admin", "", "mailto:a@b.example"]
)
async def test_a_link_out_of_the_api_is_not_followed(
    script: ScriptedHost, provider: TextVerifiedProvider, href: str
) -> None:
    page = script.page([], "sms")
    page["links"]["next"]["href"] = href
    script.answers["GET /sms"].clear()
    script.says("GET /sms", page)

    with pytest.raises(Unavailable):
        await provider.status("lr_01A")
    assert script.asked[-1] == "GET /sms"


# ---- buy -----------------------------------------------------------------------------------------------------------


async def test_a_purchase_names_service_capability_and_ceiling(
    script: ScriptedHost, provider: TextVerifiedProvider
) -> None:
    assert await provider.buy(PURCHASE) == Bought(ACTIVATION)
    assert await script.requests[1].json() == {"serviceName": "google", "capability": "sms", "maxPrice": 0.6}

    await provider.buy(Purchase("US", "other", 550_000))
    assert await script.requests[-2].json() == {
        "serviceName": "servicenotlisted",
        "capability": "sms",
        "maxPrice": 0.55,
        "serviceNotListedName": "other",
    }


@pytest.mark.parametrize("purchase", [Purchase("GB", "go", 600_000), Purchase("US", "xx", 600_000)])
async def test_what_is_not_sold_here_is_refused_unsent(
    script: ScriptedHost, provider: TextVerifiedProvider, purchase: Purchase
) -> None:
    assert isinstance(await provider.buy(purchase), PurchaseRefused)
    assert script.asked == []


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, "Unavailable", None),
        (400, "MaxPriceExceeded", None),
        (400, "NoNumbersAvailable", None),
        (400, "InsufficientBalance", Refusal.BALANCE),
        (400, "TooManyUnfinishedVerifications", Refusal.BUSY),
        (400, "InvalidService", Refusal.PAIR),
        (403, "AccountDisabled", Refusal.BANNED),
        (400, "SomethingNew", Refusal.OTHER),
    ],
)
async def test_the_hosts_own_refusal_proves_that_nothing_was_bought(
    script: ScriptedHost, provider: TextVerifiedProvider, status: int, code: str, reason: Refusal | None
) -> None:
    script.answers["POST /verifications"].clear()
    script.says("POST /verifications", error(code), status)
    answer = await provider.buy(PURCHASE)

    assert isinstance(answer, OutOfStock) if reason is None else isinstance(answer, PurchaseRefused)
    assert getattr(answer, "reason", None) is reason
    assert f'"{code}"' in repr(answer)
    assert script.asked.count("POST /verifications") == 1


@pytest.mark.parametrize(
    ("status", "value"),
    [
        (400, PAGE),
        (403, PAGE),
        (408, error("Timeout")),
        (429, error("TooManyRequests")),
        (500, error("Unavailable")),
        (503, PAGE),
        (302, ""),
        (200, PAGE),
        (201, ""),
        (201, {"method": "GET", "href": "https://www.textverified.com/api/pub/v2/sales/sa_1"}),
        (201, {"href": 7}),
    ],
)
async def test_any_other_answer_leaves_the_purchase_unknown_and_is_not_repeated(
    script: ScriptedHost, provider: TextVerifiedProvider, status: int, value: object
) -> None:
    script.answers["POST /verifications"].clear()
    script.says("POST /verifications", value, status)

    assert isinstance(await provider.buy(PURCHASE), PurchaseUnknown)
    assert script.asked.count("POST /verifications") == 1


async def test_the_location_header_will_do(script: ScriptedHost, provider: TextVerifiedProvider) -> None:
    script.answers["POST /verifications"].clear()
    script.says("POST /verifications", "", 201, location="/api/pub/v2/verifications/lr_01A")

    assert await provider.buy(PURCHASE) == Bought(ACTIVATION)


async def test_a_token_that_ended_before_its_time_costs_the_purchase_but_not_the_next(
    script: ScriptedHost, provider: TextVerifiedProvider
) -> None:
    script.answers["POST /verifications"].insert(0, Said(401))

    assert isinstance(await provider.buy(PURCHASE), PurchaseRefused)
    assert await provider.buy(PURCHASE) == Bought(ACTIVATION)
    assert script.asked.count("POST /auth") == 2
    assert script.asked.count("POST /verifications") == 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, Refusal.AUTH), (403, Refusal.AUTH), (429, Refusal.OTHER), (500, Refusal.OTHER), (200, Refusal.OTHER)],
)
async def test_without_a_token_nothing_is_sent(
    script: ScriptedHost, provider: TextVerifiedProvider, status: int, reason: Refusal
) -> None:
    script.answers["POST /auth"].clear()
    script.says("POST /auth", "", status)
    answer = await provider.buy(PURCHASE)

    assert isinstance(answer, PurchaseRefused)
    assert answer.reason is reason
    assert script.asked == ["POST /auth"]


async def test_a_host_that_nobody_can_reach_has_sold_nothing(make_textverified: MakeTextVerified) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        provider = make_textverified(origin=f"http://127.0.0.1:{taken.getsockname()[1]}")

        assert isinstance(await provider.buy(PURCHASE), PurchaseRefused)
        with pytest.raises(Unavailable):
            await provider.status("lr_01A")


async def test_a_number_that_is_told_at_the_second_look_is_bought(
    script: ScriptedHost, provider: TextVerifiedProvider
) -> None:
    details = script.answers["GET /verifications/lr_01A"]
    details.clear()
    script.says("GET /verifications/lr_01A", PAGE, 502)
    script.says("GET /verifications/lr_01A", PENDING)

    assert await provider.buy(PURCHASE) == Bought(ACTIVATION)


@pytest.mark.parametrize("details", [PENDING | {"number": None}, PENDING | {"number": "12"}, PAGE, {}])
async def test_a_number_that_is_never_told_leaves_the_purchase_unknown_with_its_id(
    script: ScriptedHost, provider: TextVerifiedProvider, details: object
) -> None:
    script.answers["GET /verifications/lr_01A"].clear()
    script.says("GET /verifications/lr_01A", details)
    answer = await provider.buy(PURCHASE)

    assert isinstance(answer, PurchaseUnknown)
    assert "lr_01A" in answer.raw


@pytest.mark.parametrize(
    ("cost", "atomic"), [("0.5", 500_000), ("0.0000001", 1), ("1", 1_000_000), ('"0.55"', 550_000)]
)
async def test_a_cost_is_never_taken_for_less_than_it_is(
    script: ScriptedHost, provider: TextVerifiedProvider, cost: str, atomic: int
) -> None:
    script.answers["GET /verifications/lr_01A"].clear()
    details = '{"id":"lr_01A","number":"(775) 555-1234","state":"x","serviceName":"google","createdAt":'
    script.says("GET /verifications/lr_01A", f'{details}"2026-09-21T14:13:20Z","totalCost":{cost}}}')

    assert await provider.buy(PURCHASE) == Bought(Activation("lr_01A", "17755551234", atomic))


# ---- find ----------------------------------------------------------------------------------------------------------


async def test_a_purchase_without_an_answer_is_found_in_the_list(
    host: TextVerifiedDriver, provider: TextVerifiedProvider, make_textverified: MakeTextVerified
) -> None:
    await host.fault("purchase", "drop_reply")
    assert isinstance(await make_textverified(timeout_s=0.15).buy(PURCHASE), PurchaseUnknown)
    row = (await host.state())["activations"][0]
    await host.made("discord")

    assert await provider.find_unclaimed(PURCHASE, START_MS) == [
        Activation(row["activation_id"], row["number"], 500_000)
    ]
    assert await provider.find_unclaimed(Purchase("US", "fb", 600_000), START_MS) == []


async def test_older_and_refunded_ones_are_left_out_and_delivered_ones_are_not(
    host: TextVerifiedDriver, provider: TextVerifiedProvider
) -> None:
    await host.made()
    await host.advance(600)
    since_ms = START_MS + 600_000
    refunded, delivered, waiting = [await host.made() for _ in range(3)]
    await host.call("POST", f"verifications/{refunded['id']}/cancel")
    await host.sms(number=delivered["number"], text="1234")

    found = await provider.find_unclaimed(PURCHASE, since_ms)

    assert {one.activation_id for one in found} == {delivered["id"], waiting["id"]}


async def test_everything_made_since_then_is_listed_running_or_over_whatever_its_service(
    host: TextVerifiedDriver, provider: TextVerifiedProvider
) -> None:
    await host.made()
    await host.advance(600)
    refunded, waiting = await host.made("discord"), await host.made()
    await host.call("POST", f"verifications/{refunded['id']}/cancel")

    listed = await provider.made_since(START_MS + 600_000)

    assert [one.activation_id for one in listed] == [waiting["id"], refunded["id"]]
    assert listed[0] == Activation(waiting["id"], f"1{waiting['number']}", 500_000)


async def test_the_whole_list_is_read_but_no_further_than_needed(
    host: TextVerifiedDriver, provider: TextVerifiedProvider
) -> None:
    old = [(await host.made("discord"))["id"] for _ in range(14)]
    await host.advance(600)
    made = [(await host.made("discord"))["id"] for _ in range(13)]
    purchase = Purchase("US", "ds", 600_000)

    found = await provider.find_unclaimed(purchase, START_MS + 600_000)
    assert {one.activation_id for one in found} == set(made)
    found = await provider.find_unclaimed(purchase, START_MS)
    assert {one.activation_id for one in found} == {*made, *old}


async def test_a_list_that_cannot_be_read_to_its_end_proves_nothing(
    script: ScriptedHost, provider: TextVerifiedProvider
) -> None:
    script.says("GET /verifications", script.page([PENDING | {"id": "lr_02B"}], "verifications?cursor=1"))

    with pytest.raises(Unavailable):
        await provider.find_unclaimed(PURCHASE, START_MS)
    assert script.asked.count("GET /verifications") == 100


@pytest.mark.parametrize(
    "row", [{"number": None}, {"number": "1"}, {"state": "verificationHalf"}, {"createdAt": "today"}, {"totalCost": -1}]
)
async def test_a_row_that_cannot_be_read_proves_nothing(
    script: ScriptedHost, provider: TextVerifiedProvider, row: dict[str, object]
) -> None:
    script.says("GET /verifications", script.page([PENDING | row]))

    with pytest.raises(Unavailable):
        await provider.find_unclaimed(PURCHASE, START_MS)


async def test_an_oldest_first_list_is_read_to_its_end(script: ScriptedHost, provider: TextVerifiedProvider) -> None:
    old = PENDING | {"id": "lr_00", "createdAt": "2026-09-20T00:00:00+00:00"}
    older = PENDING | {"id": "lr_0", "createdAt": "2026-09-19T00:00:00+00:00"}
    script.says("GET /verifications", script.page([older, old], "verifications?cursor=2"))
    script.says("GET /verifications", script.page([PENDING]))

    assert await provider.find_unclaimed(PURCHASE, START_MS) == [ACTIVATION]


# ---- status --------------------------------------------------------------------------------------------------------


async def test_an_sms_comes_with_sender_text_and_the_hosts_time(
    script: ScriptedHost, provider: TextVerifiedProvider, clock: SteppedClock
) -> None:
    await clock.advance(60)
    script.answers["GET /sms"].clear()
    script.says("GET /sms", script.page([SMS]))

    message = Message(SMS["smsContent"], "22000", START_MS + 10_123, MessageState.SEALED)
    assert await provider.status("lr_01A") == Received((message,))


@pytest.mark.parametrize("row", [{"to": "2125550100"}, {"createdAt": "2026-09-21T14:00:00+00:00"}])
async def test_the_sms_of_others_is_never_shown_whatever_the_hosts_filter_lets_through(
    script: ScriptedHost, provider: TextVerifiedProvider, row: dict[str, object]
) -> None:
    script.answers["GET /sms"].clear()
    script.says("GET /sms", script.page([SMS | row]))

    assert await provider.status("lr_01A") == Waiting()


@pytest.mark.parametrize("content", ["", None])
async def test_a_text_that_the_host_does_not_show_is_a_fault_unless_it_tells_the_code(
    script: ScriptedHost, provider: TextVerifiedProvider, content: object
) -> None:
    hidden = SMS | {"smsContent": content, "encrypted": True}
    script.answers["GET /sms"].clear()
    script.says("GET /sms", script.page([hidden | {"parsedCode": None}]))
    script.says("GET /sms", script.page([hidden]))

    with pytest.raises(Unavailable):
        await provider.status("lr_01A")
    answer = await provider.status("lr_01A")
    assert isinstance(answer, Received)
    assert answer.messages[0].text == "123456"


async def test_a_completed_one_without_its_sms_is_a_fault_and_not_waiting(
    host: TextVerifiedDriver, provider: TextVerifiedProvider
) -> None:
    made = await host.made()
    await host.sms(number=made["number"], text="code 4711")
    await host.fault("sms", "stale_status")

    with pytest.raises(Unavailable):
        await provider.status(made["id"])
    assert isinstance(await provider.status(made["id"]), Received)


async def test_several_sms_come_oldest_first_over_all_pages(
    host: TextVerifiedDriver, provider: TextVerifiedProvider
) -> None:
    made = await host.made()
    for second in range(12):
        await host.sms(number=made["number"], text=f"code {4700 + second}", delay_s=second)
    await host.advance(12)
    answer = await provider.status(made["id"])

    assert isinstance(answer, Received)
    assert [message.text for message in answer.messages] == [f"code {4700 + second}" for second in range(12)]


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        ("verificationCanceled", Closed("verificationCanceled")),
        ("verificationTimedOut", Closed("verificationTimedOut")),
        ("verificationRefunded", Closed("verificationRefunded")),
        ("verificationReported", Closed("verificationReported")),
        ("VerificationPending", Waiting()),
    ],
)
async def test_every_state_without_an_sms_means_one_thing(
    script: ScriptedHost, provider: TextVerifiedProvider, state: str, answer: object
) -> None:
    script.answers["GET /verifications/lr_01A"].clear()
    script.says("GET /verifications/lr_01A", PENDING | {"state": state})

    assert await provider.status("lr_01A") == answer


@pytest.mark.parametrize("state", ["verificationReused", "verificationReactivated", "verificationNew", ""])
async def test_a_state_that_promises_an_sms_or_nothing_known_is_a_fault(
    script: ScriptedHost, provider: TextVerifiedProvider, state: str
) -> None:
    script.answers["GET /verifications/lr_01A"].clear()
    script.says("GET /verifications/lr_01A", PENDING | {"state": state})

    with pytest.raises(Unavailable):
        await provider.status("lr_01A")


async def test_a_404_closes_only_in_the_hosts_own_words(script: ScriptedHost, provider: TextVerifiedProvider) -> None:
    script.says("GET /verifications/lr_02B", error("NotFound"), 404)
    assert await provider.status("lr_02B") == Closed("not found")
    script.says("POST /verifications/lr_02B/cancel", error("NotFound"), 404)
    assert isinstance(await provider.cancel("lr_02B"), CancelDone)
    assert await provider.finish("lr_02B") == "not found"
    with pytest.raises(Unavailable):
        await provider.status("lr_03C")  # a page that says 404


# ---- closing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kind"), [("verificationPending", CancelTooEarly), ("verificationTimedOut", CancelDone)]
)
async def test_a_refused_cancel_is_explained_by_the_state(
    script: ScriptedHost, provider: TextVerifiedProvider, state: str, kind: type
) -> None:
    script.says("POST /verifications/lr_01A/cancel", error("NotAllowed"), 400)
    script.answers["GET /verifications/lr_01A"].clear()
    script.says("GET /verifications/lr_01A", PENDING | {"state": state})

    assert isinstance(await provider.cancel("lr_01A"), kind)


async def test_a_refused_cancel_with_an_sms_has_a_code(script: ScriptedHost, provider: TextVerifiedProvider) -> None:
    script.says("POST /verifications/lr_01A/cancel", error("NotAllowed"), 400)
    script.answers["GET /sms"].clear()
    script.says("GET /sms", script.page([SMS]))

    assert isinstance(await provider.cancel("lr_01A"), CancelHasCode)


@pytest.mark.parametrize(("status", "value"), [(200, PAGE), (502, PAGE), (429, ""), (302, "")])
async def test_a_page_is_no_cancel(
    script: ScriptedHost, provider: TextVerifiedProvider, status: int, value: str
) -> None:
    script.says("POST /verifications/lr_01A/cancel", value, status)

    with pytest.raises(Unavailable):
        await provider.cancel("lr_01A")


async def test_a_delivered_verification_can_be_reported_once(
    host: TextVerifiedDriver, provider: TextVerifiedProvider
) -> None:
    made = await host.made()
    assert not (await provider.report(made["id"])).is_taken
    await host.sms(number=made["number"], text="code 4711")

    assert [(await provider.report(made["id"])).is_taken for _ in range(2)] == [True, False]
    assert isinstance(await provider.status(made["id"]), Received)


# ---- the account ---------------------------------------------------------------------------------------------------


async def test_balance_and_area_codes_are_read(host: TextVerifiedDriver, provider: TextVerifiedProvider) -> None:
    await host.made()

    assert await provider.balance() == 11_900_000
    assert (await provider.area_codes())["775"] == "Nevada"


async def test_a_service_that_the_host_does_not_list_is_not_sold(
    script: ScriptedHost, provider: TextVerifiedProvider
) -> None:
    script.says("GET /services", [{"serviceName": "google", "capability": "Sms"}])
    script.says("POST /pricing/verifications", {"serviceName": "google", "price": 0.5})
    script.says("POST /inventory/verifications", {"availableQuantity": 7})

    assert await provider.stock() == {("US", "go"): 7}
    assert script.asked.count("POST /pricing/verifications") == 1


async def test_a_balance_is_never_taken_for_more_than_it_is(
    script: ScriptedHost, provider: TextVerifiedProvider
) -> None:
    script.says("GET /account/me", b'{"username":"a","currentBalance":-0.0000001}')
    script.says("GET /account/me", b'{"username":"a","currentBalance":1.2345678}')

    assert [await provider.balance() for _ in range(2)] == [-1, 1_234_567]


@pytest.mark.parametrize("price", [0.61, None])
async def test_a_host_that_sells_nothing_bearable_is_broken_and_not_sold_out(
    script: ScriptedHost, provider: TextVerifiedProvider, price: float | None
) -> None:
    script.says("GET /services", [{"serviceName": "google", "capability": "sms"}])
    if price is None:
        script.says("POST /pricing/verifications", error("InvalidService"), 400)
    else:
        script.says("POST /pricing/verifications", {"serviceName": "google", "price": price})

    with pytest.raises(Unavailable):
        await provider.stock()


async def test_offers_tell_every_cost_and_stock_only_what_is_bearable(
    host: TextVerifiedDriver, provider: TextVerifiedProvider
) -> None:
    offers, stock = await provider.offers(), await provider.stock()

    assert offers["US", "wx"] == Offer(1_450_000, 940)
    assert ("US", "wx") not in stock
    assert stock["US", "ig"] == 0
    assert (await host.state())["activations"] == []


def test_whose_account_it_is_is_told_by_the_operator(make_textverified: MakeTextVerified) -> None:
    assert not make_textverified().traits.is_dedicated
    assert not make_textverified().traits.can_ask_in_bulk


async def test_an_endless_body_is_cut_off(script: ScriptedHost, provider: TextVerifiedProvider) -> None:
    script.says("GET /area-codes", b" " * (5 * 1_048_576))

    async with asyncio.timeout(BOUND_S):
        with pytest.raises(Unavailable):
            await provider.area_codes()
