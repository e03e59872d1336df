"""Whether this process lives and whether it should get requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HEADERS = {"cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class Health:
    """``ready`` returns each dependency by name and whether it answers."""

    ready: Callable[[], Awaitable[Mapping[str, bool]]]

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/healthz", self.healthz), Route("/readyz", self.readyz)]

    async def healthz(self, _request: Request) -> Response:
        """Answer: the process is alive."""
        return JSONResponse({"status": "ok"}, headers=HEADERS)

    async def readyz(self, _request: Request) -> Response:
        """Answer 200 when everything this process needs answers, 503 otherwise."""
        parts = await self.ready()
        status = 200 if all(parts.values()) else 503
        return JSONResponse({"status": "ready" if status == 200 else "not ready", **parts}, status, HEADERS)  # noqa: PLR2004  HTTP
