"""The facilitator shell: its three calls as a stranger sees them, and every fault of ARCHITECTURE §6."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from phoneagent.core.errors import Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import SettleClaimed, SettleDeclined, SettleUnknown, Verified, VerifyRefused
from phoneagent.dev.facilitator import facilitator_app
from phoneagent.facilitators import HttpFacilitator, reasons
from phoneagent.facilitators.http import request_body
from phoneagent.x402 import BASE, checksum_address
from tests.facilitators.meddling import says
from tests.facilitators.payments import NOW_S, PAYER, PRICE, RELAYER, SHOP, forged, signed
from tests.facilitators.serving import served
from tests.facilitators.world import World, opened_world
from tests.waiting import within


@dataclass
class Shell:
    """The shell, the world behind it, and our own client in front of it with little patience."""

    world: World
    url: str
    client: HttpFacilitator

    @property
    def http(self) -> httpx.AsyncClient:
        return self.world.http

    async def post(self, verb: str, payment: Payment, **changed: object) -> httpx.Response:
        body = json.loads(request_body(payment)) | changed
        return await within(self.http.post(f"{self.url}/{verb}", json=body))

    async def arm(self, action: str, kind: str, delay_s: float = 0.0) -> None:
        order = {"action": action, "kind": kind, "times": 1, "delay_s": delay_s}
        (await within(self.http.post(f"{self.url}/_sim/fault", json=order))).raise_for_status()

    async def state(self) -> dict[str, Any]:
        shown: dict[str, Any] = (await within(self.http.get(f"{self.url}/_sim/state"))).json()
        return shown


@contextlib.asynccontextmanager
async def opened_shell(refusal_status: int = 200) -> AsyncIterator[Shell]:
    async with opened_world() as world:
        local = await world.local(receipt_wait_s=0.5)
        app = facilitator_app(local, BASE.usdc, clock=world.clock, refusal_status=refusal_status)
        async with served(app) as url:
            client = HttpFacilitator(world.http, url, verify_timeout_s=1.5, settle_timeout_s=3.0)
            yield Shell(world, url, client)


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    async with opened_shell() as opened:
        yield opened


# ---- the three calls -----------------------------------------------------------------------------------------------


async def test_supported_names_both_versions_and_the_relayer(shell: Shell) -> None:
    answer = await within(shell.http.get(f"{shell.url}/supported"))

    assert answer.json() == {
        "kinds": [
            {"x402Version": 1, "scheme": "exact", "network": "base"},
            {"x402Version": 2, "scheme": "exact", "network": "eip155:8453"},
        ],
        "extensions": [],
        "signers": {"eip155:*": [checksum_address(RELAYER)]},
    }


@pytest.mark.parametrize(("version", "network"), [(1, "base"), (2, "eip155:8453")])
async def test_verify_and_settle_answer_in_the_shapes_of_x402(shell: Shell, version: int, network: str) -> None:
    payment = signed(version=version)

    verdict = await shell.post("verify", payment)
    settlement = await shell.post("settle", payment)

    payer = checksum_address(PAYER)
    assert (verdict.status_code, verdict.json()) == (200, {"isValid": True, "payer": payer})
    moved = settlement.json()
    assert (settlement.status_code, len(moved.pop("transaction"))) == (200, 66)
    assert moved == {"success": True, "network": network, "payer": payer}


async def test_refusals_are_verdicts_with_status_200(shell: Shell) -> None:
    payment = forged(signed())

    verdict = await shell.post("verify", payment)
    settlement = await shell.post("settle", payment)

    payer = checksum_address(PAYER)
    said = {"isValid": False, "invalidReason": reasons.INVALID_SIGNATURE, "payer": payer}
    assert (verdict.status_code, verdict.json()) == (200, said)
    assert settlement.status_code == 200
    assert settlement.json() == {
        "success": False,
        "errorReason": reasons.INVALID_SIGNATURE,
        "transaction": "",
        "network": "eip155:8453",
        "payer": payer,
    }


async def test_refusals_can_be_said_with_status_400_as_cdp_does() -> None:
    async with opened_shell(refusal_status=400) as shell:
        refusals = [await shell.post(verb, forged(signed())) for verb in ("verify", "settle")]
        unreadable = await shell.post("verify", signed(), paymentPayload={"x402Version": 2})

    assert [one.status_code for one in (*refusals, unreadable)] == [400, 400, 400]
    assert unreadable.json()["invalidReason"] == reasons.INVALID_PAYLOAD


@pytest.mark.parametrize("verb", ["verify", "settle"])
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"x402Version": 1}, reasons.INVALID_VERSION),
        ({"x402Version": None}, reasons.INVALID_VERSION),
        ({"paymentPayload": {"x402Version": 2}}, reasons.INVALID_PAYLOAD),
        ({"paymentRequirements": {}}, reasons.INVALID_REQUIREMENTS),
        ({"paymentRequirements": {"asset": 5}}, reasons.INVALID_REQUIREMENTS),
    ],
)
async def test_a_call_that_does_not_fit_is_refused_in_their_words(
    shell: Shell, verb: str, changed: dict[str, Any], reason: str
) -> None:
    answer = await shell.post(verb, signed(), **changed)

    assert answer.status_code == 200
    assert answer.json()["invalidReason" if verb == "verify" else "errorReason"] == reason


async def test_a_network_we_are_not_on_is_refused(shell: Shell) -> None:
    payment = signed()
    elsewhere = replace(payment, payload=payment.payload.replace(b"eip155:8453", b"eip155:1"))

    assert (await shell.post("verify", elsewhere)).json()["invalidReason"] == reasons.INVALID_NETWORK


@pytest.mark.parametrize("verb", ["verify", "settle"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"[" * 60_000, b'"' + b"x" * 70_000 + b'"'])
async def test_what_is_no_call_is_a_bad_request(shell: Shell, verb: str, body: bytes) -> None:
    answer = await within(shell.http.post(f"{shell.url}/{verb}", content=body))

    assert (answer.status_code, answer.json()["errorType"]) == (400, "invalid_request")


async def test_a_chain_that_is_away_is_no_verdict(shell: Shell) -> None:
    payment = signed()
    shell.world.node.plan("eth_blockNumber", says("header not found"), says("header not found"))

    verdict = await shell.post("verify", payment)
    settlement = await shell.post("settle", payment)

    assert (verdict.status_code, settlement.status_code) == (503, 500)
    assert "isValid" not in verdict.json()
    assert settlement.json()["errorReason"] in reasons.NOT_A_VERDICT


async def test_a_transaction_not_yet_mined_is_pending_with_its_hash(shell: Shell) -> None:
    await shell.world.chain.set_automine(is_on=False)

    answer = await shell.post("settle", signed())

    assert (answer.status_code, answer.json()["errorReason"]) == (500, reasons.PENDING)
    assert len(answer.json()["transaction"]) == 66


async def test_an_identical_settle_gets_the_identical_answer(shell: Shell) -> None:
    payment = signed()

    answers = [await shell.post("settle", payment) for _ in range(2)]

    assert answers[0].json()["success"]
    assert answers[0].json() == answers[1].json()


# ---- faults: verify ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["timeout", "drop_reply", "5xx"])
async def test_a_fault_at_verify_gives_no_verdict_once(shell: Shell, kind: str) -> None:
    await shell.arm("verify", kind)

    with pytest.raises(Unavailable) as caught:
        await within(shell.client.verify(signed()))

    assert caught.value.code == "facilitator_unavailable"
    assert await within(shell.client.verify(signed())) == Verified()


async def test_reject_at_verify_is_a_refusal(shell: Shell) -> None:
    await shell.arm("verify", "reject")

    assert await within(shell.client.verify(signed())) == VerifyRefused("kyt_risk_detected")


# ---- faults: settle ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["timeout", "5xx"])
async def test_a_fault_that_does_nothing_is_unknown_and_moves_no_money(shell: Shell, kind: str) -> None:
    payment = signed()
    await shell.arm("settle", kind)

    answer = await within(shell.client.settle(payment))
    moved = await shell.world.balance(SHOP)

    assert isinstance(answer, SettleUnknown)
    assert (answer.tx_hash, moved) == (None, 0)
    assert isinstance(await within(shell.client.settle(payment)), SettleClaimed)


async def test_a_dropped_reply_is_unknown_and_the_money_has_moved(shell: Shell) -> None:
    payment = signed()
    await shell.arm("settle", "drop_reply")

    answer = await within(shell.client.settle(payment))
    moved = await shell.world.balance(SHOP)

    assert (answer, moved) == (SettleUnknown("timeout"), PRICE)
    assert isinstance(await within(shell.client.settle(payment)), SettleClaimed)
    assert await shell.world.nonce(RELAYER) == 1


async def test_pending_is_unknown_with_the_hash_of_a_transaction_that_is_mined(shell: Shell) -> None:
    payment = signed()
    await shell.arm("settle", "pending")

    answer = await within(shell.client.settle(payment))

    assert isinstance(answer, SettleUnknown)
    assert (answer.reason, await shell.world.balance(SHOP)) == (reasons.PENDING, PRICE)
    assert await within(shell.client.settle(payment)) == SettleClaimed(answer.tx_hash)


async def test_pending_does_not_hide_a_refusal(shell: Shell) -> None:
    await shell.arm("settle", "pending")

    answer = await within(shell.client.settle(forged(signed())))

    assert answer == SettleDeclined(reasons.INVALID_SIGNATURE, payer_at_fault=True)


async def test_reject_is_a_refusal_that_blames_nobody_and_moves_no_money(shell: Shell) -> None:
    payment = signed()
    await shell.arm("settle", "reject")

    answer = await within(shell.client.settle(payment))

    assert answer == SettleDeclined("kyt_risk_detected", payer_at_fault=False)
    assert await shell.world.balance(SHOP) == 0


async def test_reject_can_come_with_status_400(shell: Shell) -> None:
    await shell.arm("settle", "reject_400")
    await shell.arm("verify", "reject_400")

    assert await within(shell.client.settle(signed())) == SettleDeclined("kyt_risk_detected", payer_at_fault=False)
    assert await within(shell.client.verify(signed())) == VerifyRefused("kyt_risk_detected")
    assert await shell.world.balance(SHOP) == 0


async def test_a_false_success_names_a_transaction_that_is_none_and_moves_no_money(shell: Shell) -> None:
    await shell.arm("settle", "false_success")

    assert await within(shell.client.settle(signed())) == SettleClaimed("0x" + "ab" * 32)
    assert await shell.world.balance(SHOP) == 0


@pytest.mark.parametrize("kind", ["success_missing", "duplicate"])
async def test_a_settlement_that_is_not_called_one_is_unknown_and_the_money_has_moved(shell: Shell, kind: str) -> None:
    await shell.arm("settle", kind)

    answer = await within(shell.client.settle(signed()))

    assert isinstance(answer, SettleUnknown)
    assert (answer.tx_hash is not None) == (kind == "success_missing")
    assert await shell.world.balance(SHOP) == PRICE


async def test_a_slow_settlement_is_an_honest_one(shell: Shell) -> None:
    await shell.arm("settle", "slow", delay_s=0.01)

    assert isinstance(await within(shell.client.settle(signed())), SettleClaimed)
    assert await shell.world.balance(SHOP) == PRICE


async def test_a_fault_on_any_action_strikes_whichever_comes_first(shell: Shell) -> None:
    await shell.arm("*", "reject")

    assert await within(shell.client.verify(signed())) == VerifyRefused("kyt_risk_detected")
    assert isinstance(await within(shell.client.settle(signed())), SettleClaimed)


# ---- control -------------------------------------------------------------------------------------------------------


async def test_the_state_shows_what_is_armed_until_it_struck(shell: Shell) -> None:
    await shell.arm("settle", "5xx")
    armed = await shell.state()
    await within(shell.client.settle(signed()))

    assert armed == {"faults": [{"action": "settle", "kind": "5xx", "left": 1}]}
    assert await shell.state() == {"faults": []}


@pytest.mark.parametrize(("action", "kind"), [("verify", "pending"), ("settle", "html"), ("refund", "5xx")])
async def test_a_fault_this_part_does_not_know_is_refused(shell: Shell, action: str, kind: str) -> None:
    answer = await within(shell.http.post(f"{shell.url}/_sim/fault", json={"action": action, "kind": kind}))

    assert answer.status_code == 400


async def test_the_clock_moves_through_this_part_too(shell: Shell) -> None:
    answer = await within(shell.http.post(f"{shell.url}/_sim/clock", json={"advance_s": 60}))

    assert answer.json()["now_ms"] == (NOW_S + 60) * 1000


async def test_a_web_page_cannot_reach_the_control_paths(shell: Shell) -> None:
    answer = await within(shell.http.get(f"{shell.url}/_sim/state", headers={"origin": "https://evil.example"}))

    assert answer.status_code == 403
