"""Pages of any origin may pay and read (Fetch, "CORS protocol"); nothing of theirs is sent along unasked."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from phoneagent.bootstrap import web_app
from tests.web.harness import BODY, SIGNATURE, World
from tests.web.serving import served

ORIGIN = {"Origin": "https://shop.example"}
PAID = "payment-signature, x-payment, access-control-expose-headers, content-type, idempotency-key, authorization"


def _words(value: str) -> set[str]:
    return {word.strip().lower() for word in value.split(",")}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/rent"), ("GET", "/countries"), ("GET", "/sms/r_1"), ("POST", "/rentals/r_1/cancel"), ("GET", "/no")],
)
async def test_a_preflight_allows_what_a_paying_page_sends(world: World, method: str, path: str) -> None:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": PAID}
    response = await world.http.options(path, headers={**ORIGIN, **asked})
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert method.lower() in _words(response.headers["access-control-allow-methods"])
    assert _words(PAID) | {"*"} <= _words(response.headers["access-control-allow-headers"])
    assert int(response.headers["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in response.headers


async def test_a_preflight_needs_no_store_and_is_answered_while_the_process_stops(world: World) -> None:
    await world.lose_store()
    world.engine.stop_waiting()
    response = await world.http.options("/rent", headers={**ORIGIN, "Access-Control-Request-Method": "POST"})
    assert response.status_code == 204


async def test_a_preflight_on_the_wire_has_no_body_and_leaves_the_connection_open(world: World) -> None:
    preflight = b"OPTIONS /rent HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: POST"
    async with served(world.app) as server, server.connection() as wire:
        await wire.send(preflight + b"\r\n\r\n")
        async with asyncio.timeout(5):
            head = await wire.reader.readuntil(b"\r\n\r\n")
        await wire.send(b"POST /rent HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await wire.answer()
    assert head.startswith(b"HTTP/1.1 204")
    assert b"content-length" not in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (402, "*")


async def test_options_that_is_no_preflight_is_not_allowed(world: World) -> None:
    response = await world.http.options("/rent")
    assert (response.status_code, response.json()["code"]) == (405, "not_allowed")


async def test_a_page_reads_offers_receipts_and_when_to_come_again(world: World) -> None:
    payment = await world.sign()
    answers = [
        await world.http.post("/rent", headers=ORIGIN),
        await world.http.post("/rent", json=BODY, headers={**ORIGIN, SIGNATURE: payment}),
        await world.http.post("/rent", json={**BODY, "country": "DE"}, headers=ORIGIN),
        await world.http.get("/nowhere", headers=ORIGIN),
    ]
    assert [answer.status_code for answer in answers] == [402, 200, 503, 404]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert _words(answer.headers["access-control-expose-headers"]) == {
            *["payment-required", "x-payment-required", "payment-response", "x-payment-response", "retry-after"],
        }
        assert "access-control-allow-credentials" not in answer.headers


async def test_what_a_composition_adds_stays_closed_to_pages(world: World) -> None:
    app = web_app(world.engine, [Route("/_sim/clock", _told, methods=["POST"])])
    async with served(app) as server:
        told = await server.ask(b"POST /_sim/clock HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n\r\n")
        asked = b"OPTIONS /_sim/clock HTTP/1.1\r\nHost: x\r\nAccess-Control-Request-Method: POST\r\n\r\n"
        preflight = await server.ask(asked)
    assert (told.status, preflight.status) == (200, 405)
    assert "access-control-allow-origin" not in {*told.headers, *preflight.headers}


async def _told(_request: object) -> PlainTextResponse:
    return PlainTextResponse("told")
