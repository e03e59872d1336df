"""The simulated TextVerified calls back as providers.md §2 says: signed, once, again if it is not taken."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phoneagent.dev.simulators import TextVerifiedSimulator
from phoneagent.dev.simulators.textverified.hooks import Hooks
from tests.dev.simulators.serving import Stage, open_client, serve_stage
from tests.dev.simulators.textverified.driver import TextVerifiedDriver

SMS = "G-123456 is your Google verification code."
SECRET = "whsec_test"


class Receiver:
    """Somebody's webhook address: answers 503 ``refusals`` times and keeps everything."""

    def __init__(self) -> None:
        self.refusals = 0
        self.got: list[tuple[str, bytes]] = []
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.got.append((request.headers["x-webhook-signature"], await request.body()))
        self.refusals -= 1
        return Response(status_code=503 if self.refusals >= 0 else 204)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
async def receiver(host: TextVerifiedDriver, textverified: TextVerifiedSimulator) -> AsyncIterator[Receiver]:
    textverified.hooks = Hooks(textverified._account, textverified.faults, first_retry_s=0.01)
    with serve_stage() as stage:
        receiver = Receiver()
        stage.app = receiver.app
        answer = await host.control("settings", webhook_url=f"{stage.origin}/hook", webhook_secret=SECRET)
        assert answer.json() == {"webhook_url": f"{stage.origin}/hook", "webhook_secret": SECRET}
        yield receiver


async def push(textverified: TextVerifiedSimulator) -> None:
    async with open_client() as client:
        await textverified.hooks.send_due(client)


async def test_an_sms_is_told_once_and_signed(
    host: TextVerifiedDriver, textverified: TextVerifiedSimulator, receiver: Receiver
) -> None:
    made = await host.made()
    await host.sms(number=made["number"], text=SMS, sender="22000")
    await push(textverified)
    await push(textverified)

    [(signature, body)] = receiver.got
    assert (
        signature
        == "HMAC-SHA512=" + base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha512).digest()).decode()
    )
    event = json.loads(body)
    assert (event["attempt"], event["event"]) == (1, "v2.sms.received")
    assert event["data"] == {
        "from": "22000",
        "to": made["number"],
        "createdAt": event["occurredAt"],
        "smsContent": SMS,
        "parsedCode": "123456",
        "encrypted": False,
        "reservationId": made["id"],
    }


async def test_an_sms_is_told_when_it_arrives_and_not_when_it_was_ordered(
    host: TextVerifiedDriver, textverified: TextVerifiedSimulator, receiver: Receiver
) -> None:
    made = await host.made()
    await host.sms(number=made["number"], text=SMS, delay_s=30)
    await push(textverified)
    assert receiver.got == []
    await host.advance(30)
    await push(textverified)

    assert len(receiver.got) == 1


async def test_a_refused_webhook_comes_again_and_is_given_up_in_the_end(
    host: TextVerifiedDriver, textverified: TextVerifiedSimulator, receiver: Receiver
) -> None:
    receiver.refusals = 1
    await host.sms(number=(await host.made())["number"], text=SMS)
    await push(textverified)
    assert [event["attempt"] for event in receiver.events] == [1, 2]
    assert len({event["id"] for event in receiver.events}) == 1

    receiver.refusals = 99
    await host.sms(number=(await host.made())["number"], text=SMS)
    await push(textverified)
    assert [event["attempt"] for event in receiver.events[2:]] == [1, 2, 3]


@pytest.mark.parametrize("action", ["sms", "*", "webhook"])
async def test_a_duplicate_is_the_same_event_twice(
    host: TextVerifiedDriver, textverified: TextVerifiedSimulator, receiver: Receiver, action: str
) -> None:
    await host.fault(action, "duplicate_webhook")
    made = await host.made()
    await host.sms(number=made["number"], text=SMS)
    assert len(await host.inbox()) == 1  # the fault waits for the webhook
    await push(textverified)

    assert receiver.got[0] == receiver.got[1]
    assert len(receiver.got) == 2


async def test_a_late_webhook_comes_after_the_status_shows_the_sms(
    host: TextVerifiedDriver, textverified: TextVerifiedSimulator, receiver: Receiver
) -> None:
    await host.fault("sms", "late_webhook", delay_s=0.05)
    await host.sms(number=(await host.made())["number"], text=SMS)
    assert len(await host.inbox()) == 1
    assert receiver.got == []
    await push(textverified)

    assert len(receiver.got) == 1


async def test_nothing_is_sent_without_an_address_and_none_outside_this_machine_is_taken(
    host: TextVerifiedDriver, textverified: TextVerifiedSimulator, receiver: Receiver
) -> None:
    for url in ("https://example.com/", "ftp://127.0.0.1/", "http://127.0.0.1:99999/", "http://[::1", 7):
        assert (await host.control("settings", webhook_url=url)).status_code == 400
    assert (await host.control("settings", surprise=1)).status_code == 400
    assert (await host.control("settings")).json() == {"webhook_url": None, "webhook_secret": None}
    await host.sms(number=(await host.made())["number"], text=SMS)
    await push(textverified)

    assert receiver.got == []


async def test_a_receiver_that_is_gone_hurts_nobody(
    host: TextVerifiedDriver, textverified: TextVerifiedSimulator, stage: Stage
) -> None:
    textverified.hooks = Hooks(textverified._account, textverified.faults, first_retry_s=0.01)
    await host.control("settings", webhook_url="http://127.0.0.1:9/hook", webhook_secret=SECRET)
    await host.sms(number=(await host.made())["number"], text=SMS)
    async with httpx.AsyncClient() as client:
        await textverified.hooks.send_due(client)

    assert stage.app is textverified.app
    assert len(await host.inbox()) == 1
