"""The simulated TextVerified keeps to the transcript and the rules of providers.md §2."""

import re
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from phoneagent.dev.simulators import TextVerifiedSimulator
from tests.dev.simulators.serving import START_MS, Stage, SteppedClock, open_client
from tests.dev.simulators.textverified.driver import KEY, USERNAME, TextVerifiedDriver, open_simulator

SMS = "G-123456 is your Google verification code."
REFUSING = {
    "test_no_numbers": "Unavailable",
    "test_insufficient_balance": "InsufficientBalance",
    "test_too_many_unfinished_verifications": "TooManyUnfinishedVerifications",
}
PRICED = {"areaCode": False, "carrier": False, "numberType": "mobile", "capability": "sms"}


# ---- who may call --------------------------------------------------------------------------------------------------


async def test_a_token_lives_for_a_quarter_of_an_hour_of_real_time(
    host: TextVerifiedDriver, textverified: TextVerifiedSimulator
) -> None:
    now_s = 1_800_000_000.0
    textverified.tokens.now_s = lambda: now_s
    told = (await host.auth()).json()
    bearer = {"Authorization": f"Bearer {told['token']}"}

    assert told["expiresIn"] == 899
    assert datetime.fromisoformat(told["expiresAt"]).timestamp() == now_s + 899
    now_s += 898
    assert (await host.client.get("/api/pub/v2/account/me", headers=bearer)).status_code == 200
    await host.advance(3_600)
    assert (await host.client.get("/api/pub/v2/account/me", headers=bearer)).status_code == 200
    now_s += 1
    late = await host.client.get("/api/pub/v2/account/me", headers=bearer)
    assert (late.status_code, late.content) == (401, b"")


@pytest.mark.parametrize("key", [("wrong", USERNAME), (KEY, "somebody@else.example"), ("", "")])
async def test_a_wrong_key_or_username_gets_no_token(host: TextVerifiedDriver, key: tuple[str, str]) -> None:
    assert (await host.auth(*key)).status_code == 401


