"""What a facilitator says it can do. Bodies: x402.md §2 and §2.1."""

from __future__ import annotations

import json

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from phoneagent.core.errors import Unavailable
from phoneagent.dev.facilitator import facilitator_app
from phoneagent.facilitators import HttpFacilitator
from phoneagent.facilitators.exchange import NoAnswer, Reply
from phoneagent.facilitators.supported import support_in
from phoneagent.x402 import BASE
from tests.facilitators.meddling import send_body
from tests.facilitators.serving import served, unused_url
from tests.facilitators.world import World
from tests.waiting import within


def kinds(*rows: object) -> Reply:
    return Reply(200, json.dumps({"kinds": rows, "extensions": [], "signers": {}}).encode())


def kind(version: object, network: object, scheme: object = "exact") -> dict[str, object]:
    return {"x402Version": version, "scheme": scheme, "network": network}


@pytest.mark.parametrize(
    ("rows", "lacking"),
    [
        ([kind(1, "base"), kind(2, "eip155:8453")], ()),
        ([kind(1, "base"), kind(2, "eip155:*")], ()),
        ([kind(2, "eip155:8453")], (1,)),
        ([kind(1, "base"), kind(2, "base")], (2,)),
        ([kind(1, "base-sepolia"), kind(2, "eip155:84532")], (1, 2)),
        ([kind(1, "base", "upto"), kind(2, "eip155:8453", "upto")], (1, 2)),
        ([kind("2", "eip155:8453"), kind(version=True, network="base"), kind(2, None), "exact", None], (1, 2)),
        ([], (1, 2)),
    ],
)
def test_the_versions_it_lacks_on_our_network_are_named(rows: list[object], lacking: tuple[int, ...]) -> None:
    assert support_in(kinds(*rows)).lacks(BASE) == lacking


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"{}"), (500, b'{"kinds":[]}'), (200, b"[]"), (200, b'{"kinds":{}}'), (200, b"<html>")]
)
def test_an_answer_without_kinds_is_none(status: int, body: bytes) -> None:
    with pytest.raises(NoAnswer):
        support_in(Reply(status, body))


async def test_our_own_shell_settles_both_versions(world: World) -> None:
    app = facilitator_app(await world.local(), BASE.usdc, clock=world.clock)
    async with served(app) as url:
        support = await within(HttpFacilitator(world.http, url).supported())

    assert support.lacks(BASE) == ()


async def test_one_that_is_away_or_talks_nonsense_is_unavailable() -> None:
    async with httpx.AsyncClient(trust_env=False) as http, served(nonsense) as url:
        for address in (unused_url(), url):
            with pytest.raises(Unavailable):
                await within(HttpFacilitator(http, address).supported())


async def nonsense(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send_body(send, 200, b"hello")
