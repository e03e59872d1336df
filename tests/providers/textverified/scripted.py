"""A host that answers what a test tells it to, per method and path, and remembers what it was asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

API = "/api/pub/v2"
TOKEN = "eyJ-scripted"
PENDING: dict[str, Any] = {
    "id": "lr_01A",
    "number": "7755551234",
    "state": "verificationPending",
    "totalCost": 0.5,
    "serviceName": "google",
    "createdAt": "2026-09-21T14:13:20+00:00",
}
"""A verification made at the moment at which the tests' clock starts."""


@dataclass(slots=True)
class Said:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ScriptedHost:
    """``answers`` holds a list of answers for "METHOD path"; the last one stays."""

    answers: dict[str, list[Said]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def says(self, what: str, value: object, status: int = 200, **headers: str) -> None:
        """Answer this next; a string is a page, anything else JSON."""
        body = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else _json(value)
        self.answers.setdefault(what, []).append(Said(status, body, headers))

    def sells(self) -> None:
        """Hand out a token, sell one number and show no SMS."""
        self.says("POST /auth", {"token": TOKEN, "expiresIn": 899, "expiresAt": "2026-09-21T14:28:19+00:00"})
        self.says("POST /verifications", self.link("verifications/lr_01A"), 201)
        self.says("GET /verifications/lr_01A", PENDING)
        self.says("GET /sms", self.page([]))

    @staticmethod
    def link(path: str, method: str = "GET") -> dict[str, str]:
        return {"method": method, "href": f"https://www.textverified.com{API}/{path}"}

    def page(self, rows: list[Any], next_path: str | None = None) -> dict[str, Any]:
        links = {"next": None if next_path is None else self.link(next_path)}
        return {"data": rows, "hasNext": next_path is not None, "count": len(rows), "links": links}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await request.body()
        what = f"{request.method} {request.url.path.removeprefix(API)}"
        self.asked.append(what)
        self.requests.append(request)
        answers = self.answers.get(what, [Said(404, b"no such page")])
        said = answers.pop(0) if len(answers) > 1 else answers[0]
        await Response(said.body, said.status, headers=said.headers)(scope, receive, send)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