@pytest.mark.parametrize("bearer", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic abc"])
async def test_without_a_good_token_nothing_is_told(host: TextVerifiedDriver, bearer: str) -> None:
    answer = await host.client.get("/api/pub/v2/account/me", headers={"Authorization": bearer})

    assert (answer.status_code, answer.content) == (401, b"")


async def test_tokens_can_be_ended_at_once(host: TextVerifiedDriver) -> None:
    bearer = {"Authorization": f"Bearer {(await host.auth()).json()['token']}"}
    await host.control("settings", expire_tokens=True)

    assert (await host.client.get("/api/pub/v2/sms", headers=bearer)).status_code == 401
    assert (await host.call("GET", "sms")).status_code == 200


# ---- what is on sale -----------------------------------------------------------------------------------------------


async def test_prices_and_stock_are_told_per_service_and_choosing_costs_extra(host: TextVerifiedDriver) -> None:
    async def price(**more: object) -> object:
        return (await host.call("POST", "pricing/verifications", json=PRICED | {"serviceName": "google"} | more)).json()

    assert await price() == {"serviceName": "google", "price": 0.5}
    assert await price(areaCode=True) == {"serviceName": "google", "price": 0.6}
    assert await price(areaCode=True, carrier=True) == {"serviceName": "google", "price": 0.75}
    stock = {"serviceName": "google", "numberType": "mobile", "capability": "sms"}
    assert (await host.call("POST", "inventory/verifications", json=stock)).json() == {"availableQuantity": 9000}


async def test_services_and_area_codes_are_listed(host: TextVerifiedDriver) -> None:
    services = (
        await host.call("GET", "services", params={"numberType": "mobile", "reservationType": "verification"})
    ).json()
    areas = (await host.call("GET", "area-codes")).json()

    assert {"serviceName": "servicenotlisted", "capability": "sms", "description": None} in services
    assert {"areaCode": "205", "state": "Alabama"} in areas
    assert (await host.call("GET", "services", params={"reservationType": "renewable"})).json() == []


# ---- a verification ------------------------------------------------------------------------------------------------


async def test_a_verification_runs_as_in_the_transcript(host: TextVerifiedDriver, stage: Stage) -> None:
    made = await host.made(areaCodeSelectOption=["212", "775"])
    assert re.fullmatch(r"lr_01[0-9A-Z]{24}", made["id"])
    assert re.fullmatch(r"775[0-9]{7}", made["number"])
    assert (made["state"], made["totalCost"], made["serviceName"]) == ("verificationPending", 0.6, "google")
    assert made["cancel"] == {
        "canCancel": True,
        "link": {"method": "POST", "href": f"{stage.origin}/api/pub/v2/verifications/{made['id']}/cancel"},
    }
    assert made["reuse"] == {"link": None, "reusableUntil": None}

    assert await host.sms(number=f"+1{made['number']}", text=SMS, sender="22000", delay_s=40) == "scheduled"
    assert await host.inbox(reservationId=made["id"]) == []
    await host.advance(41)

    row = (await host.inbox(reservationId=made["id"], reservationType="verification"))[0]
    assert {name: row[name] for name in ("from", "to", "smsContent", "parsedCode", "encrypted")} == {
        "from": "22000",
        "to": made["number"],
        "smsContent": SMS,
        "parsedCode": "123456",
        "encrypted": False,
    }
    done = await host.details(made["id"])
    assert (done["state"], done["cancel"]["canCancel"]) == ("verificationCompleted", False)
    assert done["report"]["canReport"] is True
    assert done["reuse"]["link"] is not None
    refused = await host.call("POST", f"verifications/{made['id']}/cancel")
    assert (refused.status_code, set(refused.json())) == (400, {"errorCode", "errorDescription"})
    assert await host.balance() == "11.80"
    assert await host.state() == {
        "balance": 11.8,
        "activations": [
            {"activation_id": made["id"], "number": f"1{made['number']}", "status": "received", "cost": 0.6}
        ],
    }


async def test_a_cancel_is_taken_at_once_and_refunds(host: TextVerifiedDriver) -> None:
    made = await host.made()
    answer = await host.call("POST", f"verifications/{made['id']}/cancel")

    assert (answer.status_code, answer.content) == (200, b"")
    assert (await host.details(made["id"]))["state"] == "verificationCanceled"
    assert await host.balance() == "12.40"
    assert (await host.call("POST", f"verifications/{made['id']}/cancel")).status_code == 400
    assert await host.sms(number=made["number"], text=SMS) == "lost"


async def test_a_silent_verification_times_out_and_refunds(host: TextVerifiedDriver) -> None:
    made = await host.made()
    ends_ms = round(datetime.fromisoformat(made["endsAt"]).timestamp() * 1000)
    await host.advance((ends_ms - START_MS) / 1000)

    assert (await host.details(made["id"]))["state"] == "verificationTimedOut"
    assert await host.status_of(made["id"]) == "expired"
    assert await host.balance() == "12.40"


async def test_a_reported_verification_can_be_reported_once(host: TextVerifiedDriver) -> None:
    made = await host.made()
    assert (await host.call("POST", f"verifications/{made['id']}/report")).status_code == 400
    await host.sms(number=made["number"], text=SMS)

    answers = [(await host.call("POST", f"verifications/{made['id']}/report")).status_code for _ in range(2)]

    assert answers == [200, 400]
    assert (await host.details(made["id"]))["state"] == "verificationReported"


async def test_a_number_is_reused_soon_and_reactivated_later(host: TextVerifiedDriver) -> None:
    first, second = await host.made(), await host.made()
    for made in (first, second):
        await host.sms(number=made["number"], text=SMS)
    assert (await host.call("POST", f"verifications/{first['id']}/reactivate")).status_code == 400
    again = await host.call("POST", f"verifications/{first['id']}/reuse")
    await host.advance(301)
    assert (await host.call("POST", f"verifications/{second['id']}/reuse")).status_code == 400
    later = await host.call("POST", f"verifications/{second['id']}/reactivate")

    numbers = [(await host.call("GET", answer.headers["location"])).json()["number"] for answer in (again, later)]
    assert numbers == [first["number"], second["number"]]
    assert (await host.details(first["id"]))["state"] == "verificationReused"
    assert (await host.details(second["id"]))["state"] == "verificationReactivated"
    assert await host.balance() == "10.40"


@pytest.mark.parametrize(
    ("service", "more", "code"),
    [
        ("instagram", {}, "Unavailable"),
        ("google", {"maxPrice": 0.49}, "MaxPriceExceeded"),
        ("nobody", {}, "InvalidService"),
        ("google", {"capability": "voice"}, "InvalidCapability"),
        ("google", {"areaCodeSelectOption": ["999"]}, "InvalidAreaCode"),
        ("google", {"carrierSelectOption": ["xx"]}, "InvalidCarrier"),
        ("google", {"maxPrice": "cheap"}, "InvalidRequest"),
    ],
)
async def test_what_cannot_be_sold_is_a_400_with_a_code(
    host: TextVerifiedDriver, service: str, more: dict[str, object], code: str
) -> None:
    answer = await host.create(service, **more)

    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert await host.balance() == "12.40"


async def test_an_empty_account_sells_nothing(host: TextVerifiedDriver) -> None:
    for _ in range(24):
        await host.made()

    assert (await host.create()).json()["errorCode"] == "InsufficientBalance"


async def test_what_was_never_made_is_not_found(host: TextVerifiedDriver) -> None:
    for method, path in (("GET", "verifications/lr_x"), ("POST", "verifications/lr_x/cancel"), ("GET", "sales/sa_x")):
        answer = await host.call(method, path)
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "NotFound")
    assert (await host.control("sms", number="4155550100", sender="x", text=SMS)).status_code == 404


