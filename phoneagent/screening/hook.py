"""The operator's own screening over HTTP: one POST a payer, answered with a verdict.

``POST {"address": "0x…", "chain_id": 8453}`` → 200 ``{"allow": true | false, "reason": "…"}``. Anything else, and no
answer in time, is no verdict; what that means for a payer is the operator's decision, and must never be guessed.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass

import httpx

from phoneagent.core.errors import Unavailable
from phoneagent.core.ports import Cleared, Flagged, ScreeningAnswer

logger = logging.getLogger(__name__)

MOST_BYTES = 65_536
MOST_REASON_CHARS = 200
_OK = 200


@dataclass(frozen=True, slots=True)
class HookTerms:
    """Where the hook is, what opens it, how long it may take, and whether a payer passes when it says nothing."""

    url: str
    token: str | None
    timeout_s: float
    chain_id: int
    fails_open: bool = False


class _NoVerdictError(Exception):
    """The answer says neither yes nor no; the message says what it was."""


class Hook:
    """The `Screening` port on an operator's URL."""

    def __init__(self, http: httpx.AsyncClient, terms: HookTerms) -> None:
        """Ask through a long-lived client that follows no redirects."""
        self._http = http
        self._terms = terms

    async def check(self, payer: str) -> ScreeningAnswer:
        """See the port."""
        try:
            async with asyncio.timeout(self._terms.timeout_s):
                return _verdict(await self._asked(payer))
        except (httpx.HTTPError, TimeoutError, _NoVerdictError) as exc:
            said = str(exc) if isinstance(exc, _NoVerdictError) else type(exc).__name__
            return self._without_verdict(said, exc)

    def _without_verdict(self, said: str, exc: Exception) -> ScreeningAnswer:
        logger.error("screening gave no verdict", extra={"said": said})
        if self._terms.fails_open:
            return Cleared()
        raise Unavailable("screening_unavailable") from exc

    async def _asked(self, payer: str) -> bytes:
        headers = {"authorization": f"Bearer {self._terms.token}"} if self._terms.token else {}
        body = {"address": payer, "chain_id": self._terms.chain_id}
        async with self._http.stream("POST", self._terms.url, json=body, headers=headers) as response:
            if response.status_code != _OK:
                raise _NoVerdictError(f"status {response.status_code}")
            text = b""
            async for part in response.aiter_bytes():
                text += part
                if len(text) > MOST_BYTES:
                    raise _NoVerdictError("an endless answer")
            return text


def _verdict(text: bytes) -> ScreeningAnswer:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _NoVerdictError("not JSON") from exc
    allow = said.get("allow") if isinstance(said, dict) else None
    if not isinstance(allow, bool):
        raise _NoVerdictError("no `allow` that is true or false")
    reason = said.get("reason")
    if allow:
        return Cleared()
    return Flagged(reason[:MOST_REASON_CHARS] if isinstance(reason, str) and reason else "refused by the hook")
