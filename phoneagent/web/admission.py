"""Who is let in, as pure ASGI around everything else: nobody while the process stops, nobody faster than the limits.

It must never wait, read a store or look at a body: the unpaid 402 passes through here.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from phoneagent.core.errors import CallerLimited, Unavailable
from phoneagent.services.draining import Draining
from phoneagent.services.limit import CallerLimits
from phoneagent.web import problems
from phoneagent.web.callers import Callers

HEALTH_PATH = "/healthz"
"""Asked by whoever keeps this process alive: answered always, even while it stops."""

CALLER = "phoneagent.caller"
"""Where in the scope the caller's name stands."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What is asked at the entrance."""

    callers: Callers
    limits: CallerLimits
    draining: Draining


class AdmissionMiddleware:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        """Let requests in by ``admission``."""
        self._app = app
        self._callers = admission.callers
        self._limit = admission.limits.any_request
        self._draining = admission.draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or send it away."""
        if scope["type"] != "http" or scope["path"] == HEALTH_PATH:
            await self._app(scope, receive, send)
            return
        if self._draining.has_begun:
            await stopping_response()(scope, receive, send)
            return
        caller = scope[CALLER] = self._callers.of(scope)
        try:
            self._limit.take(caller)
        except CallerLimited as error:
            await problems.problem(error)(scope, receive, send)
            return
        await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; a request cut off because the grace is over is told so, and not that we are broken."""
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if self._draining.has_begun:
                with contextlib.suppress(RuntimeError):  # it was being answered already
                    await stopping_response()(scope, receive, send)
            raise


def stopping_response() -> Response:
    """Return what every request gets while the process stops: the same payment is good at another process."""
    response = problems.problem(Unavailable("shutting_down"))
    response.headers["connection"] = "close"
    return response


def caller_of(scope: Scope) -> str | None:
    """Return the caller that the entrance has named; None for one without an address."""
    caller: str | None = scope.get(CALLER)
    return caller
