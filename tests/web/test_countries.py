"""GET /countries: sold for a cent, settled before it is shown, never charged twice (I2, ARCHITECTURE §2)."""

import httpx
import pytest

from tests.web.fakes import Fault
from tests.web.harness import SIGNATURE, STOCK, X_PAYMENT, World
from tests.x402.signing import from_header

AS_OF = "2026-11-21T22:26:40Z"
"""The harness's clock stands still."""


async def test_a_paid_request_gets_the_list_of_what_is_in_stock(world: World) -> None:
    response = await world.get_countries(await world.sign(path="/countries"))
    assert response.status_code == 200
    assert world.chain.earned == 10_000
    assert response.json() == [
        {
            "code": "US",
            "name": "United States",
            "services": [
                {
                    "code": "tg",
                    "name": "Telegram",
                    "mode": "activate_premium",
                    "price_usdc": 2,
                    "pool": 90,
                    "as_of": AS_OF,
                },
                {
                    "code": "go",
                    "name": "Google / Gmail",
                    "mode": "activate",
                    "price_usdc": 1,
                    "pool": 500,
                    "as_of": AS_OF,
                },
            ],
        },
        {
            "code": "GB",
            "name": "United Kingdom",
            "services": [
                {
                    "code": "go",
                    "name": "Google / Gmail",
                    "mode": "activate",
                    "price_usdc": 1,
                    "pool": 700,
                    "as_of": AS_OF,
                }
            ],
        },
    ]


async def test_a_delivery_rate_is_told_once_enough_rentals_have_ended(world: World) -> None:
    async def ended(many: int, *, delivered: int) -> httpx.Response:
        for number in range(many):
            await world.engine.upstreams.count_end("smsfast", ("US", "go"), has_delivered=number < delivered)
            await world.engine.upstreams.count_end("smsfast", ("GB", "go"), has_delivered=True)
        await world.restock(STOCK)
        return await world.get_countries(await world.sign(path="/countries"))

    early, response = await ended(19, delivered=14), await ended(1, delivered=1)

    assert "delivery_rate" not in early.text
    rates = {
        (country["code"], service["code"]): service.get("delivery_rate")
        for country in response.json()
        for service in country["services"]
    }
    assert rates == {("US", "tg"): None, ("US", "go"): 0.75, ("GB", "go"): 1.0}


@pytest.mark.parametrize(("version", "header", "network"), [(1, X_PAYMENT, "base"), (2, SIGNATURE, "eip155:8453")])
async def test_both_receipt_headers_carry_the_transaction(
    world: World, version: int, header: str, network: str
) -> None:
    payment = await world.sign(path="/countries", version=version)
    response = await world.http.get("/countries", headers={header: payment})
    receipt = from_header(response.headers["payment-response"])
    assert response.headers["x-payment-response"] == response.headers["payment-response"]
    assert (receipt["state"], receipt["network"], receipt["amount"]) == ("settled", network, "10000")
    assert receipt["tx"] == receipt["transaction"] == f"0x{world.chain.block:064x}"


async def test_the_same_payment_gets_the_list_again_under_any_filter_and_pays_once(world: World) -> None:
    payment = await world.sign(path="/countries")
    answers = [await world.get_countries(payment, query) for query in ("", "?country=GB", "?country=AR", "")]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]
    assert [len(answer.json()) for answer in answers] == [2, 1, 0, 2]
    assert world.chain.earned == 10_000
    assert len(world.facilitator.settled) == 1


async def test_the_list_stays_paid_until_ten_minutes_after_the_authorization(world: World) -> None:
    payment = await world.sign(path="/countries")
    await world.get_countries(payment)
    world.pass_by(300 + 600)
    assert (await world.get_countries(payment)).status_code == 200
    world.pass_by(1)
    over = await world.get_countries(payment)
    assert (over.status_code, over.json()["code"]) == (402, "resign")
    assert not {"payment_state", "charged"} & over.json().keys()
    assert world.chain.earned == 10_000


