"""A raw client of the simulated TextVerified, as any outsider would write it, and the control API."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from phoneagent.dev.control import DevClock
from phoneagent.dev.simulators import TextVerifiedSimulator
from tests.dev.simulators.driver import Driver

KEY = "tvk-0123456789abcdef"
USERNAME = "agent@phone.example"
BALANCE_ATOMIC = 12_400_000
API = "/api/pub/v2"


def open_simulator(
    clock: DevClock, *, balance_atomic: int = BALANCE_ATOMIC, data_path: Path | None = None
) -> TextVerifiedSimulator:
    return TextVerifiedSimulator(
        clock, api_key=KEY, api_username=USERNAME, balance_atomic=balance_atomic, data_path=data_path
    )


@dataclass(frozen=True, slots=True)
class TextVerifiedDriver(Driver):
    async def auth(self, key: str = KEY, username: str = USERNAME) -> httpx.Response:
        return await self.client.post(f"{API}/auth", headers={"X-API-KEY": key, "X-API-USERNAME": username})

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401  as httpx has it
        """Call with a fresh token; a path that starts with a scheme is a link and is followed as it stands."""
        token = (await self.auth()).json()["token"]
        url = path if "://" in path else f"{API}/{path}"
        return await self.client.request(method, url, headers={"Authorization": f"Bearer {token}"}, **more)

    async def create(self, service: str = "google", **more: object) -> httpx.Response:
        return await self.call(
            "POST", "verifications", json={"serviceName": service, "capability": "sms", "maxPrice": 1.5} | more
        )

    async def made(self, service: str = "google", **more: object) -> dict[str, Any]:
        """Buy a number that must be had; return its details."""
        answer = await self.create(service, **more)
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == answer.json()["href"]
        return await self.details(answer.json()["href"].rpartition("/")[2])

    async def details(self, verification_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.call("GET", f"verifications/{verification_id}")).json()
        return found

    async def inbox(self, **query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self.call("GET", "sms", params=query)).json()["data"]
        return rows

    async def balance(self) -> str:
        return f"{(await self.call('GET', 'account/me')).json()['currentBalance']:.2f}"
