"""What clients are told while something is away: 503, when to come back, and the same payment works then."""

from enum import StrEnum

import httpx
import pytest

from tests.web.harness import World, open_world


class Part(StrEnum):
    """What can be away, named by the code that says so."""

    FACILITATOR = "facilitator_unavailable"
    CHAIN = "chain_unavailable"
    STORE = "store_unavailable"


async def _take_away(world: World, part: Part) -> None:
    world.facilitator.is_down = part is Part.FACILITATOR
    world.chain.is_down = part is Part.CHAIN
    if part is Part.STORE:
        await world.lose_store()


async def _bring_back(world: World) -> None:
    world.facilitator.is_down = world.chain.is_down = False
    await world.find_store()


def _check(response: httpx.Response, code: str) -> None:
    body = response.json()
    assert (response.status_code, body["code"], body["retry_action"]) == (503, code, "retry_same_payment")
    assert int(response.headers["retry-after"]) == body["retry_after_seconds"] > 0
    assert body["retryable"] is True
    assert "charged" not in body  # not certain while something is away


@pytest.mark.parametrize("part", Part)
async def test_a_rental_is_put_off_and_the_same_payment_gets_it_later(world: World, part: Part) -> None:
    payment = await world.sign()
    await _take_away(world, part)
    _check(await world.post_rent(payment), part)
    _check(await world.post_rent(payment), part)
    await _bring_back(world)
    assert (await world.post_rent(payment)).status_code == 200
    assert len(world.provider.bought) == 1


@pytest.mark.parametrize("part", Part)
async def test_the_list_is_put_off_and_the_same_payment_buys_it_later(world: World, part: Part) -> None:
    payment = await world.sign(path="/countries")
    await _take_away(world, part)
    _check(await world.get_countries(payment), part)
    await _bring_back(world)
    assert (await world.get_countries(payment)).status_code == 200
    assert world.chain.earned == 10_000


async def test_nothing_can_be_read_or_cancelled_while_the_store_is_away(world: World) -> None:
    rented = await world.rent()
    await world.lose_store()
    answers = [
        await world.get_sms(rented),
        await world.get_sms(rented, wait=25),
        await world.cancel(rented),
        await world.http.get(f"/rentals/{rented.id}"),
    ]
    for answer in answers:
        _check(answer, "store_unavailable")


async def test_before_the_first_catalogue_a_request_is_put_off_but_the_price_is_known(redis_url: str) -> None:
    async with open_world(redis_url, stock={}) as world:
        asked = await world.post_rent(None)
        bare = await world.http.post("/rent")
    assert (asked.status_code, asked.json()["code"]) == (503, "provider_unavailable")
    assert bare.status_code == 402
