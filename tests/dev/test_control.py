"""The control API that all development parts share, on the smallest part there can be."""

import json
import random
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from phoneagent.dev.control import ControlGuard, Faults, SmsFate, SmsOrder, control_routes, stay_silent
from tests.dev.simulators.serving import START_MS, SteppedClock

ORIGIN = "http://127.0.0.1:7000"


@pytest.fixture
def faults() -> Faults:
    return Faults(
        {"buy": frozenset({"timeout", "no_numbers"}), "read": frozenset({"timeout"})}, {"purchase": frozenset({"buy"})}
    )


class Part:
    """A part with one number, and the client of its control API."""

    def __init__(self, faults: Faults) -> None:
        self.orders: list[SmsOrder] = []
        routes = control_routes(faults=faults, state=self._state, clock=SteppedClock(), sms=self._sms)
        home = Route("/", self._home)
        self.app: ASGIApp = Starlette(routes=[home, *routes], middleware=[Middleware(ControlGuard)])

    @staticmethod
    async def _state() -> dict[str, Any]:
        return {"numbers": ["1"]}

    @staticmethod
    def _home(_request: Request) -> Response:
        return PlainTextResponse("home")

    async def _sms(self, order: SmsOrder) -> SmsFate:
        self.orders.append(order)
        return SmsFate.DELIVERED if order.number == "1" else SmsFate.UNKNOWN_NUMBER


@pytest.fixture
def part(faults: Faults) -> Part:
    return Part(faults)


Headers = dict[str, str] | list[tuple[str, str]]


async def call(
    app: ASGIApp, method: str, path: str, *, headers: Headers | None = None, content: bytes = b""
) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as client:
        return await client.request(method, path, headers=headers, content=content)


async def post(part: Part, name: str, **order: object) -> httpx.Response:
    return await call(part.app, "POST", f"/_sim/{name}", content=json.dumps(order).encode())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:7000", "localhost:80", "LOCALHOST", "[::1]:7000", "[::1]"])
async def test_a_loopback_name_may_give_orders(part: Part, host: str) -> None:
    assert (await call(part.app, "GET", "/_sim/state", headers={"host": host})).json() == {"numbers": ["1"]}


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "127.0.0.1:7000:7000"},
        {"host": ""},
        {"host": "192.168.0.1"},
        {"origin": ORIGIN},
        {"origin": "null"},
    ],
)
async def test_another_name_or_a_web_page_may_not(part: Part, headers: dict[str, str]) -> None:
    assert (await call(part.app, "GET", "/_sim/state", headers=headers)).status_code == 403
    assert (await call(part.app, "POST", "/_sim/nothing", headers=headers)).status_code == 403


async def test_two_host_headers_are_one_too_many(part: Part) -> None:
    headers = [("host", "127.0.0.1"), ("host", "localhost")]

    assert (await call(part.app, "GET", "/_sim/state", headers=headers)).status_code == 403


async def test_the_guard_holds_for_a_mounted_part(part: Part) -> None:
    mounted = Starlette(routes=[Mount("/part", app=part.app)])

    assert (await call(mounted, "GET", "/part/_sim/state")).status_code == 200
    assert (await call(mounted, "GET", "/part/_sim/state", headers={"origin": ORIGIN})).status_code == 403


async def test_the_guard_leaves_other_paths_alone(part: Part) -> None:
    assert (await call(part.app, "GET", "/", headers={"host": "any.example", "origin": ORIGIN})).text == "home"


async def test_the_clock_moves_and_tells_the_time_in_seconds_and_ms(part: Part) -> None:
    assert (await post(part, "clock", advance_s=1.5)).json() == {"now": START_MS // 1000 + 1, "now_ms": START_MS + 1500}


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("clock", {}),
        ("clock", {"advance_s": -1}),
        ("clock", {"advance_s": "1"}),
        ("clock", {"advance_s": True}),
        ("clock", {"advance_s": 10**400}),
        ("fault", {}),
        ("fault", {"action": "buy"}),
        ("fault", {"action": "buy", "kind": 1}),
        ("fault", {"action": "sell", "kind": "timeout"}),
        ("fault", {"action": "buy", "kind": "nonsense"}),
        ("fault", {"action": "read", "kind": "no_numbers"}),
        ("fault", {"action": "buy", "kind": "timeout", "times": 0}),
        ("fault", {"action": "buy", "kind": "timeout", "times": 1.5}),
        ("fault", {"action": "buy", "kind": "timeout", "times": True}),
        ("fault", {"action": "buy", "kind": "timeout", "rate": 2}),
        ("fault", {"action": "buy", "kind": "timeout", "rate": 0}),
        ("fault", {"action": "buy", "kind": "timeout", "times": 1, "rate": 0.5}),
        ("fault", {"action": "buy", "kind": "timeout", "delay_s": 1e9}),
        ("sms", {"text": "1234"}),
        ("sms", {"number": "1", "activation_id": "1", "text": "1234"}),
        ("sms", {"number": "1"}),
        ("sms", {"number": "1", "text": 1234}),
        ("sms", {"number": "1", "text": "1234", "delay_s": -1}),
        ("sms", {"number": "1", "text": "\ud800"}),
    ],
)
async def test_an_order_that_makes_no_sense_is_400(
    part: Part, faults: Faults, name: str, order: dict[str, Any]
) -> None:
    answer = await post(part, name, **order)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert faults.left() == []
    assert part.orders == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"clear"', b"[" * 100_000, b'{"advance_s": NaN}'])
