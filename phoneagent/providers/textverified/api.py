"""The calls of the API that we use, as typed questions; a fault on the way or in the answer is Unavailable.

It must never put a text of an answer that succeeded into an error: it may be somebody's SMS.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from phoneagent.core.errors import Unavailable
from phoneagent.providers.textverified import parse
from phoneagent.providers.textverified.parse import API_PATH, Life, Sms, UnreadableError, Verification
from phoneagent.providers.textverified.profile import Profile
from phoneagent.providers.textverified.wire import Answer, NoAnswerError, Wire

__all__ = ["VERIFICATIONS", "Api"]

T = TypeVar("T")

VERIFICATIONS = f"{API_PATH}/verifications"
PAGES_MOST = 100
"""A list with more pages than this is not read to its end, and so proves nothing."""

_BAD_REQUEST, _NOT_FOUND = 400, 404
_ANY_NUMBER = {"areaCode": False, "carrier": False}
_MOBILE_SMS = {"numberType": "mobile", "capability": "sms"}
_LISTED = urlencode({"numberType": "mobile", "reservationType": "verification"})
_DIGITS = re.compile(r"[0-9]{4,}")


class Api:
    """One account's view of the API, for calls that may be repeated."""

    def __init__(self, wire: Wire, profile: Profile) -> None:
        """Speak through ``wire``."""
        self._wire = wire
        self._name = profile.name
        self._timeout_s = profile.read_timeout_s

    async def sms_services(self) -> frozenset[str]:
        """Return the host's names of the services that can be verified by SMS."""
        answer = await self.ask("GET", f"{API_PATH}/services?{_LISTED}")
        return self._read(parse.sms_services, answer)

    async def area_codes(self) -> dict[str, str]:
        """Return the area codes that can be chosen, with their states."""
        return self._read(parse.area_codes, await self.ask("GET", f"{API_PATH}/area-codes"))

    async def balance(self) -> int:
        """Return what is left on the account, in micro-USD, rounded down."""
        return self._read(parse.balance, await self.ask("GET", f"{API_PATH}/account/me"))

    async def price_atomic(self, service_name: str) -> int | None:
        """Return what a number costs now, in micro-USD; None where the host does not sell it."""
        body = {"serviceName": service_name, **_ANY_NUMBER, **_MOBILE_SMS}
        answer = await self.ask("POST", f"{API_PATH}/pricing/verifications", body)
        if answer.status in {_BAD_REQUEST, _NOT_FOUND}:
            return None
        return self._read(parse.price, answer)

    async def quantity(self, service_name: str) -> int:
        """Return how many numbers are in stock."""
        body = {"serviceName": service_name, **_MOBILE_SMS}
        answer = await self.ask("POST", f"{API_PATH}/inventory/verifications", body)
        return 0 if answer.status == _BAD_REQUEST else self._read(parse.quantity, answer)

    async def verification(self, verification_id: str) -> Verification | None:
        """Return a verification; None for one that the host itself says it does not know."""
        answer = await self.ask("GET", f"{VERIFICATIONS}/{verification_id}")
        return None if answer.status == _NOT_FOUND else self._read(parse.verification, answer)

    async def verifications(self) -> AsyncIterator[Sequence[Verification]]:
        """Yield the pages of the list of verifications."""
        async for rows in self._pages(VERIFICATIONS):
            yield self._understood(parse.verifications, rows)

    async def messages(self, found: Verification) -> Sequence[Sms]:
        """Return the SMS that the host files under a verification and its number."""
        query = {"to": (found.number or "")[1:], "reservationId": found.id, "reservationType": "verification"}
        shown: list[Sms] = []
        async for rows in self._pages(f"{API_PATH}/sms?{urlencode(query)}"):
            shown += self._understood(parse.messages, rows)
        return shown

    def life(self, found: Verification) -> Life:
        """Tell what a verification's state means."""
        return self._understood(parse.life_of, found.state)

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send a call that may be repeated; return the host's success or its own refusal, and raise for all else."""
        ends_at = asyncio.get_running_loop().time() + self._timeout_s
        try:
            answer = await self._wire.ask(method, path, body, ends_at=ends_at)
        except NoAnswerError as exc:
            raise self.unavailable(str(exc)) from exc
        if not answer.is_success and answer.refusal is None:
            raise self.unavailable(answer.raw)
        return answer

    def unavailable(self, evidence: str) -> Unavailable:
        """Return the error with the host's words as a note: for our logs, not for whoever called us.

        Words that nobody understands may hold a number or a code, so digits are blotted out.
        """
        error = Unavailable("provider_unavailable")
        error.add_note(f"{self._name}: {_DIGITS.sub('#', evidence)}")
        return error

    async def _pages(self, path: str) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        next_path: str | None = path
        for _ in range(PAGES_MOST):
            if next_path is None:
                return
            page = self._read(parse.page, await self.ask("GET", next_path))
            yield page.rows
            next_path = page.next_path
        if next_path is not None:
            raise self.unavailable(f"more than {PAGES_MOST} pages")

    def _read(self, read: Callable[[object], T], answer: Answer) -> T:
        if answer.refusal is not None:
            raise self.unavailable(answer.raw)
        return self._understood(read, answer.value)

    def _understood(self, read: Callable[[Any], T], value: object) -> T:
        try:
            return read(value)
        except UnreadableError as exc:
            raise self.unavailable(str(exc)) from exc
