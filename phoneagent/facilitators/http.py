"""The Facilitator port over any x402 facilitator that speaks HTTP: POST verify, POST settle.

It must never change a byte of payload or requirements, follow a redirect, or log what it sends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from phoneagent.core.errors import Unavailable
from phoneagent.core.payment import Payment
from phoneagent.core.ports import SettleAnswer, SettleUnknown, VerifyAnswer
from phoneagent.facilitators.exchange import Limits, NoAnswer, Reply, get, post
from phoneagent.facilitators.supported import Support, support_in
from phoneagent.facilitators.verdicts import settle_answer, verify_answer

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

BODY_MOST_BYTES = 64 * 1024
"""reliability.md A13."""

_SUPPORTED_LIMITS = Limits(5.0, BODY_MOST_BYTES)
"""A start does not wait long for a description."""

AuthHeaders = Callable[[str, str], Mapping[str, str]]
"""``(method, url)`` → headers that sign this one request, as CDP wants them."""


class HttpFacilitator:
    """A facilitator at ``url`` over a shared httpx client, which the owner closes."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        *,
        verify_timeout_s: float = 10.0,
        settle_timeout_s: float = 30.0,
        auth_headers: AuthHeaders | None = None,
    ) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._verify_limits = Limits(verify_timeout_s, BODY_MOST_BYTES)
        self._settle_limits = Limits(settle_timeout_s, BODY_MOST_BYTES)
        self._auth_headers = auth_headers

    async def verify(self, payment: Payment) -> VerifyAnswer:
        try:
            return verify_answer(await self._post("verify", payment, self._verify_limits))
        except NoAnswer as exc:
            logger.warning("facilitator gave no verdict", extra={"verb": "verify", "reason": exc.reason})
            raise Unavailable("facilitator_unavailable", "the facilitator gave no verdict") from exc

    async def settle(self, payment: Payment) -> SettleAnswer:
        try:
            answer = settle_answer(await self._post("settle", payment, self._settle_limits))
        except NoAnswer as exc:
            answer = SettleUnknown(exc.reason, was_asked=exc.was_sent)
        if isinstance(answer, SettleUnknown):
            logger.warning("facilitator gave no verdict", extra={"verb": "settle", "reason": answer.reason})
        return answer

    async def supported(self) -> Support:
        """Return what the facilitator says it can do. Raises Unavailable when it says nothing understood."""
        url = f"{self._url}/supported"
        try:
            return support_in(await get(self._http, url, _SUPPORTED_LIMITS, self._headers("GET", url)))
        except NoAnswer as exc:
            raise Unavailable("facilitator_unavailable", f"no answer to /supported: {exc.reason}") from exc

    async def _post(self, verb: str, payment: Payment, limits: Limits) -> Reply:
        url = f"{self._url}/{verb}"
        return await post(self._http, url, request_body(payment), limits, self._headers("POST", url))

    def _headers(self, method: str, url: str) -> Mapping[str, str] | None:
        return self._auth_headers(method, url) if self._auth_headers else None


def request_body(payment: Payment) -> bytes:
    """Return the body of both calls with the payment's canonical bytes spliced in unchanged (ARCHITECTURE §4.6)."""
    return b'{"x402Version":%d,"paymentPayload":%b,"paymentRequirements":%b}' % (
        payment.version,
        payment.payload,
        payment.requirements,
    )
