"""GET /services: what can be sold and for how much, free, before anybody pays."""

import pytest

from phoneagent.core.catalog import COUNTRIES, SERVICES
from tests.web.harness import BODY, World


async def test_everything_that_can_be_sold_is_shown_with_its_price(world: World) -> None:
    shown = (await world.http.get("/services")).json()
    services = {row["code"]: row for row in shown["services"]}
    assert list(services) == list(SERVICES)
    assert [row["code"] for row in shown["countries"]] == list(COUNTRIES)
    assert (services["tg"]["name"], services["tg"]["mode"], services["tg"]["price_usdc"]) == (
        *("Telegram", "activate_premium", 2),
    )
    assert (services["go"]["mode"], services["go"]["price_usdc"]) == ("activate", 1)
    assert {"code": "US", "alpha3": "USA", "name": "United States"} in shown["countries"]
    assert shown["skus"] == [{"mode": "activate", "price_usdc": 1}, {"mode": "activate_premium", "price_usdc": 2}]
    assert shown["duration_minutes"] == {"min": 1, "max": 20}
    assert "Only when an SMS arrives" in shown["charged"]


@pytest.mark.parametrize("code", list(SERVICES))
async def test_a_shown_price_is_the_price_that_is_asked(world: World, code: str) -> None:
    shown = (await world.http.get("/services")).json()["services"]
    price = next(row["price_usdc"] for row in shown if row["code"] == code)
    await world.restock({("US", code): 3})
    offer = await world.offer({**BODY, "service": code}, version=1)
    assert offer["accepts"][0]["maxAmountRequired"] == str(price * 1_000_000)


async def test_stock_is_not_shown_and_does_not_change_the_answer(world: World) -> None:
    before = await world.http.get("/services")
    await world.restock({("DE", "wa"): 77_777})
    after = await world.http.get("/services")
    assert before.content == after.content
    assert "pool" not in before.text


async def test_the_answer_needs_no_store_and_may_be_kept(world: World) -> None:
    await world.lose_store()
    response = await world.http.get("/services")
    head = await world.http.head("/services")
    assert (response.status_code, head.status_code) == (200, 200)
    assert response.headers["cache-control"] == "public, max-age=300"


async def test_looking_does_not_use_up_what_payments_need(world: World) -> None:
    payment = await world.sign()
    await world.limit(requests_burst=1)
    assert [(await world.http.get("/services")).status_code for _ in range(20)] == [200] * 20
    assert (await world.post_rent(payment)).status_code == 200
