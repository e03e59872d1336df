"""Where providers push their hints: `POST /hooks/{provider}/{secret}`.

The address holds a secret, so it must never show in a log or an answer; an unknown one is a page that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phoneagent.core.errors import NotFound
from phoneagent.services.hint import Hint
from phoneagent.services.limit import CallerLimits
from phoneagent.web.admission import caller_of
from phoneagent.web.body import read_bytes

MAX_HINT_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Hooks:
    """The endpoint over the verb."""

    hint: Hint
    limits: CallerLimits

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/hooks/{provider}/{secret}", self.post_hint, methods=["POST"])]

    async def post_hint(self, request: Request) -> Response:
        """Take a hint; whatever it says, the provider is told that it arrived.

        Who knows no secret is slowed down with those whose requests cost us something; a provider sends all its hints
        from one address and has only the limit of all requests.
        """
        provider = request.path_params["provider"]
        try:
            box = self.hint.mailbox(provider, request.path_params["secret"])
        except NotFound:
            self.limits.costly.take(caller_of(request.scope))
            raise
        body = await read_bytes(request, MAX_HINT_BYTES)
        await self.hint(provider, box, body, request.headers)
        return Response(status_code=200, headers={"cache-control": "no-store"})
