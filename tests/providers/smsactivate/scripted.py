"""A host that answers what a test tells it to, and remembers what it was asked. It knows nothing of the protocol."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send


@dataclass(slots=True)
class ScriptedHost:
    body: bytes = b""
    status: int = 200
    content_type: str = "text/html; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterable[bytes] | None = None
    says_to: dict[str, bytes] = field(default_factory=dict)
    queries: list[dict[str, str]] = field(default_factory=list)

    def says(self, body: str | bytes, status: int = 200, content_type: str = "text/html; charset=UTF-8") -> None:
        self.body = body.encode() if isinstance(body, str) else body
        self.status, self.content_type = status, content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = dict(Request(scope).query_params)
        self.queries.append(query)
        body = self.says_to.get(query.get("action", ""), self.body)
        headers = self.headers | {"content-type": self.content_type}
        if self.stream is None:
            await Response(body, self.status, headers=headers)(scope, receive, send)
        else:
            await StreamingResponse(self.stream, self.status, headers=headers)(scope, receive, send)
