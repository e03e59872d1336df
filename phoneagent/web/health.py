"""Whether this process lives and whether it should get requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phoneagent.core.errors import Unavailable
from phoneagent.services.limit import CallerLimits
from phoneagent.services.permits import Permits
from phoneagent.web.admission import caller_of

HEADERS = {"cache-control": "no-store"}

_CODE_OF_PART = {"store": "store_unavailable", "catalogue": "provider_unavailable"}


@dataclass(frozen=True, slots=True)
class Health:
    """``ready`` returns each dependency by name and whether it answers."""

    ready: Callable[[], Awaitable[Mapping[str, bool]]]
    limits: CallerLimits
    permits: Permits = field(default_factory=Permits)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/healthz", self.healthz), Route("/readyz", self.readyz)]

    async def healthz(self, _request: Request) -> Response:
        """Answer: the process is alive."""
        return JSONResponse({"status": "ok"}, headers=HEADERS)

    async def readyz(self, request: Request) -> Response:
        """Answer 200 when everything this process needs answers. Raises Unavailable over the first that does not."""
        self.limits.costly.take(caller_of(request.scope))
        parts = dict(await self.ready())
        for name, answers in parts.items():
            if not answers:
                raise Unavailable(_CODE_OF_PART.get(name, "internal_error"), f"not ready: {name}", parts=parts)
        body = {"status": "ready", "parts": parts, "switched_off": self.permits.switched_off()}
        return JSONResponse(body, headers=HEADERS)
