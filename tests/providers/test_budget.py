"""Calls are paid at the socket: what got no call in time was not sent, and an adapter reads it so."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx
import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import CallRate, Purchase, PurchaseRefused, Room
from phoneagent.providers.budget import BudgetedTransport, Purse
from phoneagent.providers.smsactivate import HERO, SmsActivateProvider
from tests.dev.simulators.serving import SteppedClock

RATE = CallRate(5, 6)


@dataclass
class Bucket:
    """A budget that says what a test tells it, and notes how many calls each taker leaves alone."""

    waits_ms: list[int] = field(default_factory=list)
    is_away: bool = False
    kept: list[int] = field(default_factory=list)

    async def room(self, provider: str, rate: CallRate, keep: int) -> Room:
        raise NotImplementedError

    async def take(self, provider: str, rate: CallRate, keep: int) -> Room:
        if self.is_away:
            raise Unavailable("store_unavailable")
        assert (provider, rate) == ("hero-sms", RATE)
        self.kept.append(keep)
        return Room(0, self.waits_ms.pop(0)) if self.waits_ms else Room(1, 0)


@dataclass
class Line:
    """A host behind a budget, and what reached it."""

    bucket: Bucket
    slept_s: list[float] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def client(self) -> httpx.AsyncClient:
        async def sleep(seconds: float) -> None:
            self.slept_s.append(seconds)

        def answer(request: httpx.Request) -> httpx.Response:
            self.sent.append(request.extensions.get("target", request.url.raw_path).decode())
            return httpx.Response(200, text="ACCESS_NUMBER:1:15550001111")

        purse = Purse(self.bucket, "hero-sms", RATE, sleep)
        return httpx.AsyncClient(transport=BudgetedTransport(httpx.MockTransport(answer), purse))


async def test_a_request_waits_for_its_call() -> None:
    line = Line(Bucket(waits_ms=[200, 50]))
    async with line.client() as client:
        assert (await client.get("http://host.test/x")).status_code == 200
    assert line.slept_s == [0.2, 0.05]
    assert len(line.sent) == 1


@pytest.mark.parametrize("bucket", [Bucket(waits_ms=[2_001]), Bucket(is_away=True)], ids=["nothing left", "unreadable"])
async def test_a_purchase_without_a_call_was_never_sent_and_is_refused(bucket: Bucket) -> None:
    line = Line(bucket)
    async with line.client() as client:
        host = SmsActivateProvider(client, profile=HERO, api_key="k", clock=SteppedClock(), most_cost_atomic={})
        answer = await host.buy(Purchase("US", "go", 600_000))
    assert isinstance(answer, PurchaseRefused)
    assert answer.raw.startswith("not sent")
    assert line.sent == []


@pytest.mark.parametrize(
    ("method", "address", "kept"),
    [
        ("GET", "/handler?api_key=k&action=getNumber&service=go", 0),
        ("GET", "/handler?api_key=k&action=getNumberV2", 0),
        ("GET", "/handler?api_key=k&action=setStatus&id=1", 0),
        ("GET", "/handler?api_key=k&action=getNumbersStatus", 2),
        ("GET", "/handler?api_key=k&action=getStatus&id=1", 2),
        ("GET", "/handler?api_key=k&action=getActiveActivations", 2),
        ("POST", "/api/pub/v2/verifications", 0),
        ("POST", "/api/pub/v2/verifications/lr_1/cancel", 0),
        ("POST", "/api/pub/v2/auth", 0),
        ("POST", "/api/pub/v2/pricing/verifications", 2),
        ("GET", "/api/pub/v2/verifications/lr_1", 2),
        ("GET", "/api/pub/v2/sms", 2),
    ],
)
async def test_orders_may_take_the_last_call_and_questions_may_not(method: str, address: str, kept: int) -> None:
    line = Line(Bucket())
    async with line.client() as client:
        path = address.partition("?")[0]
        request = client.build_request(method, f"http://host.test{path}", extensions={"target": address.encode()})
        await client.send(request)
    assert line.bucket.kept == [kept]
    assert line.sent == [address]
