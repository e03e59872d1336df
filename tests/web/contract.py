"""The service's own OpenAPI document as a judge: every answer that a test gets is held against it.

It must never pass an answer the document does not describe: unknown members, codes, statuses and headers fail.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator

JUDGED_HEADERS = ("x-payment-required", "payment-required", "x-payment-response", "payment-response", "retry-after")


class Contract:
    """Judges responses by one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._components = copy.deepcopy(document["components"])
        _close(self._components["schemas"])
        self._paths = [(re.compile(_pattern(path)), path) for path in document["paths"]]

    async def judge(self, response: httpx.Response) -> None:
        """An event hook of httpx: fails unless the document describes this response."""
        await response.aread()
        self.judge_read(response)

    def judge_read(self, response: httpx.Response) -> None:
        """Fail unless the document describes this response, whose body has been read."""
        path = self._path(response.request.url.path)
        described = self.document["paths"].get(path, {}).get(response.request.method.lower())
        if described is None:
            self._judge_refusal_of_router(response)
            return
        status = str(response.status_code)
        assert status in described["responses"], f"{response.request.method} {path}: {status} is not documented"
        self._judge_body(response, described["responses"][status]["content"])
        self._judge_headers(response, described["responses"][status].get("headers", {}))

    def validate(self, schema: dict[str, Any], value: object) -> None:
        """Fail unless the value is what a schema of the document says, and nothing more."""
        validator = Draft202012Validator(
            {**schema, "components": self._components}, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        validator.validate(value)

    def _path(self, path: str) -> str:
        return next((template for pattern, template in self._paths if pattern.fullmatch(path)), path)

    def _judge_refusal_of_router(self, response: httpx.Response) -> None:
        is_preflight = (response.request.method, response.status_code) == ("OPTIONS", 204)
        if response.request.method == "HEAD" or is_preflight:
            return
        assert response.headers["content-type"] == "application/problem+json"
        self.validate({"$ref": "#/components/schemas/Problem"}, response.json())

    def _judge_body(self, response: httpx.Response, content: dict[str, Any]) -> None:
        ((media, described),) = content.items()
        assert response.headers["content-type"].partition(";")[0] == media
        self.validate(described["schema"], response.json())
        if media == "application/problem+json":
            assert response.json()["status"] == response.status_code

    def _judge_headers(self, response: httpx.Response, described: dict[str, Any]) -> None:
        names = {name.lower(): self._components["headers"][name]["schema"] for name in described}
        for name in JUDGED_HEADERS:
            if name not in response.headers:
                continue
            assert name in names, f"{response.request.url.path}: header {name} is not documented"
            if "contentSchema" in names[name]:
                carried = json.loads(base64.b64decode(response.headers[name], validate=True))
                self.validate(names[name]["contentSchema"], carried)


def _pattern(path: str) -> str:
    return re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(path))


def _close(schema: object) -> None:
    """Let no object have members that are not described; what clients send stays open."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            _close(value)
    elif isinstance(schema, list):
        for value in schema:
            _close(value)
