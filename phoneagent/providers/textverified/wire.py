"""Calls to the host over HTTP: bounded in time and size, carrying a bearer token that many callers share.

It must never repeat a purchase, follow a redirect, or let key, username or token be seen by anything but the socket.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from phoneagent.core.ports import Clock
from phoneagent.providers.textverified import parse
from phoneagent.providers.textverified.profile import Profile

__all__ = ["Answer", "Credentials", "KeyRefusedError", "NoAnswerError", "NotSentError", "Wire"]

RAW_MOST_CHARS = 200
MOST_BYTES = 4 * 1_048_576
"""The list of services is the largest reply; some 2,000 of them at 150 bytes stay far below."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_UNAUTHORIZED = 401
_FORBIDDEN = 403

REFRESH_MARGIN_S = 60.0
"""A token lives 899 s (providers.md §2.1); a new one is fetched this long before its end."""

SHORTEST_TOKEN_S = 30.0
"""How long a token is used whose reply does not say how long it lives."""


class NoAnswerError(Exception):
    """The host may have acted, but no complete answer came. Its text is evidence and holds no secret."""


class NotSentError(NoAnswerError):
    """The call itself was never sent, so the host cannot have acted on it."""


class KeyRefusedError(NotSentError):
    """The host gives us no token: key or username are wrong, or the account is closed."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The account's API key and its username, an e-mail address."""

    api_key: str
    username: str

    def __repr__(self) -> str:
        """Show nothing."""
        return "Credentials(***)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``raw`` are the host's own words as evidence, cut short and without our secrets.

    ``is_foreign``: the body is not JSON, so somebody else speaks in the host's place, whatever the status.
    """

    status: int
    value: object
    location: str | None
    is_foreign: bool
    raw: str

    @property
    def is_fault(self) -> bool:
        """Tell whether the status says that the host itself failed, so that no refusal in it can be trusted."""
        return self.status >= _SERVER_ERROR or self.status == _TOO_MANY_REQUESTS

    @property
    def is_success(self) -> bool:
        """Tell whether the host did what was asked."""
        return httpx.codes.is_success(self.status) and not self.is_foreign

    @property
    def refusal(self) -> parse.Refusal | None:
        """Return the host's own refusal; None for success, for a fault, and for a page that somebody else wrote."""
        return parse.refusal(self.value) if httpx.codes.is_client_error(self.status) and not self.is_fault else None


