"""One host as the adapter asks it: actions it lacks are remembered, and its paged lists are read whole or not at all.

It must never take a list with a gap for the whole list, and never ask a purchase twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx

from phoneagent.core.errors import Unavailable
from phoneagent.providers.smsactivate import parse, words
from phoneagent.providers.smsactivate.profile import Profile
from phoneagent.providers.smsactivate.rows import Row, listed
from phoneagent.providers.smsactivate.wire import LIST_MOST_BYTES, TEXT_MOST_BYTES, Answer, NoAnswerError, Wire

__all__ = ["Host"]

PAGES_MOST = 50
OVERLAP = 10
"""Rows that the next page is asked to repeat: one of them must be there, else the list has moved between the two."""

_DIGITS = re.compile(r"[0-9]{4,}")


class Host:
    """One account at one host."""

    def __init__(self, client: httpx.AsyncClient, profile: Profile, api_key: str) -> None:
        """The client stays its maker's. The key goes nowhere but to the host."""
        self._profile = profile
        self.wire = Wire(client, profile, api_key)
        self._lacking: set[str] = set()

    def has(self, action: str) -> bool:
        """Tell whether the profile names the action and the host has not said BAD_ACTION to it yet."""
        return action in self._profile.actions and action not in self._lacking

    def lacks(self, action: str, answer: Answer) -> bool:
        """Tell whether this answer says that the host does not know the action, and remember it."""
        match answer.reply:
            case parse.Word(words.UNSUPPORTED) if not answer.is_fault:
                self._lacking.add(action)
                return True
            case _:
                return False

    async def ask(self, action: str, params: Mapping[str, str], *, most_bytes: int = TEXT_MOST_BYTES) -> Answer:
        """Send a read or a closing call. Raises Unavailable when no answer came, or one that the host failed over."""
        timeout_s = self._profile.read_timeout_s
        try:
            answer = await self.wire.call(action, params, timeout_s=timeout_s, most_bytes=most_bytes)
        except NoAnswerError as exc:
            raise self.unavailable(str(exc)) from exc
        if answer.is_fault:
            raise self.unavailable(f"{action}: {answer.raw}")
        return answer

    async def active(self) -> tuple[Row, ...]:
        """Return every activation that is running. Raises Unavailable also when the list moved while it was read."""
        return await self._all("getActiveActivations", "start", "limit", {})

    async def history(self, since_ms: int, until_ms: int) -> tuple[Row, ...]:
        """Return every activation made between two times, running and over, as the host's history has them."""
        span = {"start": str(since_ms // 1000), "end": str(-(-until_ms // 1000))}
        return await self._all("getHistory", "offset", self._profile.history_size_param, span)

    async def _all(self, action: str, from_param: str, size_param: str, params: Mapping[str, str]) -> tuple[Row, ...]:
        found: dict[str, Row] = {}
        size, start = self._profile.page_rows, 0
        for _ in range(PAGES_MOST):
            page = await self._page(action, {**params, from_param: str(start), size_param: str(size)})
            if start and not any(row.id in found for row in page):
                raise self.unavailable(f"{action}: the list moved while it was read")
            grew = any(row.id not in found for row in page)
            found |= {row.id: row for row in page}
            if len(page) < size or not grew:
                return tuple(found.values())
            start += size - OVERLAP
        raise self.unavailable(f"{action}: no end after {PAGES_MOST} pages")

    async def _page(self, action: str, params: Mapping[str, str]) -> tuple[Row, ...]:
        answer = await self.ask(action, params, most_bytes=LIST_MOST_BYTES)
        page = listed(answer.reply)
        if page is None:
            self.lacks(action, answer)
            raise self.unavailable(f"{action}: {answer.raw}")
        return page

    def unavailable(self, evidence: str) -> Unavailable:
        """Return the error with the host's words as a note: for our logs, not for whoever called us.

        An answer that nobody understands may hold a number or a code, so its digits are blotted out.
        """
        error = Unavailable("provider_unavailable")
        error.add_note(f"{self._profile.name}: {_DIGITS.sub('#', evidence)}")
        return error
