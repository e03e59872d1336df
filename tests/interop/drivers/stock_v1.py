"""PyPI x402 1.0.0, its httpx and its requests client as their documentation shows them: one order per line of stdin.

It runs in .venv-interop-v1, so it must never import anything of the service.
tests/interop/clients.py says what an order is.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from eth_account import Account
from x402.clients.httpx import x402HttpxClient
from x402.clients.requests import x402_requests

TIMEOUT_S = 40


def _cap_atomic(order: dict[str, Any]) -> int | None:
    return None if order.get("cap_usd") is None else order["cap_usd"] * 10**6


async def _by_httpx(order: dict[str, Any]) -> dict[str, Any]:
    account = Account.from_key(order["key"])
    async with x402HttpxClient(account=account, max_value=_cap_atomic(order), timeout=TIMEOUT_S) as client:
        response = await client.request(
            order["method"], order["url"], json=order.get("body"), headers=order.get("headers")
        )
        text = (await response.aread()).decode()
        return {"status": response.status_code, "headers": dict(response.headers), "text": text}


def _by_requests(order: dict[str, Any]) -> dict[str, Any]:
    with x402_requests(Account.from_key(order["key"]), max_value=_cap_atomic(order)) as session:
        response = session.request(
            order["method"], order["url"], json=order.get("body"), headers=order.get("headers"), timeout=TIMEOUT_S
        )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return {"status": response.status_code, "headers": headers, "text": response.text}


def _carry_out(order: dict[str, Any]) -> dict[str, Any]:
    try:
        return asyncio.run(_by_httpx(order)) if order["library"] == "httpx" else _by_requests(order)
    except Exception as exc:  # noqa: BLE001  whatever the client raises is the answer that its user sees
        return {"error": f"{type(exc).__name__}: {exc}"}


for line in sys.stdin:
    sys.stdout.write(json.dumps(_carry_out(json.loads(line))) + "\n")
    sys.stdout.flush()
