"""A signed payment with one thing changed, through the door: refused without a trace, or it changes nothing at all."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest

from tests.attacks.tools import changing_nothing
from tests.web.harness import World
from tests.x402.signing import from_header, to_header

GONE = object()
JUNK: list[Any] = [GONE, None, True, False, -1, 7, 2**53, 1.5, "", " ", "x", "0x", "00", "-0", [], [1], {}, {"a": 1}]

AUTHORIZATION = ("from", "to", "value", "validAfter", "validBefore", "nonce")
SIGNED = [f"payload.authorization.{name}" for name in AUTHORIZATION]
MATTERS = {
    1: ["x402Version", "scheme", "network", "payload", "payload.signature", "payload.authorization", *SIGNED],
    2: [
        "x402Version",
        "accepted",
        *(f"accepted.{name}" for name in ("scheme", "network", "asset", "payTo", "amount")),
        "payload",
        "payload.signature",
        "payload.authorization",
        *SIGNED,
    ],
}
ONLY_ECHOED = [
    "resource",
    "resource.url",
    "extensions",
    "accepted.extra",
    "accepted.extra.name",
    "accepted.maxTimeoutSeconds",
]
"""Members of version 2 that clients send back and we do not go by."""


def _with(payment: dict[str, Any], path: str, junk: object) -> str:
    """The payment with the member at a path replaced, or taken away."""
    found = copy.deepcopy(payment)
    *outer, last = path.split(".")
    at = found
    for name in outer:
        at = at[name]
    if junk is GONE:
        at.pop(last, None)
    else:
        at[last] = junk
    return to_header(found)


def _is_refused(answer: httpx.Response) -> bool:
    return answer.status_code in {400, 402} and answer.json()["code"] != "payment_required"


@pytest.mark.parametrize(("version", "path"), [(version, path) for version in MATTERS for path in MATTERS[version]])
async def test_every_field_of_a_payment_matters(world: World, version: int, path: str) -> None:
    payment = from_header(await world.sign(version=version))
    async with changing_nothing(world):
        for junk in JUNK:
            answer = await world.post_rent(_with(payment, path, junk))
            assert _is_refused(answer), (path, junk, answer.text)
    assert (await world.post_rent(to_header(payment))).status_code == 200


@pytest.mark.parametrize("path", ONLY_ECHOED)
async def test_what_is_only_echoed_buys_nothing_else(world: World, path: str) -> None:
    payment = from_header(await world.sign())
    rented = (await world.post_rent(to_header(payment))).json()
    async with changing_nothing(world):
        for junk in JUNK:
            answer = await world.post_rent(_with(payment, path, junk))
            assert answer.status_code == 400 or answer.json() == rented, (path, junk, answer.text)


@pytest.mark.parametrize("path", [path for path in MATTERS[2] if path.startswith("payload.")])
async def test_a_claimed_payment_cannot_be_had_by_another_one_like_it(world: World, path: str) -> None:
    payment = from_header(await world.sign())
    rented = (await world.post_rent(to_header(payment))).json()
    async with changing_nothing(world):
        for junk in JUNK:
            answer = await world.post_rent(_with(payment, path, junk))
            assert _is_refused(answer), (path, junk, answer.text)
            assert rented["token"] not in answer.text


@pytest.mark.parametrize("member", ["signature", "from", "to", "value", "validAfter", "validBefore", "nonce"])
async def test_every_digit_of_what_was_signed_matters(world: World, member: str) -> None:
    payment = from_header(await world.sign())
    at = payment["payload"] if member == "signature" else payment["payload"]["authorization"]
    whole = at[member]
    async with changing_nothing(world):
        for index in range(len(whole)):
            at[member] = whole[:index] + ("1" if whole[index] != "1" else "2") + whole[index + 1 :]
            answer = await world.post_rent(to_header(payment))
            assert _is_refused(answer), (member, index, answer.text)
