"""A raw client of a simulator, as any outsider would write it: handler calls in, texts out, and the control API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from phoneagent.dev.simulators.smsactivate import HANDLER_PATH

KEY = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Driver:
    client: httpx.AsyncClient

    async def get(self, action: str, **params: str | int) -> httpx.Response:
        return await self.client.get(HANDLER_PATH, params={"api_key": KEY, "action": action, **params})

    async def ask(self, action: str, **params: str | int) -> str:
        return (await self.get(action, **params)).text

    async def buy(self, country: int = 187, service: str = "go") -> tuple[str, str]:
        """Buy a number; return id and number."""
        word, activation_id, number = (await self.ask("getNumber", country=country, service=service)).split(":")
        assert word == "ACCESS_NUMBER"
        return activation_id, number

    async def balance(self) -> str:
        return (await self.ask("getBalance")).removeprefix("ACCESS_BALANCE:")

    async def control(self, name: str, **order: object) -> httpx.Response:
        return await self.client.post(f"/_sim/{name}", json=order)

    async def sms(self, **order: object) -> str:
        """Send an SMS that must be accepted; return its fate."""
        answer = await self.control("sms", **({"sender": "Google"} | order))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["fate"])

    async def advance(self, seconds: float) -> None:
        assert (await self.control("clock", advance_s=seconds)).status_code == 200

    async def fault(self, action: str, kind: str, **more: object) -> None:
        answer = await self.control("fault", action=action, kind=kind, **more)
        assert answer.status_code == 200, answer.text

    async def state(self) -> dict[str, Any]:
        state: dict[str, Any] = (await self.client.get("/_sim/state")).json()
        return state

    async def status_of(self, activation_id: str) -> str:
        rows = (await self.state())["activations"]
        return str(next(row["status"] for row in rows if row["activation_id"] == activation_id))