async def test_a_body_that_is_no_json_object_of_numbers_is_400(part: Part, body: bytes) -> None:
    assert (await call(part.app, "POST", "/_sim/clock", content=body)).status_code == 400


async def test_an_sms_reaches_the_part_as_ordered(part: Part) -> None:
    answer = await post(part, "sms", number=1, sender="Google", text="1234", code=None, delay_s=2)

    assert answer.json() == {"fate": "delivered"}
    assert part.orders == [SmsOrder("1", None, "Google", "1234", None, 2)]
    assert (await post(part, "sms", number="2", text="1234")).status_code == 404


async def test_a_fault_is_armed_told_and_cleared(part: Part, faults: Faults) -> None:
    await post(part, "fault", action="buy", kind="timeout", times=3, delay_s=1)
    answer = await post(part, "fault", action="purchase", kind="no_numbers", rate=0.5)

    assert answer.json() == {
        "faults": [
            {"action": "buy", "kind": "timeout", "left": 3},
            {"action": "purchase", "kind": "no_numbers", "left": None},
        ]
    }
    assert (await post(part, "fault", clear=True)).json() == {"faults": []}
    assert faults.left() == []


def test_a_fault_strikes_as_often_as_was_asked(faults: Faults) -> None:
    faults.set("buy", "timeout", times=2, delay_s=1.5)

    struck = [faults.take("buy"), faults.take("read"), faults.take("buy"), faults.take("buy")]

    assert [fault and (fault.kind, fault.delay_s) for fault in struck] == [
        ("timeout", 1.5),
        None,
        ("timeout", 1.5),
        None,
    ]


@pytest.mark.parametrize("delay_s", [-1, 121, float("nan"), float("inf")])
def test_a_fault_is_not_delayed_for_longer_than_a_silence(faults: Faults, delay_s: float) -> None:
    with pytest.raises(ValueError, match="delay_s"):
        faults.set("buy", "timeout", delay_s=delay_s)


def test_faults_strike_in_the_order_in_which_they_were_set(faults: Faults) -> None:
    faults.set("buy", "timeout")
    faults.set("buy", "no_numbers")

    assert [fault.kind for fault in (faults.take("buy"), faults.take("buy")) if fault] == ["timeout", "no_numbers"]


def test_a_fault_set_again_replaces_the_first(faults: Faults) -> None:
    faults.set("buy", "timeout", times=9)
    faults.set("buy", "timeout", times=1)

    assert faults.left() == [{"action": "buy", "kind": "timeout", "left": 1}]


def test_a_fault_on_any_action_strikes_only_those_that_know_its_kind(faults: Faults) -> None:
    faults.set("*", "no_numbers", times=2)

    assert faults.take("read") is None
    assert faults.take("elsewhere") is None
    assert faults.take("buy") is not None


def test_a_rate_strikes_some_calls_and_the_same_ones_with_the_same_seed() -> None:
    def strikes() -> list[bool]:
        faults = Faults({"buy": frozenset({"timeout"})}, rng=random.Random(7))  # noqa: S311 -- a seed is the point
        faults.set("buy", "timeout", rate=0.3)
        return [faults.take("buy") is not None for _ in range(200)]

    assert strikes() == strikes()
    assert 30 < sum(strikes()) < 90


async def test_silence_ends_by_itself_in_the_end() -> None:
    async def silent(request: Request) -> Response:
        return await stay_silent(request, 0.01)

    app = Starlette(routes=[Route("/", silent)])

    assert (await call(app, "GET", "/")).status_code == 504