async def test_a_filter_that_is_no_country_leaves_the_payment_unused(world: World) -> None:
    payment = await world.sign(path="/countries")
    wrong = await world.get_countries(payment, "?country=Atlantis")
    assert (wrong.status_code, wrong.json()["field"]) == (400, "country")
    assert world.facilitator.settled == []
    assert (await world.get_countries(payment)).status_code == 200


async def test_a_definite_refusal_is_502_and_the_same_payment_may_settle_later(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.fault = Fault.DECLINES
    refused = await world.get_countries(payment)
    assert (refused.status_code, refused.json()["code"]) == (502, "settlement_failed")
    assert refused.headers["retry-after"] == "2"
    assert (refused.json()["payment_state"], refused.json()["charged"]) == ("unused", False)
    assert refused.json()["retry_action"] == "retry_same_payment"
    world.facilitator.fault = None
    assert (await world.get_countries(payment)).status_code == 200
    assert world.chain.earned == 10_000


async def test_silence_is_503_and_never_called_a_failure(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.fault = Fault.IS_SILENT
    unknown = await world.get_countries(payment)
    assert (unknown.status_code, unknown.json()["code"]) == (503, "retry_same_payment")
    assert unknown.json()["payment_state"] == "in_flight"
    assert "charged" not in unknown.json()


async def test_a_settlement_whose_reply_was_lost_is_found_on_the_chain(world: World) -> None:
    world.facilitator.fault = Fault.LOSES_ITS_REPLY
    response = await world.get_countries(await world.sign(path="/countries"))
    assert response.status_code == 200
    assert from_header(response.headers["payment-response"])["state"] == "settled"


@pytest.mark.parametrize("fault", [None, Fault.LOSES_ITS_REPLY, Fault.DECLINES], ids=str)
async def test_the_list_waits_until_the_chain_proves_the_settlement(world: World, fault: Fault | None) -> None:
    payment = await world.sign(path="/countries")
    world.chain.is_shallow = True
    world.facilitator.fault = Fault.LOSES_ITS_REPLY
    assert (await world.get_countries(payment)).status_code == 503
    world.facilitator.fault = fault
    assert (await world.get_countries(payment)).status_code == 503
    world.chain.is_shallow = False
    assert (await world.get_countries(payment)).status_code == 200
    assert world.chain.earned == 10_000


async def test_an_authorization_that_ends_unsettled_wants_a_new_one(world: World) -> None:
    payment = await world.sign(path="/countries")
    world.facilitator.fault = Fault.IS_SILENT
    await world.get_countries(payment)
    world.pass_by(301)
    over = await world.get_countries(payment)
    assert (over.status_code, over.json()["code"]) == (402, "resign")
    assert world.chain.earned == 0


async def test_one_payment_buys_a_list_or_a_number_never_both(world: World) -> None:
    listed = await world.sign(path="/countries")
    await world.get_countries(listed)
    rented = await world.rent()
    for response in (await world.post_rent(listed), await world.get_countries(rented.payment)):
        assert (response.status_code, response.json()["code"]) == (409, "payment_bound_elsewhere")


async def test_a_price_of_the_other_route_is_refused(world: World) -> None:
    response = await world.get_countries(await world.sign())
    assert (response.status_code, response.json()["code"]) == (402, "wrong_amount")
    assert response.json()["accepts"][0]["maxAmountRequired"] == "10000"


async def test_a_bought_list_is_no_rental_to_anybody(world: World) -> None:
    payment = await world.sign(path="/countries")
    await world.get_countries(payment)
    (record,) = [key async for key in world.engine.redis.scan_iter("{s00}:rental:*")]
    rental_id = record.rpartition(":")[2]
    token = world.engine.deliver.token(await world.record(rental_id))
    assert (await world.http.get(f"/rentals/{rental_id}")).status_code == 404
    assert (await world.http.get(f"/sms/{rental_id}", params={"token": token})).status_code == 404
