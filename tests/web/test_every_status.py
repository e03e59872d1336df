"""Every status the document promises, brought about once: a status without a story here is not documented, or not true.

That no other status is ever answered, the harness sees to: it holds every answer of every test against the document.
"""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from phoneagent.core.rental import RETENTION_MS, Job
from phoneagent.web import GateLimits
from phoneagent.web.openapi import example_document
from tests.web.fakes import Fault
from tests.web.harness import BODY, PAYER_KEY, Rented, World, address
from tests.web.serving import served

Story = Callable[[World], Awaitable[httpx.Response]]
Call = Callable[[World, str], Awaitable[httpx.Response]]

STORIES: dict[tuple[str, str], Story] = {}


def story(operation: str, status: int) -> Callable[[Story], Story]:
    """File a story under what it leads to."""

    def file(told: Story) -> Story:
        STORIES[operation, str(status)] = told
        return told

    return file


async def _rent(world: World, payment: str) -> httpx.Response:
    return await world.post_rent(payment)


async def _list(world: World, payment: str) -> httpx.Response:
    return await world.get_countries(payment)


async def _poor(world: World) -> None:
    world.chain.balances[address(PAYER_KEY)] = 1_000_000
    await world.rent()


async def _blocked(world: World) -> None:
    rented = await world.rent()
    world.chain.cancel(await world.payment_of(rented))
    await world.sms_arrives(rented)
    await world.work(Job.SETTLE)


async def _broken(world: World) -> None:
    world.chain.is_broken = True


async def _chain_down(world: World) -> None:
    world.chain.is_down = True


async def _nothing(_world: World) -> None:
    return None


def _paid(operation: str, status: int, before: Callable[[World], Awaitable[None]], *, path: str, call: Call) -> None:
    async def told(world: World) -> httpx.Response:
        payment = await world.sign(path=path)
        await before(world)
        return await call(world, payment)

    STORIES[operation, str(status)] = told


for _operation, _path, _call in (("rentNumber", "/rent", _rent), ("listCountries", "/countries", _list)):
    for _status, _before in {200: _nothing, 403: _blocked, 429: _poor, 500: _broken, 503: _chain_down}.items():
        _paid(_operation, _status, _before, path=_path, call=_call)


@story("rentNumber", 400)
async def _wrong_body(world: World) -> httpx.Response:
    return await world.post_rent(None, {})


@story("rentNumber", 402)
async def _unpaid(world: World) -> httpx.Response:
    return await world.http.post("/rent")


@story("rentNumber", 409)
async def _other_body(world: World) -> httpx.Response:
    return await world.post_rent((await world.rent()).payment, {**BODY, "duration_minutes": 1})


@story("rentNumber", 413)
async def _long_body(world: World) -> httpx.Response:
    return await world.http.post("/rent", content=b" " * 16_385)


@story("listCountries", 400)
async def _no_country(world: World) -> httpx.Response:
    return await world.http.get("/countries?country=XX")


@story("listCountries", 402)
async def _unpaid_list(world: World) -> httpx.Response:
    return await world.http.get("/countries")


@story("listCountries", 409)
async def _rented_already(world: World) -> httpx.Response:
    return await world.get_countries((await world.rent()).payment)


@story("listCountries", 502)
async def _declined(world: World) -> httpx.Response:
    payment = await world.sign(path="/countries")
    world.facilitator.fault = Fault.DECLINES
    return await world.get_countries(payment)


async def _rented_and_spoilt(world: World) -> Rented:
    rented = await world.rent()
    await world.spoil(rented)
    return rented


async def _rented_and_away(world: World) -> Rented:
    rented = await world.rent()
    await world.lose_store()
    return rented


@story("getSms", 200)
async def _sms(world: World) -> httpx.Response:
    return await world.get_sms(await world.settled())


@story("getSms", 400)
async def _no_token(world: World) -> httpx.Response:
    return await world.http.get("/sms/r_1")


@story("getSms", 404)
async def _no_rental(world: World) -> httpx.Response:
    return await world.http.get("/sms/r_1?token=t")


@story("getSms", 410)
async def _forgotten(world: World) -> httpx.Response:
    rented = await world.settled()
    world.pass_by(RETENTION_MS / 1000)
    await world.work()
    return await world.get_sms(rented)


@story("getSms", 500)
async def _spoilt_sms(world: World) -> httpx.Response:
    return await world.get_sms(await _rented_and_spoilt(world))


@story("getSms", 503)
async def _sms_without_store(world: World) -> httpx.Response:
    return await world.get_sms(await _rented_and_away(world))


@story("getRentalStatus", 200)
async def _shown_status(world: World) -> httpx.Response:
    return await world.http.get(f"/rentals/{(await world.rent()).id}")


@story("getRentalStatus", 404)
async def _no_status(world: World) -> httpx.Response:
    return await world.http.get("/rentals/r_1")


@story("getRentalStatus", 500)
async def _spoilt_status(world: World) -> httpx.Response:
    return await world.http.get(f"/rentals/{(await _rented_and_spoilt(world)).id}")


@story("getRentalStatus", 503)
async def _status_without_store(world: World) -> httpx.Response:
    return await world.http.get(f"/rentals/{(await _rented_and_away(world)).id}")


