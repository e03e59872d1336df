"""One request of the simulated API, read: its path's id, its query and the members of its body.

It must never guess: what is missing or of another kind is the host's own 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from phoneagent.core import money
from phoneagent.dev.simulators.textverified.verification import RefusedError
from phoneagent.dev.simulators.textverified.wire import Links

__all__ = ["Call"]

PRICE_LIMIT = 10**6


class Call:
    """One request of the API: its path's id, its query and its JSON body, with what is needed to answer it."""

    def __init__(self, request: Request, body: Mapping[str, Any]) -> None:
        """Read what actions need."""
        self.links = Links(f"{request.url.scheme}://{request.headers.get('host', '')}")
        self.id = str(request.path_params.get("id", ""))
        self.query = dict(parse_qsl(request.url.query))
        self._body = body

    def text(self, name: str) -> str:
        """Return a member that must be there. Raises RefusedError."""
        value = self._body.get(name)
        if not isinstance(value, str) or not value:
            raise RefusedError("InvalidRequest", f"{name} is required.")
        return value

    def flag(self, name: str) -> bool:
        """Return a member that must be true or false. Raises RefusedError."""
        value = self._body.get(name)
        if not isinstance(value, bool):
            raise RefusedError("InvalidRequest", f"{name} must be true or false.")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list that may be missing. Raises RefusedError."""
        value = self._body.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise RefusedError("InvalidRequest", f"{name} must be a list of texts.")
        return tuple(value)

    def price_atomic(self, name: str) -> int | None:
        """Return an amount that may be missing, in micro-USD, rounded down. Raises RefusedError."""
        value = self._body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < PRICE_LIMIT:
            raise RefusedError("InvalidRequest", f"{name} must be an amount.")
        return money.atomic(f"{value:.6f}")

    def check_capability(self) -> None:
        """Refuse what is no capability, or one that no number here has."""
        if self.text("capability").lower() != "sms":
            raise RefusedError("InvalidCapability", "The capability is not supported.")
