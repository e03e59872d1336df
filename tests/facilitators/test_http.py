"""The client of foreign facilitators: what it sends, and what it makes of one that is away."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import SettleClaimed, SettleUnknown, Verified
from phoneagent.facilitators import HttpFacilitator
from phoneagent.facilitators.http import request_body
from tests.facilitators.meddling import is_silent
from tests.facilitators.payments import signed
from tests.facilitators.serving import served, unused_url
from tests.waiting import within

HASH = "0x" + "ab" * 32


class Listener:
    """A facilitator that says yes to everything and keeps what it heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.app = Starlette(routes=[Route("/x402/{verb}", self.answer, methods=["POST"])])

    async def answer(self, request: Request) -> Response:
        self.heard.append((request.url.path, await request.body(), request.headers))
        return Response(json.dumps({"isValid": True, "success": True, "transaction": HASH}))


@pytest.mark.parametrize("version", [1, 2])
async def test_both_calls_carry_the_payments_bytes_unchanged(version: int) -> None:
    payment, listener = signed(version=version), Listener()
    async with httpx.AsyncClient(trust_env=False) as http, served(listener.app) as url:
        facilitator = HttpFacilitator(http, f"{url}/x402/")
        answers = (await within(facilitator.verify(payment)), await within(facilitator.settle(payment)))

    assert answers == (Verified(), SettleClaimed(HASH))
    assert [path for path, _, _ in listener.heard] == ["/x402/verify", "/x402/settle"]
    for _, body, _ in listener.heard:
        assert payment.payload in body
        assert payment.requirements in body
        assert json.loads(body) == {
            "x402Version": version,
            "paymentPayload": json.loads(payment.payload),
            "paymentRequirements": json.loads(payment.requirements),
        }


async def test_each_call_can_be_signed_for_its_own_url() -> None:
    listener = Listener()

    def auth(method: str, url: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {method} {url.rpartition('/')[2]}"}

    async with httpx.AsyncClient(trust_env=False) as http, served(listener.app) as url:
        facilitator = HttpFacilitator(http, f"{url}/x402", auth_headers=auth)
        await within(facilitator.verify(signed()))
        await within(facilitator.settle(signed()))

    assert [headers["authorization"] for _, _, headers in listener.heard] == [
        "Bearer POST verify",
        "Bearer POST settle",
    ]


async def test_a_facilitator_that_is_not_there_is_unavailable_for_verify_and_unknown_for_settle() -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        facilitator = HttpFacilitator(http, unused_url())
        with pytest.raises(Unavailable) as caught:
            await within(facilitator.verify(signed()))
        answer = await within(facilitator.settle(signed()))

    assert caught.value.code == "facilitator_unavailable"
    assert answer == SettleUnknown("ConnectError", was_asked=False)


async def test_a_silent_facilitator_is_unavailable_for_verify_and_unknown_for_settle() -> None:
    async with httpx.AsyncClient(trust_env=False) as http, served(silent) as url:
        facilitator = HttpFacilitator(http, url, verify_timeout_s=0.1, settle_timeout_s=0.1)
        with pytest.raises(Unavailable):
            await within(facilitator.verify(signed()))
        answer = await within(facilitator.settle(signed()))

    assert answer == SettleUnknown("timeout")


async def test_no_log_line_carries_a_signature_or_an_authorization(caplog: pytest.LogCaptureFixture) -> None:
    payment = signed()
    caplog.set_level(logging.DEBUG, logger="phoneagent")
    async with httpx.AsyncClient(trust_env=False) as http:
        await within(HttpFacilitator(http, unused_url()).settle(payment))

    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert "facilitator gave no verdict" in logged
    assert payment.signature not in logged
    assert payment.authorization.nonce not in logged


def test_the_body_names_the_payments_own_version() -> None:
    assert request_body(signed(version=1)).startswith(b'{"x402Version":1,"paymentPayload":{')


async def silent(scope: object, receive: object, send: object) -> None:
    await is_silent(silent, scope, receive, send)  # type: ignore[arg-type]  # ASGI's types, passed through
