"""A price that has changed is good for ten minutes more, in both versions (docs/decisions/0008)."""

import json

import pytest

from phoneagent.core.catalog import PRICE_GRACE_MS, Mode
from tests.prices import change_price
from tests.web.harness import BODY, STOCK, World
from tests.x402.signing import from_header

OLD, NEW = 1_000_000, 1_500_000
GRACE_S = PRICE_GRACE_MS // 1000


@pytest.fixture
async def dearer(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The service as a release comes that asks more; what was published before keeps its price."""
    change_price(monkeypatch, Mode.ACTIVATE, NEW)
    return world


async def _minutes_later(world: World, minutes: int) -> None:
    for _ in range(minutes):
        world.pass_by(60)
        await world.restock(STOCK)


@pytest.mark.parametrize("version", [1, 2])
async def test_a_payment_of_the_old_price_is_good_within_ten_minutes(dearer: World, version: int) -> None:
    payment = await dearer.sign(version=version, validBefore=str(dearer.now_s + GRACE_S + 1800))
    await _minutes_later(dearer, GRACE_S // 60)
    response = await dearer.post_rent(payment)
    assert response.status_code == 200
    sent = json.loads(dearer.facilitator.verified[-1].requirements)
    assert sent["maxAmountRequired" if version == 1 else "amount"] == str(OLD)
    assert from_header(response.headers["x-payment-response"])["amount"] == str(OLD)


@pytest.mark.parametrize("version", [1, 2])
async def test_ten_minutes_after_the_change_the_new_price_is_asked(dearer: World, version: int) -> None:
    payment = await dearer.sign(version=version, validBefore=str(dearer.now_s + GRACE_S + 1800))
    await _minutes_later(dearer, 1 + GRACE_S // 60)
    dearer.pass_by(1)
    response = await dearer.post_rent(payment)
    assert (response.status_code, response.json()["code"]) == (402, "wrong_amount")
    assert response.json()["accepts"][0]["maxAmountRequired"] == str(NEW)
    assert from_header(response.headers["payment-required"])["accepts"][0]["amount"] == str(NEW)


@pytest.mark.parametrize("version", [1, 2])
async def test_the_new_price_is_offered_and_taken_at_once(dearer: World, version: int) -> None:
    await _minutes_later(dearer, 1)
    offer = await dearer.offer(BODY, version=version)
    assert offer["accepts"][0]["maxAmountRequired" if version == 1 else "amount"] == str(NEW)
    assert (await dearer.post_rent(await dearer.sign(version=version))).status_code == 200


async def test_the_old_price_is_what_is_settled(dearer: World) -> None:
    payment = await dearer.sign()
    await _minutes_later(dearer, 1)
    first = await dearer.post_rent(payment)
    assert (await dearer.record(first.json()["rental_id"])).price_atomic == OLD


async def test_no_other_sum_is_taken_meanwhile(dearer: World) -> None:
    await _minutes_later(dearer, 1)
    for value in (OLD - 1, OLD + 1, NEW + 1, OLD + NEW):
        response = await dearer.post_rent(await dearer.sign(version=1, value=str(value)))
        assert (response.status_code, response.json()["code"]) == (402, "wrong_amount")


async def _published_elsewhere(world: World) -> None:
    """Another process publishes the new price; this one misses the wake-up."""
    world.pass_by(60)
    await world.engine.catalogues.publish(STOCK)


async def test_a_process_that_has_not_heard_of_the_new_price_looks_before_it_refuses(dearer: World) -> None:
    await _published_elsewhere(dearer)
    assert (await dearer.post_rent(await dearer.sign(version=1, value=str(NEW)))).status_code == 200


async def test_a_refusal_names_the_price_that_was_found(dearer: World) -> None:
    await _published_elsewhere(dearer)
    response = await dearer.post_rent(await dearer.sign(version=1, value="7"))
    assert (response.status_code, response.json()["code"]) == (402, "wrong_amount")
    assert response.json()["accepts"][0]["maxAmountRequired"] == str(NEW)
