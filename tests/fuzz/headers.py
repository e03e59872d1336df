"""Fuzzed payment headers against the whole application in this process: real store, faked outside world.

Each header goes through every layer from the admission on; only uvicorn and the gate before it are left out.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.types import ASGIApp

from tests.attacks.tools import footprint
from tests.fuzz.mutants import Mutants, Payment
from tests.web.harness import BODY, World, open_world
from tests.x402.signing import from_header

POOR_KEY = "0x" + "77" * 32
WALLET_KEY = "0x" + "78" * 32
BODY_BYTES = json.dumps(BODY).encode()
JUDGED_FIRST, JUDGED_EVERY = 20, 100
"""The document judges the first answers of each kind, and then every hundredth: a judgement takes a millisecond."""

PLAUSIBLE = {200, 400, 402, 409, 431}


@dataclass
class Tally:
    """What was sent and what came back."""

    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    judged: int = 0
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The counts, the most frequent first."""
        lines = [f"{self.sent:,} payment headers, {self.judged:,} answers judged by the document"]
        lines += [f"  {count:>9,}  {kind}" for kind, count in self.answers.most_common()]
        return "\n".join([*lines, *(f"  FAULT {fault}" for fault in self.faults[:20])])


class _Alarm(logging.Handler):
    """Hears every warning of our own, and every error and traceback of anybody."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(logging.WARNING)
        self._tally = tally

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self._tally.faults.append(f"logged: {record.name}: {record.getMessage()}")


@dataclass
class Answer:
    """One answer of the application."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""


async def fuzz_headers(redis_url: str, count: int, seed: int) -> Tally:
    """Send so many; the tally names every fault."""
    tally = Tally()
    alarm = _Alarm(tally)
    logging.getLogger().addHandler(alarm)
    try:
        async with open_world(redis_url, max_open_holds=100) as world:
            payments, owned = await _payments(world)
            before = await footprint(world)
            mutants = iter(Mutants(seed, payments))
            for number in range(count):
                await _try(world, next(mutants), number, owned, tally)
            if await footprint(world) != before:
                tally.faults.append("the store has changed")
            if len(world.provider.bought) != len(payments_that_rented(owned)):
                tally.faults.append("a number was bought")
    finally:
        logging.getLogger().removeHandler(alarm)
    return tally


def payments_that_rented(owned: set[str]) -> set[str]:
    """The bodies of rentals among what payments have bought."""
    return {text for text in owned if "rental_id" in text}


async def _payments(world: World) -> tuple[list[Payment], set[str]]:
    """Payments of every sort, none of which can buy anything new, and the answers to those that have bought."""
    payments, owned = [], set()
    for version in (1, 2):
        rented = await world.rent(version=version)
        listed = await world.sign(version=version, path="/countries")
        owned |= {rented.first.text, (await world.get_countries(listed)).text}
        payments += [from_header(rented.payment), from_header(listed)]
        for key in (POOR_KEY, WALLET_KEY):
            payments.append(from_header(await world.sign(version=version, key=key)))
    payments += [from_header(await world.sign(key=POOR_KEY, **terms)) for terms in _odd_terms(world.now_s)]
    world.chain.contract_wallets.add(payments[3]["payload"]["authorization"]["from"].lower())
    return payments, owned


def _odd_terms(now_s: int) -> list[dict[str, Any]]:
    """Terms that a payer may sign, properly, and that nobody should take."""
    values = [0, 1, 999_999, 2_000_000, 2**63, 2**256 - 1]
    ends = [0, 1, now_s, now_s + 60, now_s + 719, now_s + 720, now_s + 1_921, 2**53 // 1000]
    return [
        *({"value": str(value)} for value in values),
        *({"validBefore": str(end)} for end in ends),
        *({"validAfter": str(begin)} for begin in (now_s - 1, now_s, now_s + 1, 2**53 // 1000)),
        {"to": "0x" + "00" * 20},
        {"to": "0x" + "dd" * 20},
        {"nonce": "0x" + "00" * 32},
    ]


async def _try(world: World, header: bytes, number: int, owned: set[str], tally: Tally) -> None:
    name = (b"payment-signature", b"x-payment")[number % 2]
    method, path = ("GET", "/countries") if number % 5 == 0 else ("POST", "/rent")
    answer = await _ask(world.app, method, path, [(name, header)])
    tally.sent += 1
    kind, fault = _look(answer, owned)
    tally.answers[f"{method} {path} {kind}"] += 1
    if fault:
        tally.faults.append(f"{fault}: {method} {path} {header!r}")
    seen = tally.answers[f"{method} {path} {kind}"]
    if seen <= JUDGED_FIRST or seen % JUDGED_EVERY == 0:
        tally.judged += 1
        _judge(world, method, path, answer, tally)


def _look(answer: Answer, owned: set[str]) -> tuple[str, str | None]:
    """What kind of answer it is, and what is wrong with it."""
    if answer.status not in PLAUSIBLE:
        return str(answer.status), f"answered {answer.status}"
    if answer.status == 200:
        return "200", None if answer.body.decode() in owned else "something new was sold"
    body = json.loads(answer.body)
    return f"{answer.status} {body.get('code', '')}", None


def _judge(world: World, method: str, path: str, answer: Answer, tally: Tally) -> None:
    request = httpx.Request(method, f"http://elsewhere.test{path}")
    response = httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)
    try:
        world.contract.judge_read(response)
    except Exception as exc:  # noqa: BLE001  whatever the judge holds against it is the finding
        tally.faults.append(f"not as documented: {method} {path} {answer.status}: {exc}")


async def _ask(app: ASGIApp, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> Answer:
    answer = Answer()
    body = BODY_BYTES if method == "POST" else b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:  # noqa: ANN401  whatever ASGI says
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message["headers"])
        else:
            answer.body += message.get("body", b"")

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("elsewhere.test", 80),
        "client": ("127.0.0.1", 1),
        "headers": [*headers, (b"content-length", str(len(body)).encode())],
    }
    await app(scope, receive, send)
    return answer