# ---- lists and links -----------------------------------------------------------------------------------------------


async def test_lists_come_in_pages_that_are_linked_in_both_directions(host: TextVerifiedDriver) -> None:
    made = [(await host.made("discord"))["id"] for _ in range(23)]
    seen, hrefs = [], []
    page = (await host.call("GET", "verifications")).json()
    while True:
        seen += [row["id"] for row in page["data"]]
        hrefs.append(page["links"]["current"]["href"])
        if not page["hasNext"]:
            break
        page = (await host.call("GET", page["links"]["next"]["href"])).json()

    assert seen == made[::-1]
    assert len(hrefs) == 3
    assert page["links"]["next"] is None
    assert page["links"]["previous"]["href"] == hrefs[1]


@pytest.mark.parametrize("cursor", ["", "-1", "x", "9" * 5000, "²"])
async def test_a_page_that_nobody_linked_to_is_the_first(host: TextVerifiedDriver, cursor: str) -> None:
    made = await host.made()

    page = (await host.call("GET", "verifications", params={"cursor": cursor})).json()
    assert [row["id"] for row in page["data"]] == [made["id"]]


async def test_links_lead_to_the_address_that_the_client_called(host: TextVerifiedDriver, stage: Stage) -> None:
    port = stage.origin.rpartition(":")[2]
    async with open_client(f"http://localhost:{port}") as client:
        elsewhere = TextVerifiedDriver(client)
        made = await elsewhere.made()

    links = [made["sms"], made["calls"], made["sale"], made["cancel"]["link"]]
    assert {link["href"].partition("/api")[0] for link in links} == {f"http://localhost:{port}"}
    sale = (await host.call("GET", made["sale"]["href"].replace("localhost", "127.0.0.1"))).json()
    assert [one["id"] for one in sale["reservations"]] == [made["id"]]
    assert (await host.call("GET", "sales")).json()["data"][0]["id"] == sale["id"]


@pytest.mark.parametrize("form", ["{}", "1{}", "+1{}"])
async def test_sms_are_filtered_by_number_however_it_is_written(host: TextVerifiedDriver, form: str) -> None:
    first, second = await host.made(), await host.made()
    for made in (first, second):
        await host.sms(number=made["number"], text=f"{SMS} {made['id']}")

    assert [row["to"] for row in await host.inbox(to=form.format(first["number"]))] == [first["number"]]
    assert len(await host.inbox()) == 2
    assert await host.inbox(to=first["number"], reservationId=second["id"]) == []
    assert await host.inbox(to=first["number"], reservationType="renewable") == []
    assert await host.inbox(to="2125550100") == []


async def test_a_text_without_a_code_has_no_parsed_code(host: TextVerifiedDriver) -> None:
    made = await host.made()
    await host.sms(activation_id=made["id"], text="Hello", sender="")
    await host.sms(activation_id=made["id"], text="code abcd", code="abcd")

    rows = await host.inbox(reservationId=made["id"])
    assert sorted((row["smsContent"], row["parsedCode"], row["from"]) for row in rows) == [
        ("Hello", None, None),
        ("code abcd", "abcd", "Google"),
    ]


# ---- the host's own test services ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "code"), REFUSING.items())
async def test_a_refusing_test_service_refuses_as_the_real_thing(
    host: TextVerifiedDriver, name: str, code: str
) -> None:
    answer = await host.create(name)

    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert answer.headers["x-phoneblur-mock"] == "true"


@pytest.mark.parametrize(
    ("name", "at_once", "soon"),
    [
        ("test_success", "verificationCompleted", "verificationCompleted"),
        ("test_delayed_success", "verificationPending", "verificationCompleted"),
        ("test_pending", "verificationPending", "verificationPending"),
        ("test_timeout", "verificationTimedOut", "verificationTimedOut"),
        ("test_reactivatable", "verificationCompleted", "verificationCompleted"),
    ],
)
async def test_a_test_service_plays_its_scenario_and_costs_nothing(
    host: TextVerifiedDriver, name: str, at_once: str, soon: str
) -> None:
    made = await host.made(name)
    assert made["state"] == at_once
    await host.advance(10)
    later = await host.call("GET", f"verifications/{made['id']}")

    assert later.json()["state"] == soon
    assert later.headers["x-phoneblur-mock"] == "true"
    assert later.json()["reactivate"]["canReactivate"] is (name == "test_reactivatable")
    assert bool(await host.inbox(to=made["number"])) is (soon == "verificationCompleted")
    assert await host.balance() == "12.40"


