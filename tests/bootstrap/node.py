"""A chain's node as a starting process sees it: it says which chain it is on and by which domain its token signs.

It must never know more: payments are judged elsewhere, on the development chain.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from phoneagent.x402 import BASE


@dataclass
class Node:
    """An ASGI application that speaks JSON-RPC."""

    chain_id: int = 8453
    separator: bytes = BASE.usdc.separator
    balance_wei: int = 10**18
    is_broken: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = await Request(scope, receive).json()
        answers = {
            "eth_chainId": hex(self.chain_id),
            "eth_call": "0x" + self.separator.hex(),
            "eth_getBalance": hex(self.balance_wei),
        }
        answer = JSONResponse({"jsonrpc": "2.0", "id": asked["id"], "result": answers[asked["method"]]})
        await (Response("bad gateway", 502) if self.is_broken else answer)(scope, receive, send)
