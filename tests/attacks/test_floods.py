"""Too much, too large, too slow (A17 to A23): on real sockets against the whole service, which must go on serving."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest

from phoneagent.web import GateLimits
from phoneagent.web.body import MAX_BODY_BYTES
from tests.attacks.tools import changing_nothing
from tests.waiting import within
from tests.web.harness import BODY, OTHER_KEY, SIGNATURE, World, open_world
from tests.web.serving import Served, served
from tests.web.test_sms import begin_poll

GET_LIST = b"GET /countries HTTP/1.1\r\nhost: a\r\n"
POST_RENT = b"POST /rent HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"


@pytest.fixture
async def server(world: World) -> AsyncIterator[Served]:
    async with served(world.app, GateLimits(head_s=0.2, body_s=0.2, linger_s=0.2)) as server:
        yield server


async def _still_serves(server: Served) -> bool:
    return (await server.ask(GET_LIST + b"\r\n")).status == 402


@pytest.mark.parametrize("size", [16_400, 500_000, 20_000_000])
async def test_a17_a_payment_header_of_any_size_is_refused_before_it_is_kept(
    world: World, server: Served, size: int
) -> None:
    async with changing_nothing(world):
        answer = await server.ask(GET_LIST + b"x-payment: " + b"A" * size + b"\r\n\r\n")
    assert (answer.status, answer.json()["code"]) == (431, "header_too_large")
    assert await _still_serves(server)


async def test_a17_five_thousand_headers_are_too_many(server: Served) -> None:
    answer = await server.ask(GET_LIST + b"".join(b"x-%d: y\r\n" % number for number in range(5_000)) + b"\r\n")
    assert (answer.status, answer.json()["code"]) == (431, "header_too_large")


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 200_000_000])
async def test_a18_a_body_is_refused_when_it_passes_the_cap_and_not_when_it_has_arrived(
    world: World, server: Served, size: int
) -> None:
    async with changing_nothing(world):
        head = POST_RENT + b"content-length: %d\r\n\r\n" % size
        answer = await server.ask(head + b" " * (MAX_BODY_BYTES + 1))
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")


async def test_a18_a_body_that_does_not_say_its_length_is_counted_too(server: Served) -> None:
    chunk = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    answer = await server.ask(POST_RENT + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 5)
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")


BOMBS = {
    "deep array": b"[" * 12_000,
    "deep object": b'{"a":' * 2_400,
    "deep inside": b'{"country":' + b"[" * 8_000 + b"]" * 8_000 + b"}",
    "digits": b'{"duration_minutes":' + b"9" * 12_000 + b"}",
    "exponent": b'{"duration_minutes":1e999999999}',
    "strings without end": b'{"a":"' * 1_500,
    "NaN": b'{"duration_minutes":NaN}',
    "surrogate": b'{"country":"\\ud800"}',
    "not UTF-8": b'{"country":"\xff"}',
    "twice": b'{"country":"US","country":"GB"}',
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
async def test_a19_a_bomb_in_the_body_is_a_bad_request(world: World, server: Served, bomb: bytes) -> None:
    async with changing_nothing(world):
        answer = await server.ask(POST_RENT + b"content-length: %d\r\n\r\n" % len(bomb) + bomb)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_request")
    assert await _still_serves(server)


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
async def test_a19_a_bomb_in_the_payment_is_a_bad_request(world: World, server: Served, bomb: bytes) -> None:
    async with changing_nothing(world):
        answer = await server.ask(GET_LIST + b"x-payment: " + base64.b64encode(bomb)[:16_000] + b"\r\n\r\n")
    assert (answer.status, answer.json()["code"]) == (400, "invalid_payment")
    assert await _still_serves(server)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (GET_LIST + b"x-paym", 408),
        (POST_RENT + b"content-length: 60\r\n\r\n{", 408),
        (POST_RENT + b"transfer-encoding: chunked\r\n\r\n5\r\n{", 408),
    ],
    ids=["half a head", "half a body", "half a chunk"],
)
async def test_a20_a_request_that_dawdles_is_cut(world: World, server: Served, sent: bytes, status: int) -> None:
    async with changing_nothing(world):
        answer = await server.ask(sent)
    assert (answer.status, answer.headers["connection"]) == (status, "close")


async def test_a20_connections_that_say_nothing_are_closed(server: Served) -> None:
    async with server.connection() as silent, server.connection() as another:
        assert await silent.is_closed()
        assert await another.is_closed()


async def test_a20_a_long_poll_is_no_dawdler(world: World, server: Served) -> None:
    rented = await world.rent()
    async with server.connection() as wire:
        await wire.send(f"GET /sms/{rented.id}?token={rented.token}&wait=25 HTTP/1.1\r\nhost: a\r\n\r\n".encode())
        await world.waiting(1)
        with pytest.raises(TimeoutError):  # three times the limits of this server
            await within(wire.reader.read(1), 0.6)
        world.pass_by(25)
        assert (await wire.answer()).status == 200


async def test_a21_an_abandoned_poll_ends_with_its_connection(world: World, server: Served) -> None:
    rented = await world.rent()
    async with server.connection() as wire:
        await wire.send(f"GET /sms/{rented.id}?token={rented.token}&wait=25 HTTP/1.1\r\nhost: a\r\n\r\n".encode())
        await world.waiting(1)
    await world.waiting(0)


async def test_a21_polls_on_one_rental_and_from_one_address_are_capped(redis_url: str) -> None:
    async with open_world(redis_url) as world:
        rented, other = await world.rent(), await world.rent(key=OTHER_KEY)
        polls = [await begin_poll(world, rented) for _ in range(2)]
        assert (await world.get_sms(rented, 25)).json()["code"] == "too_many_waiters"
        polls.append(await begin_poll(world, other))
        world.engine.stop_waiting()
        assert {answer.status_code for answer in await within(asyncio.gather(*polls))} == {200}


async def test_a22_an_unpaid_flood_costs_neither_store_nor_outside_calls(world: World) -> None:
    before = await world.engine.redis.info("commandstats")
    for _ in range(100):
        assert (await world.http.post("/rent")).status_code == 402
        assert (await world.http.get("/countries")).status_code == 402
    after = await world.engine.redis.info("commandstats")
    ran = {name for name in after if after[name] != before.get(name)}
    assert ran <= {"cmdstat_info", "cmdstat_client|setinfo", "cmdstat_select"}
    assert world.chain.readings == 0


async def test_a22_the_flood_itself_has_a_rate(world: World) -> None:
    await world.limit(free_requests_per_s=1, free_requests_burst=3)
    assert [(await world.http.post("/rent")).status_code for _ in range(5)] == [402] * 3 + [429] * 2


async def test_a23_one_payer_can_hold_only_so_many_numbers(redis_url: str) -> None:
    async with open_world(redis_url, max_open_holds=3) as world:
        answers = [await world.post_rent(await world.sign()) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 3
        assert len(world.provider.bought) == 3


async def test_a23_renting_and_cancelling_all_day_is_no_way_round(redis_url: str) -> None:
    async with open_world(redis_url, max_claims_per_hour=3) as world:
        for _ in range(3):
            await world.cancel(await world.rent())
        over = await world.post_rent(await world.sign())
        assert (over.status_code, over.json()["code"]) == (429, "rate_limited")
        assert len(world.provider.bought) == 3


async def test_a23_without_stock_nothing_is_claimed_and_the_payment_stays_good(world: World) -> None:
    payment = await world.sign()
    await world.restock({("US", "go"): 0, ("GB", "go"): 5})
    async with changing_nothing(world):
        refused = await world.http.post("/rent", content=json.dumps(BODY), headers={SIGNATURE: payment})
    assert (refused.status_code, refused.json()["code"]) == (503, "no_inventory")
    assert int(refused.headers["retry-after"]) > 0
    await world.restock({("US", "go"): 5})
    assert (await world.post_rent(payment)).status_code == 200
