"""One bounded exchange of JSON: a deadline for the whole exchange, a cap on the answer, no redirects, no encodings.

It must never log or keep a body, and no httpx exception may leave it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

_HEADERS = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
"""``identity``: a body that unpacks to gigabytes cannot be sent to us in sixty-four kilobytes."""

ObjectOf = Callable[[list[tuple[str, object]]], object]
"""Makes an object of its members; raises ValueError where they contradict each other."""

_Asked = tuple[str, str, bytes | None]
"""Method, address and body of a request."""

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class NoAnswer(Exception):
    """No readable answer came. ``was_sent`` False proves that no byte of the request reached the other side."""

    def __init__(self, reason: str, *, was_sent: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.was_sent = was_sent


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer."""

    status: int
    body: bytes

    def json(self, object_of: ObjectOf | None = None) -> object:
        """Return the body as JSON, its objects made by ``object_of``; raises NoAnswer when it is none."""
        try:
            return json.loads(self.body, object_pairs_hook=object_of)
        except (ValueError, RecursionError) as exc:
            raise NoAnswer(f"status {self.status}, body is not JSON") from exc


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one exchange may take, connecting included, and how large its answer may be."""

    timeout_s: float
    most_bytes: int


async def post(
    http: httpx.AsyncClient, url: str, body: bytes, limits: Limits, headers: Mapping[str, str] | None = None
) -> Reply:
    """POST ``body`` and return whatever status comes back; raises NoAnswer for everything short of a whole reply."""
    return await _bounded(http, ("POST", url, body), limits, headers)


async def get(http: httpx.AsyncClient, url: str, limits: Limits, headers: Mapping[str, str] | None = None) -> Reply:
    """GET ``url``, as ``post`` does."""
    return await _bounded(http, ("GET", url, None), limits, headers)


async def _bounded(http: httpx.AsyncClient, asked: _Asked, limits: Limits, headers: Mapping[str, str] | None) -> Reply:
    try:
        async with asyncio.timeout(limits.timeout_s):
            return await _exchange(http, asked, limits, headers or {})
    except TimeoutError as exc:
        raise NoAnswer("timeout") from exc
    except httpx.HTTPError as exc:
        raise NoAnswer(type(exc).__name__, was_sent=not isinstance(exc, _NEVER_LEFT)) from exc


async def _exchange(http: httpx.AsyncClient, asked: _Asked, limits: Limits, headers: Mapping[str, str]) -> Reply:
    method, url, body = asked
    request = http.stream(
        method,
        url,
        content=body,
        headers={**_HEADERS, **headers},
        timeout=limits.timeout_s,
        follow_redirects=False,
    )
    async with request as response:
        received = bytearray()
        async for chunk in response.aiter_raw():
            received += chunk
            if len(received) > limits.most_bytes:
                raise NoAnswer(f"status {response.status_code}, body over {limits.most_bytes} bytes")
        return Reply(response.status_code, bytes(received))
