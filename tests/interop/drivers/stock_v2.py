"""PyPI x402 2.25, its httpx and its requests client as their documentation shows them: one order per line of stdin.

It runs in .venv-interop, so it must never import anything of the service.
tests/interop/clients.py says what an order is.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from eth_account import Account
from x402 import x402Client, x402ClientSync
from x402.http.clients.httpx import x402HttpxClient
from x402.http.clients.requests import x402_requests
from x402.mechanisms.evm.exact import register_exact_evm_client
from x402.mechanisms.evm.signers import EthAccountSigner

TIMEOUT_S = 40


def _registered(client: Any, order: dict[str, Any]) -> Any:  # noqa: ANN401  two classes without stubs here
    register_exact_evm_client(client, EthAccountSigner(Account.from_key(order["key"])))
    if order.get("cap_usd") is not None:
        client.set_spend_controls({"max_amount_per_payment": f"${order['cap_usd']}"})
    return client


async def _by_httpx(order: dict[str, Any]) -> dict[str, Any]:
    async with x402HttpxClient(_registered(x402Client(), order), timeout=TIMEOUT_S) as client:
        response = await client.request(
            order["method"], order["url"], json=order.get("body"), headers=order.get("headers")
        )
        return {"status": response.status_code, "headers": dict(response.headers), "text": response.text}


def _by_requests(order: dict[str, Any]) -> dict[str, Any]:
    with x402_requests(_registered(x402ClientSync(), order)) as session:
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