class Wire:
    """The host's API behind an injected client, which is not closed here."""

    def __init__(self, client: httpx.AsyncClient, profile: Profile, credentials: Credentials, clock: Clock) -> None:
        """Keep the credentials private: no repr and no error shows them."""
        self._client = client
        self._profile = profile
        self._credentials = credentials
        self._clock = clock
        self._base = httpx.URL(profile.base_url.rstrip("/"))
        self._token = ""
        self._fresh_until_s = 0.0
        self._refreshing = asyncio.Lock()
        self._refreshed = 0
        self._refresh_fault: NotSentError | None = None

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, ends_at: float) -> Answer:
        """Send a call that may be repeated; a refused token is exchanged once. ``ends_at`` is the loop's time.

        Raises NotSentError or NoAnswerError.
        """
        token = await self._bearer(ends_at)
        answer = await self._send(method, path, body, token, ends_at)
        if answer.status != _UNAUTHORIZED:
            return answer
        self._forget(token)
        return await self._send(method, path, body, await self._bearer(ends_at), ends_at)

    async def send_once(self, method: str, path: str, body: Mapping[str, Any], *, ends_at: float) -> Answer:
        """Send a call that must not be repeated. Raises NotSentError while it is certain that nothing was sent."""
        token = await self._bearer(ends_at)
        answer = await self._send(method, path, body, token, ends_at)
        if answer.status == _UNAUTHORIZED:
            self._forget(token)
        return answer

    # ---- the token -------------------------------------------------------------------------------------------------

    def _forget(self, token: str) -> None:
        """Drop a token that was refused, unless another caller has replaced it already."""
        if token == self._token:
            self._token = ""

    async def _bearer(self, ends_at: float) -> str:
        """Return a token that is good for now. Of many callers one fetches it, and all share its luck."""
        if self._is_fresh():
            return self._token
        seen = self._refreshed
        try:
            async with asyncio.timeout_at(ends_at), self._refreshing:
                if self._refreshed != seen and self._refresh_fault is not None:
                    raise type(self._refresh_fault)(str(self._refresh_fault)) from self._refresh_fault
                if not self._is_fresh():
                    await self._refresh(ends_at)
                return self._token
        except TimeoutError as exc:
            raise NotSentError("auth: TimeoutError") from exc

    def _is_fresh(self) -> bool:
        return bool(self._token) and self._clock.monotonic_s() < self._fresh_until_s

    async def _refresh(self, ends_at: float) -> None:
        try:
            self._refresh_fault = None
            await self._fetch_token(ends_at)
        except NotSentError as exc:
            self._refresh_fault = exc
            raise
        finally:
            self._refreshed += 1

    async def _fetch_token(self, ends_at: float) -> None:
        asked_at_s = self._clock.monotonic_s()
        headers = {"x-api-key": self._credentials.api_key, "x-api-username": self._credentials.username}
        try:
            answer = await self._exchange("POST", f"{parse.API_PATH}/auth", headers, b"", ends_at)
        except NoAnswerError as exc:
            raise NotSentError(f"auth: {exc}") from exc
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN}:
            raise KeyRefusedError(f"auth: {answer.raw}")
        token = parse.member(answer.value, "token")
        if not answer.is_success or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            # a body that was not understood may hold a token: it is no evidence
            raise NotSentError(f"auth: HTTP {answer.status}" + ("" if answer.is_success else f", {answer.raw}"))
        lives_s = _seconds(parse.member(answer.value, "expiresIn"))
        self._token = token
        self._fresh_until_s = asked_at_s + lives_s - min(REFRESH_MARGIN_S, lives_s / 2)

    # ---- one exchange ----------------------------------------------------------------------------------------------

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None, token: str, ends_at: float) -> Answer:
        headers = {"authorization": f"Bearer {token}"}
        content = b""
        if body is not None:
            headers["content-type"] = "application/json"
            content = json.dumps(body).encode()
        return await self._exchange(method, path, headers, content, ends_at)

    async def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes, ends_at: float
    ) -> Answer:
        try:
            async with asyncio.timeout_at(ends_at):
                return await self._stream(method, path, headers, content)
        except _NEVER_SENT as exc:
            raise NotSentError(f"{method}: {type(exc).__name__}") from exc
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise NoAnswerError(f"{method}: {type(exc).__name__}") from exc

    async def _stream(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Exchange one request for one answer.

        httpx logs the URL of every request and keeps it in its exceptions, and a query may hold a phone number. So
        the request's URL is the bare host, and the path is told to the transport alone (httpx docs, "target").
        """
        connect_s = self._profile.connect_timeout_s
        body = bytearray()
        async with self._client.stream(
            method,
            self._base,
            content=content,
            headers={"accept": "application/json", "accept-encoding": "identity", **headers},
            extensions={"target": self._base.raw_path.rstrip(b"/") + path.encode("ascii")},
            timeout=httpx.Timeout(self._profile.read_timeout_s, connect=connect_s, pool=connect_s),
            follow_redirects=False,
        ) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise NoAnswerError(f"{method}: HTTP {response.status_code}, more than {MOST_BYTES} bytes")
        value = parse.decoded(bytes(body))
        return Answer(
            status=response.status_code,
            value=value,
            location=response.headers.get("location"),
            is_foreign=value is None and bool(body.strip()),
            raw=self._scrubbed(response.status_code, bytes(body)),
        )

    def _scrubbed(self, status: int, body: bytes) -> str:
        words = body.decode("utf-8", "replace")
        for secret in filter(None, (self._credentials.api_key, self._credentials.username, self._token)):
            words = words.replace(secret, "***")
        return f"HTTP {status}: {words.strip()[:RAW_MOST_CHARS] or 'an empty body'}"


def _seconds(value: object) -> float:
    try:
        found = float(str(value))
    except ValueError:
        return SHORTEST_TOKEN_S
    return found if SHORTEST_TOKEN_S <= found <= 86_400 else SHORTEST_TOKEN_S  # noqa: PLR2004  one whole day
