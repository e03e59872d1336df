"""Webhooks of the simulated TextVerified: signed, sent once for each SMS, again where the receiver does not take them.

They go to an address on this machine and nowhere else, and never hold up the API.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from phoneagent.dev.control import BadOrderError, Faults
from phoneagent.dev.simulators.textverified.account import Account
from phoneagent.dev.simulators.textverified.verification import Sms, Verification
from phoneagent.dev.simulators.textverified.wire import timestamp

__all__ = ["SIGNATURE_HEADER", "WEBHOOK", "WEBHOOK_KINDS", "Hooks"]

WEBHOOK = "webhook"
"""The action of the faults that strike webhooks."""

WEBHOOK_KINDS = frozenset({"duplicate_webhook", "late_webhook"})
SIGNATURE_HEADER = "X-Webhook-Signature"
ATTEMPTS = 3
FIRST_RETRY_S = 1.0
"""The host retries with a growing pause and then gives up (providers.md §2); how often is not said."""

LATE_S = 5.0
"""How late a late webhook is unless the fault says."""

TIMEOUT_S = 5.0
LOOK_S = 0.05
"""How often the dev clock is looked at for an SMS that has become due."""

HIGHEST_PORT = 65_535
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class _Event:
    number: int
    occurred_at_ms: int
    data: Mapping[str, Any]

    def body(self, attempt: int) -> bytes:
        return json.dumps(
            {
                "attempt": attempt,
                "occurredAt": timestamp(self.occurred_at_ms),
                "data": self.data,
                "event": "v2.sms.received",
                "id": f"evt_{self.number:08d}",
            },
            separators=(",", ":"),
        ).encode()


class Hooks:
    """The webhook that is configured in the host's dashboard: an address and a secret, or none."""

    def __init__(self, account: Account, faults: Faults, first_retry_s: float = FIRST_RETRY_S) -> None:
        """Send what arrives on ``account``, with the faults that are due."""
        self._account = account
        self._faults = faults
        self._first_retry_s = first_retry_s
        self._url: str | None = None
        self._secret = ""
        self._sent = 0

    def configure(self, url: object, secret: object) -> dict[str, str | None]:
        """Set or, with a null ``url``, remove the address; return it with its secret. Raises BadOrderError."""
        if url is not None and not _is_here(url):
            raise BadOrderError("webhook_url must be an http address on this machine")
        if secret is not None and not isinstance(secret, str):
            raise BadOrderError("webhook_secret must be a string")
        self._url = None if url is None else str(url)
        self._secret = secret or self._secret or f"whsec_{secrets.token_urlsafe(24)}"
        return {"webhook_url": self._url, "webhook_secret": self._secret if url else None}

    async def run(self) -> None:
        """Send webhooks until cancelled."""
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as client, asyncio.TaskGroup() as group:
            while True:
                for event in self._new_events():
                    group.create_task(self._send(client, event))
                await asyncio.sleep(LOOK_S)

    async def send_due(self, client: httpx.AsyncClient) -> None:
        """Send everything that is due now, and return when it has been taken or given up."""
        await asyncio.gather(*(self._send(client, event) for event in self._new_events()))

    def _new_events(self) -> list[_Event]:
        arrived = self._account.take_arrived()
        if self._url is None:
            return []
        events = []
        for found, sms in arrived:
            self._sent += 1
            events.append(_Event(self._sent, sms.at_ms, _sms_data(found, sms)))
        return events

    async def _send(self, client: httpx.AsyncClient, event: _Event) -> None:
        fault = self._faults.take(WEBHOOK)
        if fault is not None and fault.kind == "late_webhook":
            await asyncio.sleep(fault.delay_s or LATE_S)
        pause_s = self._first_retry_s
        for attempt in range(1, ATTEMPTS + 1):
            if await self._is_taken(client, event.body(attempt)):
                break
            await asyncio.sleep(pause_s)
            pause_s *= 2
        if fault is not None and fault.kind == "duplicate_webhook":
            await self._is_taken(client, event.body(1))

    async def _is_taken(self, client: httpx.AsyncClient, body: bytes) -> bool:
        url = self._url
        if url is None:
            return True
        digest = hmac.new(self._secret.encode(), body, hashlib.sha512).digest()
        signature = "HMAC-SHA512=" + base64.b64encode(digest).decode()
        headers = {"content-type": "application/json", SIGNATURE_HEADER: signature}
        try:
            return (await client.post(url, content=body, headers=headers)).is_success
        except httpx.HTTPError:
            return False


def _is_here(url: object) -> bool:
    try:
        parts = httpx.URL(str(url))
    except httpx.InvalidURL:
        return False
    return parts.scheme in {"http", "https"} and parts.host in _LOOPBACK and (parts.port or 0) <= HIGHEST_PORT


def _sms_data(found: Verification, sms: Sms) -> dict[str, Any]:
    return {
        "from": sms.sender or None,
        "to": found.number,
        "createdAt": timestamp(sms.at_ms),
        "smsContent": sms.text,
        "parsedCode": sms.code,
        "encrypted": False,
        "reservationId": found.id,
    }
