"""One case: a payer with a story, a service process that dies where it must, a fresh one that takes over, and the end.

The client behaves like a good one: it sends the same payment again until the answer is final, and signs anew only when
it is told to. When nothing moves, the dev clock is moved for everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from phoneagent.core.invariants import Violation
from phoneagent.core.rental import Rental
from tests.crashes.checks import unfinished, violations
from tests.crashes.evidence import Evidence
from tests.crashes.service import LOOK_S, Service
from tests.crashes.succession import Plan, Succession
from tests.crashes.switch import Side, Trace
from tests.crashes.world import World
from tests.journeys.outsider import decoded

DOLLAR = 1_000_000
FUNDS_ATOMIC = 5 * DOLLAR
WANT = {"country": "US", "service": "go", "duration_minutes": 10}
TEXT = "G-478392 is your Google verification code."

PATIENCE_S = 0.6
"""How long a request may take before its client goes away and comes back, with time moved on meanwhile."""

PRESS_ON_S = 60
STORY_WITHIN_S = 45.0
DRAINED_WITHIN_S = 20.0
LEAP_AFTER_S = 0.4
LONGEST_LEAP_S = 1_800


@dataclass(slots=True)
class Outcome:
    """What became of a case."""

    traces: list[Trace] = field(default_factory=list)
    faults: list[Violation] = field(default_factory=list)
    deliveries: int = 0
    refusals: list[str] = field(default_factory=list)
    evidence: Evidence | None = None

    @property
    def fates_met(self) -> int:
        return sum(trace.met_fate for trace in self.traces)

    @property
    def rentals(self) -> list[Rental]:
        return list(self.evidence.memory.rentals.values()) if self.evidence else []


class Case:
    """A story under way."""

    def __init__(self, world: World, plan: Plan, name: str) -> None:
        self.world = world
        self.wallet = world.outside.wallet
        self.outcome = Outcome()
        self.processes = Succession(world, plan, name)
        self._http = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        self._sold: frozenset[str] = frozenset()
        self._since_block = 0
        self._spared: frozenset[str] = frozenset()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Case]:
        """Note what is there already, fund the payer, and keep a service up while the story lasts."""
        world = self.world
        state = await world.outside.numbers()
        self._sold = frozenset(row["activation_id"] for row in state["activations"])
        self._spared = frozenset(await world.due())
        self._since_block = int(await world.outside.rpc("eth_blockNumber"), 16)
        self.wallet = await world.outside.new_wallet(FUNDS_ATOMIC)
        try:
            async with self.processes.kept_up():
                yield self
        finally:
            self.outcome.traces = [service.trace for service in self.processes.services]
            await self._http.aclose()

    # ---- the client

    async def ask(self, method: str, path: str, **rest: Any) -> httpx.Response:  # noqa: ANN401  httpx's own
        """Ask until there is an answer that is no "try again"."""
        async with asyncio.timeout(STORY_WITHIN_S):
            while True:
                url = await self.processes.address() + path
                try:
                    answer = await self._http.request(method, url, timeout=PATIENCE_S, **rest)
                except httpx.TimeoutException:
                    await self.world.advance(PRESS_ON_S)
                except httpx.TransportError:
                    await asyncio.sleep(LOOK_S)
                else:
                    if not _is_try_again(answer):
                        return answer
                    await self.world.advance(PRESS_ON_S)

    async def once(self, method: str, path: str, **rest: Any) -> None:  # noqa: ANN401  httpx's own
        """Ask and do not care for the answer."""
        with contextlib.suppress(httpx.TransportError):
            await self._http.request(method, self.processes.services[-1].base_url + path, timeout=PATIENCE_S, **rest)

    async def rent(self, want: dict[str, Any] | None = None, *, signatures: int = 3) -> dict[str, Any] | None:
        """Rent a number; sign again when told to, at most so often. None when it was refused for good."""
        body = want or WANT
        for _ in range(signatures):
            offer = await self.ask("POST", "/rent", json=body)
            assert offer.status_code in {402, 503}, offer.text
            if offer.status_code != 402:
                break
            headers = self.wallet.v1(offer.json())
            answer = await self.ask("POST", "/rent", json=body, headers=headers)
            if answer.status_code == 200:
                return {**answer.json(), "headers": headers, "body": body}
            self.outcome.refusals.append(answer.json()["code"])
            assert answer.status_code in {402, 503}, f"{answer.status_code} {answer.text}"
            if answer.status_code != 402:
                break
        return None

    async def wait_for_sms(
        self, rental: dict[str, Any], meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> list[dict[str, Any]]:
        """Poll until an SMS is shown or the rental has ended without one; do something else between two polls."""
        path, token = f"/sms/{rental['rental_id']}", rental["token"]
        async with asyncio.timeout(STORY_WITHIN_S):
            while True:
                if meanwhile is not None:
                    await meanwhile()
                is_over = (await self.status(rental))["status"] in {"settled", "expired", "released"}
                answer = await self.ask("GET", path, params={"token": token, "wait": 0})
                assert answer.status_code == 200, answer.text
                if answer.json():
                    assert decoded(answer.headers["PAYMENT-RESPONSE"])["transaction"]
                    self.outcome.deliveries += 1
                if answer.json() or is_over:
                    return list(answer.json())
                await self._look_again(rental)

    async def _look_again(self, rental: dict[str, Any]) -> None:
        """Wait a moment as a long poll does; when that brings nothing, time moves on."""
        path = f"/sms/{rental['rental_id']}"
        with contextlib.suppress(httpx.TransportError):
            url = self.processes.services[-1].base_url + path
            params = {"token": rental["token"], "wait": 1}
            answer = await self._http.get(url, params=params, timeout=2 * PATIENCE_S)
            if not answer.is_success or not answer.json():
                await self.world.advance(PRESS_ON_S / 3)

    async def status(self, rental: dict[str, Any]) -> dict[str, Any]:
        answer = await self.ask("GET", f"/rentals/{rental['rental_id']}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def cancel(self, rental: dict[str, Any]) -> httpx.Response:
        path = f"/rentals/{rental['rental_id']}/cancel"
        return await self.ask("POST", path, params={"token": rental["token"]})

    async def countries(self) -> httpx.Response:
        """Buy the list with one payment, sent until it is answered."""
        unpaid = await self.ask("GET", "/countries")
        headers = self.wallet.v2(decoded(unpaid.headers["PAYMENT-REQUIRED"]))
        answer = await self.ask("GET", "/countries", headers=headers)
        if answer.status_code == 200:
            self.outcome.deliveries += 1
        else:
            self.outcome.refusals.append(answer.json()["code"])
        return answer

    # ---- the world

    async def send_sms(self, rental: dict[str, Any], text: str = TEXT) -> None:
        await self.world.outside.simulator("sms", number=rental["phone_number"], sender="Google", text=text)

    async def provider_fault(self, **order: object) -> None:
        await self.world.outside.simulator("fault", **order)

    async def until_sms_is_stored(self, rental: dict[str, Any]) -> None:
        async with asyncio.timeout(STORY_WITHIN_S):
            while not (await self.status(rental))["sms_received"]:  # noqa: ASYNC110  another process stores it
                await asyncio.sleep(LOOK_S)

    async def until_gone(self, rental: dict[str, Any]) -> httpx.Response:
        """Ask for the SMS until it is past its retention."""
        async with asyncio.timeout(STORY_WITHIN_S):
            while True:
                answer = await self.ask("GET", f"/sms/{rental['rental_id']}", params={"token": rental["token"]})
                if answer.status_code == 410:
                    return answer
                await asyncio.sleep(LOOK_S)

    async def drained(self) -> None:
        """Move time from one due job to the next until nothing of this case is left to do; give up after a while.

        What is due again and again, such as the polls of a client that has gone, is left behind in growing leaps.
        """
        now_s = asyncio.get_running_loop().time
        gives_up_s, leaps_s, leap_s = now_s() + DRAINED_WITHIN_S, now_s() + LEAP_AFTER_S, PRESS_ON_S
        while now_s() < gives_up_s:
            left_ms = await self.world.due_in_ms(self._spared)
            if left_ms is None:
                return
            if self.processes.is_up and now_s() > leaps_s:
                await self.world.advance(leap_s)
                leaps_s, leap_s = now_s() + LEAP_AFTER_S, min(2 * leap_s, LONGEST_LEAP_S)
            elif self.processes.is_up and left_ms > 0:
                await self.world.advance(left_ms / 1000)
            await asyncio.sleep(LOOK_S)

    async def judge(self, deliveries: int) -> None:
        """Hold every promise against what can be seen now; the client must have been served so often."""
        evidence = await self.world.evidence(self.wallet.address, self._since_block, self._sold)
        self.outcome.evidence = evidence
        self.outcome.faults += [*violations(evidence), *unfinished(evidence), *self._own_faults(evidence, deliveries)]

    def _own_faults(self, evidence: Evidence, deliveries: int) -> Iterable[Violation]:
        if self.outcome.deliveries != deliveries:
            yield Violation("story", "", f"the client was served {self.outcome.deliveries} times, not {deliveries}")
        paid = len(evidence.transfers)
        if paid != self.outcome.deliveries:
            yield Violation("I1", "", f"paid {paid} times, but the client was shown {self.outcome.deliveries}")
        traces = [service.trace for service in self.processes.services]
        sent = sum(trace.count(Side.BEFORE, "provider.buy") for trace in traces)
        orders = sum(rental.order is not None for rental in self.outcome.rentals)
        if sent > orders:
            yield Violation("I4", "", f"{sent} purchases sent for {orders} orders")
        for service in self.processes.services:
            yield from _log_faults(service)


def _log_faults(service: Service) -> Iterable[Violation]:
    with contextlib.suppress(OSError), open(service.orders.log) as log:  # noqa: PTH123  a path as the process got it
        for line in log:
            if "Traceback" in line or '"level": "error"' in line:
                yield Violation("log", "", line.strip()[-2_000:])


def _is_try_again(answer: httpx.Response) -> bool:
    if answer.status_code not in {502, 503}:
        return False
    return answer.json().get("retry_action") == "retry_same_payment" or answer.status_code == 502
