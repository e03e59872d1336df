"""What every stock client goes through: it pays both routes and reads its SMS, and it meets every refusal of ours.

Each step names what it has shown; the chain is asked, never the service, whether money moved.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.interop.between import Between
from tests.interop.clients import Client, Driver
from tests.journeys.outsider import Outside, Wallet, decoded, word

CENT = 10_000
DOLLAR = 1_000_000
PURSE = 4 * DOLLAR + CENT
PREMIUM_CAP_USD = 2
PLAIN = {"country": "US", "service": "go", "duration_minutes": 10}
PREMIUM = {"country": "US", "service": "tg", "duration_minutes": 10}
TEXT = "G-478392 is your Google verification code."
LOOKS = 20
"""Long polls of one second: the old httpx client gives up on its own second request after five."""

_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what a client did on a route, and what came of it; ``fault`` is None if all was well."""

    client: Client
    route: str
    shown: str
    fault: str | None = None


class Surprise(Exception):
    """A client or the service did something else than expected."""


def expect(fact: object, wanted: object, what: str) -> None:
    """Raise Surprise unless they are equal."""
    if fact != wanted:
        raise Surprise(f"{what}: {fact!r}, not {wanted!r}")


@dataclass
class Buyer:
    """One client with a wallet of its own, behind the proxy that watches it."""

    client: Client
    driver: Driver
    outside: Outside
    proxy: Between
    proxy_url: str
    wallet: Wallet
    rows: list[Row] = field(default_factory=list)

    @property
    def handle(self) -> str:
        """What this buyer's requests are told apart by."""
        return self.wallet.address

    @property
    def payments(self) -> list[tuple[str, str]]:
        """Every payment header that the client has sent, in order."""
        return self.proxy.payments[self.handle]

    async def step(self, route: str, shown: str, act: Callable[[], Awaitable[None]]) -> None:
        """Do one thing and note how it went; a surprise is a row, not the end."""
        try:
            await act()
        except (Surprise, TimeoutError, EOFError, LookupError, ValueError, httpx.HTTPError) as exc:
            self.rows.append(Row(self.client, route, shown, f"{type(exc).__name__}: {exc}"[:400]))
        else:
            self.rows.append(Row(self.client, route, shown))

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        cap_usd: int | None = PREMIUM_CAP_USD,
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Have the client make one request, paying if it is asked to."""
        return await self.driver.order(
            {
                "library": self.client.library,
                "method": method,
                "url": f"{self.proxy_url}/{self.handle}{path}",
                "body": body,
                "key": key or self.wallet.key,
                "cap_usd": cap_usd,
                "headers": headers or {},
            }
        )

    async def moved(self) -> list[int]:
        """Return the amounts that have gone from this wallet to the shop, as the token's log has them."""
        told = self.outside.told
        topics = [_TRANSFER, "0x" + word(self.wallet.address).hex(), "0x" + word(told["pay_to"]).hex()]
        wanted = {"address": told["usdc"], "topics": topics, "fromBlock": "0x0", "toBlock": "latest"}
        return [int(log["data"], 16) for log in await self.outside.rpc("eth_getLogs", wanted)]

    async def expect_moved(self, amounts: list[int]) -> None:
        """Raise Surprise unless exactly these amounts have gone to the shop, and nothing elsewhere."""
        expect(await self.moved(), amounts, "transfers to the shop")
        expect(await self.outside.usdc_of(self.wallet.address), PURSE - sum(amounts), "what is left in the wallet")


# ---- paying ---------------------------------------------------------------------------------------------------------


async def pay_for_everything(buyer: Buyer) -> None:
    """Buy the list, then a plain rental, then a premium one with a raised cap."""
    await pay_once_each(buyer)
    before = [CENT, DOLLAR]
    await buyer.step("POST /rent $2", "held, then SMS for $2 once", lambda: _rent(buyer, PREMIUM, before, 2 * DOLLAR))


async def pay_once_each(buyer: Buyer) -> None:
    """Buy the list, twice with one payment, then a plain rental."""

    async def countries() -> None:
        answer = _ok(await buyer.ask("GET", "/countries"))
        listed = json.loads(answer["text"])
        expect(len(listed) > 0, wanted=True, what="a list")
        _check_version(buyer)
        await buyer.expect_moved([CENT])
        await _check_receipt(buyer, answer)

    async def again() -> None:
        name, value = buyer.payments[-1]
        _ok(await buyer.ask("GET", "/countries", headers={name: value}))
        await buyer.expect_moved([CENT])

    await buyer.step("GET /countries", "pays $0.01 once, gets list and receipt", countries)
    await buyer.step("GET /countries", "the same payment again: the list, no second charge", again)
    await buyer.step("POST /rent $1", "held, then SMS for $1 once", lambda: _rent(buyer, PLAIN, [CENT], DOLLAR))


async def _rent(buyer: Buyer, want: dict[str, Any], before: list[int], price: int) -> None:
    answer = _ok(await buyer.ask("POST", "/rent", want))
    rental = json.loads(answer["text"])
    _check_version(buyer)
    held = decoded(answer["headers"]["x-payment-response"])
    expect((held["state"], held["transaction"]), ("held", ""), "the held receipt")
    await buyer.expect_moved(before)
    path = f"/sms/{rental['rental_id']}?token={rental['token']}"
    expect(json.loads(_ok(await buyer.ask("GET", f"{path}&wait=0"))["text"]), [], "messages before the SMS")
    await buyer.outside.simulator("sms", number=rental["phone_number"], sender="Google", text=TEXT)
    messages: list[dict[str, Any]] = []
    for _ in range(LOOKS):
        answer = _ok(await buyer.ask("GET", f"{path}&wait=1"))
        messages = json.loads(answer["text"])
        if messages:
            break
    expect([message["text"] for message in messages], [TEXT], "the messages")
    await buyer.expect_moved([*before, price])
    await _check_receipt(buyer, answer)