async def test_test_services_have_a_price_and_a_stock_of_their_own(host: TextVerifiedDriver) -> None:
    async def stock(name: str) -> object:
        order = {"serviceName": name, "numberType": "mobile", "capability": "sms"}
        return (await host.call("POST", "inventory/verifications", json=order)).json()["availableQuantity"]

    price = await host.call("POST", "pricing/verifications", json=PRICED | {"serviceName": "test_success"})
    assert price.json() == {"serviceName": "test_success", "price": 0.5}
    assert price.headers["x-phoneblur-mock"] == "true"
    assert (await stock("test_success"), await stock("test_no_numbers")) == (9000, 0)


@pytest.mark.parametrize("name", ["test_backorder", "test_renewable_expired", "test_nonrenewable_expired"])
async def test_test_services_of_rentals_are_unknown_to_verifications(host: TextVerifiedDriver, name: str) -> None:
    assert (await host.create(name)).json()["errorCode"] == "InvalidService"


# ---- memory --------------------------------------------------------------------------------------------------------


async def test_an_account_survives_kill_9(stage: Stage, clock: SteppedClock, tmp_path: Path) -> None:
    path = tmp_path / "textverified.json"
    first = open_simulator(clock, data_path=path)
    stage.app = first.app
    async with open_client(stage.origin) as client:
        host = TextVerifiedDriver(client)
        token = (await host.auth()).json()["token"]
        waiting, done, gone = await host.made(), await host.made(), await host.made()
        await host.sms(number=done["number"], text=SMS)
        await host.sms(number=waiting["number"], text=SMS, delay_s=60)
        await host.call("POST", f"verifications/{gone['id']}/cancel")
        before, inbox = await host.state(), await host.inbox()
        second = open_simulator(clock, data_path=path, balance_atomic=1)  # without closing the first
        stage.app = second.app

        assert await host.state() == before
        assert await host.inbox() == inbox
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/api/pub/v2/account/me", headers=bearer)).json()["currentBalance"] == 11.4
        await host.advance(60)
        assert await host.status_of(waiting["id"]) == "received"
        assert (await host.made())["id"] not in {waiting["id"], done["id"], gone["id"]}
    for simulator in (first, second):
        simulator.close()


# ---- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "kind", "status"),
    [
        ("get", "5xx", 502),
        ("get", "html", 200),
        ("get", "banned", 403),
        ("get", "rate_limited", 429),
        ("get", "expired_token", 401),
        ("create", "no_numbers", 400),
        ("purchase", "no_numbers", 400),
        ("auth", "5xx", 502),
        ("cancel", "banned", 403),
        ("sms", "rate_limited", 429),
    ],
)
async def test_a_fault_strikes_its_action_once(host: TextVerifiedDriver, action: str, kind: str, status: int) -> None:
    made = await host.made()
    calls = {
        "get": ("GET", f"verifications/{made['id']}"),
        "create": ("POST", "verifications"),
        "purchase": ("POST", "verifications"),
        "cancel": ("POST", f"verifications/{made['id']}/cancel"),
        "sms": ("GET", "sms"),
    }
    await host.fault(action, kind)

    if action == "auth":
        assert (await host.auth()).status_code == status
        assert (await host.auth()).status_code == 200
        return
    order = {"serviceName": "google", "capability": "sms"}
    answers = [await host.call(*calls[action], json=order) for _ in range(2)]
    assert answers[0].status_code == status
    assert answers[1].status_code in {200, 201}


async def test_a_stale_answer_does_not_know_of_the_sms_yet(host: TextVerifiedDriver) -> None:
    made = await host.made()
    await host.sms(number=made["number"], text=SMS)
    await host.fault("get", "stale_status")
    await host.fault("sms", "stale_status")

    assert ((await host.details(made["id"]))["state"], await host.inbox()) == ("verificationPending", [])
    assert (await host.details(made["id"]))["state"] == "verificationCompleted"
    assert len(await host.inbox()) == 1


async def test_a_dropped_reply_has_sold_the_number(host: TextVerifiedDriver) -> None:
    await host.fault("create", "drop_reply")
    token = (await host.auth()).json()["token"]
    async with open_client(str(host.client.base_url), timeout_s=0.15) as hasty:
        with pytest.raises(httpx.ReadTimeout):
            await hasty.post(
                "/api/pub/v2/verifications",
                headers={"Authorization": f"Bearer {token}"},
                json={"serviceName": "google", "capability": "sms"},
            )

    assert len((await host.state())["activations"]) == 1


@pytest.mark.parametrize(("action", "kind"), [("getNumber", "5xx"), ("get", "no_numbers"), ("create", "late_webhook")])
async def test_an_unknown_fault_is_a_400(host: TextVerifiedDriver, action: str, kind: str) -> None:
    assert (await host.control("fault", action=action, kind=kind)).status_code == 400