@story("cancelRental", 200)
async def _cancelled(world: World) -> httpx.Response:
    return await world.cancel(await world.rent())


@story("cancelRental", 400)
async def _cancelled_without_token(world: World) -> httpx.Response:
    return await world.http.post("/rentals/r_1/cancel")


@story("cancelRental", 404)
async def _cancelled_nothing(world: World) -> httpx.Response:
    return await world.http.post("/rentals/r_1/cancel?token=t")


@story("cancelRental", 409)
async def _cancelled_too_late(world: World) -> httpx.Response:
    return await world.cancel(await world.settled())


@story("cancelRental", 500)
async def _cancelled_spoilt(world: World) -> httpx.Response:
    return await world.cancel(await _rented_and_spoilt(world))


@story("cancelRental", 503)
async def _cancelled_without_store(world: World) -> httpx.Response:
    return await world.cancel(await _rented_and_away(world))


@story("getHealth", 200)
async def _alive(world: World) -> httpx.Response:
    return await world.http.get("/healthz")


@story("getReadiness", 200)
async def _ready(world: World) -> httpx.Response:
    return await world.http.get("/readyz")


@story("getReadiness", 503)
async def _not_ready(world: World) -> httpx.Response:
    await world.lose_store()
    return await world.http.get("/readyz")


@story("getOpenApi", 200)
async def _document(world: World) -> httpx.Response:
    return await world.http.get("/openapi.json")


@story("getOpenApi", 503)
async def _document_too_late(world: World) -> httpx.Response:
    world.engine.stop_waiting()
    return await world.http.get("/openapi.json")


@story("getOpenApi", 429)
async def _document_too_often(world: World) -> httpx.Response:
    await world.limit(free_requests_burst=1)
    await world.http.get("/openapi.json")
    return await world.http.get("/openapi.json")


@story("listServices", 200)
async def _showcase(world: World) -> httpx.Response:
    return await world.http.get("/services")


@story("listServices", 503)
async def _showcase_too_late(world: World) -> httpx.Response:
    world.engine.stop_waiting()
    return await world.http.get("/services")


@story("listServices", 429)
async def _showcase_too_often(world: World) -> httpx.Response:
    await world.limit(free_requests_burst=1)
    await world.http.get("/services")
    return await world.http.get("/services")


def _asked_twice(operation: str, method: str, path: str) -> None:
    async def told(world: World) -> httpx.Response:
        await world.limit(requests_burst=1)
        await world.http.request(method, path)
        return await world.http.request(method, path)

    STORIES[operation, "429"] = told


def _sent_badly(operation: str, method: str, path: str) -> None:
    """What the gate answers before the application is asked: to a head too large, and to one that never ends."""
    head = f"{method} {path} HTTP/1.1\r\nx: ".encode()

    async def too_large(world: World) -> httpx.Response:
        return await _raw(world, method, path, head + b"A" * 20_000)

    async def too_slow(world: World) -> httpx.Response:
        return await _raw(world, method, path, head)

    STORIES[operation, "431"] = too_large
    STORIES[operation, "408"] = too_slow


async def _raw(world: World, method: str, path: str, sent: bytes) -> httpx.Response:
    async with served(world.app, GateLimits(head_s=0.05)) as server:
        answer = await server.ask(sent)
    request = httpx.Request(method, f"http://elsewhere.test{path}")
    response = httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)
    world.contract.judge_read(response)
    return response


for _operation, _method, _path in (
    ("getSms", "GET", "/sms/r_1?token=t"),
    ("getRentalStatus", "GET", "/rentals/r_1"),
    ("cancelRental", "POST", "/rentals/r_1/cancel?token=t"),
    ("getReadiness", "GET", "/readyz"),
):
    _asked_twice(_operation, _method, _path)
    _sent_badly(_operation, _method, _path)

for _operation, _method, _path in (
    ("rentNumber", "POST", "/rent"),
    ("listCountries", "GET", "/countries"),
    ("listServices", "GET", "/services"),
    ("getHealth", "GET", "/healthz"),
    ("getOpenApi", "GET", "/openapi.json"),
):
    _sent_badly(_operation, _method, _path)


PROMISED = [
    (operation["operationId"], status)
    for methods in example_document()["paths"].values()
    for operation in methods.values()
    for status in operation["responses"]
]


FREE_DOCUMENTS = {("getOpenApi", "200"), ("listServices", "200")}
"""The same for everybody and for a while: the only answers that anybody may keep."""


@pytest.mark.parametrize(("operation", "status"), PROMISED)
async def test_a_documented_status_can_be_had(world: World, operation: str, status: str) -> None:
    response = await STORIES[operation, status](world)
    assert str(response.status_code) == status
    assert response.headers.get_list("access-control-allow-origin") == ["*"]
    assert len(response.headers.get_list("access-control-expose-headers")) == 1
    kept = "public, max-age=300" if (operation, status) in FREE_DOCUMENTS else "no-store"
    assert response.headers["cache-control"].removesuffix(", private") == kept


def test_every_story_is_documented() -> None:
    assert set(STORIES) == set(PROMISED)
