"""One call to a host over HTTP: bounded in time and size, answered with a parsed reply or with why there is none.

It must never repeat a call, follow a redirect, or let the API key be seen by anything but the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus, urlencode

import httpx

from phoneagent.providers.smsactivate import parse
from phoneagent.providers.smsactivate.profile import Profile

__all__ = ["Answer", "NoAnswerError", "NotSentError", "Wire"]

RAW_MOST_CHARS = 200
TEXT_MOST_BYTES = 65_536
LIST_MOST_BYTES = 1_048_576
PRICES_MOST_BYTES = 16 * 1_048_576
"""A full price list of the largest known host (195 countries, 811 services) stays under half of this."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_NO_CONTENT = 204
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


class NoAnswerError(Exception):
    """The host may have acted, but no complete answer came. Its text is evidence and holds no secret."""


class NotSentError(NoAnswerError):
    """Not one byte of the call left this machine, so the host cannot have acted."""


class Answer:
    """What came back. ``is_fault``: the status says the host itself failed, so no refusal in it can be trusted.

    ``is_empty_success``: HTTP 204, with which some hosts answer what they did (providers.md §1.1, §1.7).
    """

    def __init__(self, status: int, body: bytes, secrets: Iterable[str]) -> None:
        """Parse the body, whatever the status."""
        self.reply = parse.parse(body)
        self.is_fault = status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS
        self.is_empty_success = status == _NO_CONTENT
        self._status = status
        self._secrets = tuple(secrets)

    @property
    def raw(self) -> str:
        """The host's own words as evidence, cut short and without the key, which error pages like to repeat."""
        words = self.reply.text
        for secret in self._secrets:
            words = words.replace(secret, "***")
        words = words[:RAW_MOST_CHARS] or "an empty body"
        return f"HTTP {self._status}: {words}" if self.is_fault or self.is_empty_success else words


class Wire:
    """The host's handler behind an injected client, which is not closed here."""

    def __init__(self, client: httpx.AsyncClient, profile: Profile, api_key: str) -> None:
        """Keep the key private: no repr and no error shows it."""
        self._client = client
        self._profile = profile
        self._api_key = api_key
        self._handler = httpx.URL(profile.base_url)
        self._secrets = {api_key, quote_plus(api_key)}

    async def call(
        self, action: str, params: Mapping[str, str], *, timeout_s: float, most_bytes: int = TEXT_MOST_BYTES
    ) -> Answer:
        """Send one action. Raises NotSentError or NoAnswerError, which do not tell the key."""
        try:
            async with asyncio.timeout(timeout_s):
                status, body = await self._get(action, params, timeout_s, most_bytes)
        except _NEVER_SENT as exc:
            raise NotSentError(f"{action}: {type(exc).__name__}") from exc
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise NoAnswerError(f"{action}: {type(exc).__name__}") from exc
        return Answer(status, body, self._secrets)

    async def _get(
        self, action: str, params: Mapping[str, str], timeout_s: float, most_bytes: int
    ) -> tuple[int, bytes]:
        connect_s = self._profile.connect_timeout_s
        body = bytearray()
        async with self._client.stream(
            "GET",
            self._handler,
            headers={"accept-encoding": "identity"},
            extensions={"target": self._target(action, params)},
            timeout=httpx.Timeout(timeout_s, connect=connect_s, pool=connect_s),
            follow_redirects=False,
        ) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > most_bytes:
                    raise NoAnswerError(f"{action}: HTTP {response.status_code}, more than {most_bytes} bytes")
        return response.status_code, bytes(body)

    def _target(self, action: str, params: Mapping[str, str]) -> bytes:
        """Return path and query as they go over the wire.

        httpx logs the URL of every request and keeps it in its exceptions, and the protocol wants the key in it. So
        the request's URL is the bare handler, and the query is told to the transport alone (httpx docs, "target").
        """
        query = urlencode({"api_key": self._api_key, "action": action, **params})
        return self._handler.raw_path + b"?" + query.encode("ascii")
