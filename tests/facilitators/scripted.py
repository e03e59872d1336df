"""Facilitators' answers as they were seen or are documented (x402.md §2, §2.1), and what each means behind our port.

A 200 with a verdict is everybody's; the others are CDP's own, except where named.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from phoneagent.core.ports import (
    Facilitator,
    SettleAnswer,
    SettleClaimed,
    SettleDeclined,
    SettleUnknown,
    Verified,
    VerifyAnswer,
    VerifyRefused,
)
from phoneagent.facilitators import CdpSigner, FacilitatorList, HttpFacilitator, Member
from tests.facilitators.assignments import MemoryAssignments
from tests.facilitators.cdp_shell import BASE_PATH, KEY_ID, CdpShell, ed25519_key
from tests.facilitators.serving import served, unused_url
from tests.facilitators.world import World

TX = "0x" + "ab" * 32
PAYER = "0x857b06519E91e3A54538791bDbb0E22373e36b66"
AWAY = "facilitator_unavailable"


@dataclass(frozen=True)
class Body:
    """One answer: what it is called here, how it looks, what it means. Bytes are sent as they are."""

    name: str
    status: int
    content: object
    means: VerifyAnswer | SettleAnswer | str

    @property
    def is_for_verify(self) -> bool:
        return self.means == AWAY or isinstance(self.means, Verified | VerifyRefused)

    def __str__(self) -> str:
        return f"{'verify' if self.is_for_verify else 'settle'} {self.status} {self.name}"


def invalid(reason: str) -> dict[str, Any]:
    return {"isValid": False, "invalidReason": reason, "invalidMessage": "words", "payer": PAYER}


def failed(reason: str, transaction: str | None = None) -> dict[str, Any]:
    body = {"success": False, "errorReason": reason, "errorMessage": "words", "payer": PAYER}
    return body if transaction is None else {**body, "transaction": transaction, "network": "eip155:8453"}


def error(kind: str) -> dict[str, Any]:
    return {
        "errorType": kind,
        "errorMessage": "words",
        "correlationId": "41deb8d5",
        "errorLink": "https://docs.example",
    }


def done(**changes: object) -> dict[str, Any]:
    return {"success": True, "payer": PAYER, "transaction": TX, "network": "eip155:8453", **changes}


def declined(reason: str, *, payer_at_fault: bool = False) -> SettleDeclined:
    return SettleDeclined(reason, payer_at_fault)


def away(status: int, kind: str) -> SettleUnknown:
    return SettleUnknown(f"status {status}: {kind}", was_asked=False)


FUNDS, BALANCE = "insufficient_funds", "invalid_exact_evm_insufficient_balance"
SIGNATURE, SIMULATION = "invalid_exact_evm_payload_signature", "invalid_exact_evm_transaction_simulation_failed"
USED = "invalid_exact_evm_nonce_already_used"

BODIES = [
    Body("yes", 200, {"isValid": True, "payer": PAYER}, Verified()),
    *[Body(word, 400, invalid(word), VerifyRefused(word)) for word in (FUNDS, BALANCE, SIGNATURE, SIMULATION, USED)],
    Body("no with 200 as others say it", 200, invalid(FUNDS), VerifyRefused(FUNDS)),
    Body("a word nobody knows", 400, invalid("brand_new"), VerifyRefused("brand_new")),
    Body("kyt", 400, invalid("kyt_risk_detected"), VerifyRefused("kyt_risk_detected")),
    Body("schema error", 400, error("invalid_request"), AWAY),
    Body("unauthorized", 401, error("unauthorized"), AWAY),
    Body("our bill is unpaid", 402, error("payment_method_required"), AWAY),
    Body("too fast", 429, error("rate_limit_exceeded"), AWAY),
    Body("internal", 500, error("internal_server_error"), AWAY),
    Body("bad gateway", 502, error("bad_gateway"), AWAY),
    Body("html of an edge", 503, b"<html>", AWAY),
    Body("isValid is missing", 200, {"payer": PAYER}, AWAY),
    Body("yes with a status of its own", 202, {"isValid": True}, AWAY),
    Body("settled", 200, done(), SettleClaimed(TX)),
    Body("settled without a hash", 200, done(transaction=""), SettleClaimed(None)),
    *[Body(word, 400, failed(word), declined(word, payer_at_fault=True)) for word in (FUNDS, BALANCE, SIMULATION)],
    Body("used", 400, failed(USED), declined(USED)),
    Body("kyt", 400, failed("kyt_risk_detected"), declined("kyt_risk_detected")),
    Body(
        "from there we take no money",
        400,
        failed("request_blocked_by_location"),
        declined("request_blocked_by_location"),
    ),
    Body("a word nobody knows", 400, failed("brand_new"), declined("brand_new")),
    Body("no with 200 as others say it", 200, failed(FUNDS), declined(FUNDS, payer_at_fault=True)),
    Body("pending", 500, failed("settlement_pending", TX), SettleUnknown("settlement_pending", TX)),
    Body("pending with 200", 200, failed("settlement_pending", TX), SettleUnknown("settlement_pending", TX)),
    Body("failed with a hash", 400, failed("transaction_failed", TX), SettleUnknown("transaction_failed", TX)),
    Body("sent twice", 400, failed("duplicate_settlement"), SettleUnknown("duplicate_settlement")),
    Body(
        "not confirmed in time",
        400,
        failed("settle_exact_evm_transaction_confirmation_timed_out"),
        SettleUnknown("settle_exact_evm_transaction_confirmation_timed_out"),
    ),
    Body("node failure", 400, failed("settle_exact_node_failure"), SettleUnknown("settle_exact_node_failure")),
    Body("failed on chain", 400, failed("settle_exact_failed_onchain"), SettleUnknown("settle_exact_failed_onchain")),
    Body("no reason", 400, {"success": False, "payer": PAYER}, SettleUnknown("no reason given")),
    Body("success is missing", 200, {"transaction": TX}, SettleUnknown("status 200: no reason given", TX)),
    Body("success is a word", 200, done(success="true"), SettleUnknown("status 200: no reason given", TX)),
    Body("success with a 500", 500, done(), SettleUnknown("status 500: no reason given", TX)),
    Body(
        "success and failure", 200, b'{"success":true,"success":false}', SettleUnknown("status 200, body is not JSON")
    ),
    Body("schema error", 400, error("invalid_request"), away(400, "invalid_request")),
    Body("unauthorized", 401, error("unauthorized"), away(401, "unauthorized")),
    Body("our bill is unpaid", 402, error("payment_method_required"), away(402, "payment_method_required")),
    Body("too fast", 429, error("rate_limit_exceeded"), away(429, "rate_limit_exceeded")),
    Body("internal", 500, error("internal_server_error"), SettleUnknown("status 500: internal_server_error")),
    Body("bad gateway", 502, error("bad_gateway"), SettleUnknown("status 502: bad_gateway")),
    Body("html of an edge", 503, b"<html>", SettleUnknown("status 503, body is not JSON")),
    Body("nothing", 200, b"", SettleUnknown("status 200, body is not JSON")),
]


@dataclass(frozen=True)
class Scripted:
    """A facilitator behind our port, and the shell that answers what is planned."""

    facilitator: Facilitator
    shell: CdpShell


@contextlib.asynccontextmanager
async def scripted(kind: str, world: World) -> AsyncIterator[Scripted]:
    key, secret = ed25519_key()
    shell = CdpShell(key, world.clock.now_s)
    signer = CdpSigner(KEY_ID, secret, world.clock.now_s)
    async with served(shell) as url:
        signed = HttpFacilitator(world.http, url + BASE_PATH, auth_headers=signer)
        if kind == "list":
            members = [Member("away", HttpFacilitator(world.http, unused_url())), Member("cdp", signed)]
            clock = world.clock.monotonic_s
            yield Scripted(FacilitatorList(members, MemoryAssignments(), world.witness(), clock), shell)
        else:
            yield Scripted(signed, shell)