def _ok(answer: dict[str, Any]) -> dict[str, Any]:
    expect(answer.get("error"), None, "the client's error")
    expect((answer["status"], answer["status"] == 200 or answer["text"][:300]), (200, True), "the status")
    return answer


def _check_version(buyer: Buyer) -> None:
    name, value = buyer.payments[-1]
    expect(decoded(value)["x402Version"], buyer.client.version, "the version that was paid")
    expect(name, {1: "x-payment", 2: "payment-signature"}[buyer.client.version], "the payment's header")


async def _check_receipt(buyer: Buyer, answer: dict[str, Any]) -> None:
    receipt = decoded(answer["headers"]["payment-response"])
    expect(decoded(answer["headers"]["x-payment-response"]), receipt, "the receipt under its older name")
    expect(receipt["payer"].lower(), buyer.wallet.address, "the receipt's payer")
    expect(receipt["network"], {1: "base", 2: "eip155:8453"}[buyer.client.version], "the receipt's network")
    mined = await buyer.outside.rpc("eth_getTransactionReceipt", receipt["transaction"])
    expect(mined["status"], "0x1", "the transaction in the receipt")


# ---- being refused --------------------------------------------------------------------------------------------------


async def meet_refusals(buyer: Buyer) -> None:
    """Meet every refusal: what the client's user sees, that it paid at most once, and that nothing moved."""
    settled = await buyer.moved()
    await buyer.step("POST /rent $1", "400 passes through, nothing was signed", lambda: _wrong_body(buyer))
    await buyer.step("POST /rent $1", "402 insufficient_funds passes through, no second try", lambda: _poor(buyer))
    if buyer.client.default_cap_atomic is not None:
        await buyer.step("POST /rent $2", "its default cap refuses before it signs", lambda: _capped(buyer))
    await buyer.step("POST /rent $1", "503 passes through; the same payment is good later", lambda: _away(buyer))
    await buyer.step("POST /rent $1", "replay: the same rental; for another body 409", lambda: _replay(buyer))
    await buyer.step("all", "refusals moved nothing", lambda: buyer.expect_moved(settled))


async def _wrong_body(buyer: Buyer) -> None:
    sent = len(buyer.payments)
    answer = await buyer.ask("POST", "/rent", {**PLAIN, "country": "Atlantis"})
    expect((answer.get("error"), answer.get("status")), (None, 400), "the answer")
    expect(json.loads(answer["text"])["field"], "country", "the field that is named")
    expect(len(buyer.payments), sent, "payments sent")


async def _poor(buyer: Buyer) -> None:
    sent = len(buyer.payments)
    nobody = "0x" + "00" * 12 + buyer.wallet.address[2:]  # a key of its own whose account has never held anything
    answer = await buyer.ask("POST", "/rent", PLAIN, key=nobody)
    expect((answer.get("error"), answer.get("status")), (None, 402), "the answer")
    told = json.loads(answer["text"])
    expect((told["code"], told["retry_action"]), ("insufficient_funds", "resign"), "what the 402 says")
    expect(len(buyer.payments), sent + 1, "payments sent")


async def _capped(buyer: Buyer) -> None:
    sent = len(buyer.payments)
    answer = await buyer.ask("POST", "/rent", PREMIUM, cap_usd=None)
    expect("error" in answer, wanted=True, what="the client refuses")
    expect(len(buyer.payments), sent, "payments sent")


async def _away(buyer: Buyer) -> None:
    sent = len(buyer.payments)
    await buyer.outside.facilitator_fault(action="verify", kind="5xx", rate=1.0)
    try:
        answer = await buyer.ask("POST", "/rent", PLAIN)
    finally:
        await buyer.outside.facilitator_fault(clear=True)
    expect((answer.get("error"), answer.get("status")), (None, 503), "the answer")
    expect("retry-after" in answer["headers"], wanted=True, what="it says when to come back")
    told = json.loads(answer["text"])
    expect((told["retryable"], told["retry_action"]), (True, "retry_same_payment"), "what the 503 says")
    expect(len(buyer.payments), sent + 1, "payments sent")
    name, value = buyer.payments[-1]
    _ok(await buyer.ask("POST", "/rent", PLAIN, headers={name: value}))


async def _replay(buyer: Buyer) -> None:
    name, value = buyer.payments[-1]
    first = json.loads(_ok(await buyer.ask("POST", "/rent", PLAIN, headers={name: value}))["text"])
    second = json.loads(_ok(await buyer.ask("POST", "/rent", PLAIN, headers={name: value}))["text"])
    expect(second["rental_id"], first["rental_id"], "the rental of a replay")
    sent = set(buyer.payments)
    answer = await buyer.ask("POST", "/rent", {**PLAIN, "duration_minutes": 5}, headers={name: value})
    expect((answer.get("error"), answer.get("status")), (None, 409), "the answer")
    expect(json.loads(answer["text"])["code"], "payment_bound_elsewhere", "its code")
    expect(set(buyer.payments), sent, "payments sent")
