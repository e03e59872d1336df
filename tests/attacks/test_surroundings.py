"""What stands around a request: hosts, other chains, false facilitators and callbacks, junk (A11 to A13, A16, A29)."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from phoneagent.bootstrap.engine import _client
from phoneagent.settings import Settings, SettingsError, read_settings
from tests.attacks.tools import changed, changing_nothing
from tests.waiting import within
from tests.web.harness import BODY, SIGNATURE, World, open_world
from tests.web.serving import served
from tests.x402.signing import from_header, to_header

LOCK = (Path(__file__).parents[2] / "requirements/runtime.lock").read_text()
ENVIRONMENT = {
    "REDIS_URL": "redis://127.0.0.1:1",
    "RPC_URL": "https://rpc.example",
    "PAY_TO": "0x" + "ee" * 20,
    "FACILITATOR_URL": "https://facilitator.example",
    "SMSFAST_API_KEY": "unused",
    "TOKEN_SECRET": "x" * 32,
    "PUBLIC_URL": "https://phoneagent.example",
}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"},
        {"Forwarded": "host=evil.example;proto=http"},
        {"X-Original-URL": "/countries", "X-Rewrite-URL": "/countries"},
    ],
    ids=lambda headers: next(iter(headers)),
)
async def test_a11_an_offer_names_our_public_address_whatever_the_request_says(
    world: World, headers: dict[str, str]
) -> None:
    plain = await world.http.post("/rent", json=BODY)
    told = await world.http.post("/rent", json=BODY, headers=headers)
    assert (told.status_code, told.text) == (402, plain.text)
    assert told.headers["payment-required"] == plain.headers["payment-required"]
    assert from_header(told.headers["payment-required"])["resource"]["url"] == "https://phoneagent.test/rent"


async def test_a11_no_answer_sends_a_client_somewhere_else(world: World) -> None:
    async with served(world.app) as server:
        for path in (b"/rent/", b"//evil.example/rent", b"/sms/r_1/?token=secret", b"/\\evil.example"):
            answer = await server.ask(b"GET " + path + b" HTTP/1.1\r\nhost: evil.example\r\n\r\n")
            assert (answer.status, "location" in answer.headers) == (404, False)
            assert b"evil.example" not in answer.body


def test_a11_starlette_is_newer_than_its_known_host_and_path_faults() -> None:
    found = re.search(r"^starlette==(\d+)\.(\d+)\.(\d+)", LOCK, re.MULTILINE)
    assert found is not None
    assert tuple(map(int, found.groups())) >= (1, 3, 1)


@pytest.mark.parametrize("network", ["solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana", "aptos:1", "eip155:1"])
async def test_a12_a_payment_on_any_chain_but_ours_is_never_judged(world: World, network: str) -> None:
    payment = changed(await world.sign(), "accepted", "network", to=network)
    async with changing_nothing(world):
        refused = await world.post_rent(payment)
    assert (refused.status_code, refused.json()["code"]) == (402, "unsupported_scheme")


def test_a12_the_official_sdk_and_its_faults_are_not_installed() -> None:
    assert not re.search(r"^(x402|solders|solana)\b", LOCK, re.MULTILINE)
    assert "--hash=sha256:" in LOCK


@pytest.mark.parametrize("name", ["FACILITATOR_URL", "RPC_URL", "SMSFAST_URL"])
@pytest.mark.parametrize("url", ["http://facilitator.example", "http://9.9.9.9:8080", "http://[2606:4700::1]"])
def test_a13_whom_we_believe_must_be_asked_over_https(monkeypatch: pytest.MonkeyPatch, name: str, url: str) -> None:
    _set(monkeypatch, {**ENVIRONMENT, name: url})
    with pytest.raises(SettingsError, match=f"{name.lower()}: must be https"):
        read_settings()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://facilitator:8080", "http://10.1.2.3", "https://a.example"]
)
def test_a13_on_ones_own_network_plain_http_will_do(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    _set(monkeypatch, {**ENVIRONMENT, "FACILITATOR_URL": url})
    assert isinstance(read_settings(), Settings)


@pytest.mark.parametrize("proxies", ["everybody", "10.0.0.0/8, example.com", "10.0.0.1/8"])
def test_a22_a_trusted_proxy_that_is_no_network_stops_the_start(monkeypatch: pytest.MonkeyPatch, proxies: str) -> None:
    _set(monkeypatch, {**ENVIRONMENT, "TRUSTED_PROXIES": proxies})
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        read_settings()


def test_a22_by_default_no_proxy_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, ENVIRONMENT)
    assert read_settings().proxy_networks == ()


def _set(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"PHONEAGENT_{name}", value)


async def test_a13_a_redirect_of_a_facilitator_is_not_followed() -> None:
    visited = []

    async def verify(_request: Request) -> Response:
        return RedirectResponse("/elsewhere")

    async def elsewhere(_request: Request) -> Response:
        visited.append("elsewhere")
        return Response("{}")

    app = Starlette(routes=[Route("/verify", verify), Route("/elsewhere", elsewhere)])
    async with served(app) as server, contextlib.AsyncExitStack() as stack:
        client = await _client(stack)
        answer = await client.get(f"http://127.0.0.1:{server.port}/verify")
    assert (answer.status_code, visited) == (307, [])
    assert client.trust_env is False


async def test_a16_junk_never_reaches_the_facilitator_and_unsigned_junk_not_even_the_chain_twice(world: World) -> None:
    good = await world.sign()
    found = from_header(good)
    forged = [changed(good, "payload", "signature", to="0x" + f"{number:02x}" * 64 + "1b") for number in range(30)]
    unreadable = ["", "?", "e30=", to_header({}), to_header({**found, "payload": {}})]
    stranger = [await world.sign(key="0x" + f"{number:02x}" * 32) for number in range(3, 13)]
    await world.limit(unproven_per_minute=5)
    async with changing_nothing(world):
        for payment in [*forged, *unreadable, *stranger]:
            assert (await world.http.post("/rent", json=BODY, headers={SIGNATURE: payment})).status_code in {
                400,
                402,
                429,
            }
    assert world.chain.readings <= 5 + len(stranger)
    assert (await world.post_rent(good)).status_code == 200


async def test_a16_a_flood_of_the_facilitator_through_us_needs_money_for_every_call(world: World) -> None:
    answers = [await world.post_rent(await world.sign()) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 7
    assert len(world.facilitator.verified) == 5


async def test_a29_a_forged_callback_sells_no_code_and_takes_no_money(redis_url: str) -> None:
    secret = "a secret part of an address, of tests"
    forged = json.dumps({"activationId": "a1", "text": "Your code is 4711", "code": "4711"}).encode()
    async with open_world(redis_url, smsfast_hook_secret=SecretStr(secret)) as world:
        rented = await world.rent()
        world.http.event_hooks = {"request": [], "response": []}  # a callback is no operation of the document
        answers = [
            (await within(world.http.post(f"/hooks/smsfast/{guess}", content=forged))).status_code
            for guess in (secret, secret[:-1], "")
        ]
        await world.work()

        assert answers == [200, 404, 404]
        assert (await world.record(rented.id)).messages == ()
        assert world.facilitator.settled == []
