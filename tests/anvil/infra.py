"""The outside world of `phoneagent dev` with anvil and Circle's token in the place of the embedded chain.

Facilitator, simulator, store and service are the usual ones; only the node is another.
"""

from __future__ import annotations

import asyncio

import httpx
from eth_account import Account
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phoneagent.dev.infra import WALLET_USDC_ATOMIC, Orders, SharedClock, main
from phoneagent.dev.keys import address_of
from tests.anvil import circle
from tests.anvil.node import Anvil

BLOCK_S = "2"
FORWARD_MOST_S = 10.0


class AnvilChain:
    """The `Chain` of the outside world: JSON-RPC goes on to anvil unread, and the dev clock sets anvil's time."""

    def __init__(self, node: Anvil, clock: SharedClock) -> None:
        self._node = node
        self._clock = clock
        self._http = httpx.AsyncClient(base_url=node.url, timeout=FORWARD_MOST_S, trust_env=False)
        self.app = Starlette(routes=[Route("/", self._forward, methods=["POST"])])

    @classmethod
    async def open(cls, orders: Orders, clock: SharedClock) -> AnvilChain:
        """Start the node with a block for every transaction and one every two seconds, as Base has."""
        node = Anvil.spawn("--block-time", BLOCK_S, "--mixed-mining")
        try:
            await asyncio.to_thread(_furnish, node, orders)
        except BaseException:
            node.close()
            raise
        return cls(node, clock)

    async def tick(self) -> None:
        """Take over the dev clock's time and seal a block at it."""
        await asyncio.to_thread(self._take_over_time)

    async def aclose(self) -> None:
        await self._http.aclose()
        await asyncio.to_thread(self._node.close)

    def _take_over_time(self) -> None:
        newest = int(self._node.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)  # noqa: FBT003  the protocol's
        self._node.ask("evm_setTime", max(self._clock.now_ms() // 1000, newest + 1))
        self._node.ask("evm_mine")

    async def _forward(self, request: Request) -> Response:
        answer = await self._http.post("/", content=await request.body(), headers={"content-type": "application/json"})
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))


def _furnish(node: Anvil, orders: Orders) -> None:
    keys = orders.keys
    node.await_answer()
    owner = Account.from_key(keys.owner)
    circle.deploy(node, owner)
    circle.fund(node, address_of(keys.relayer), 1_000 * circle.ETHER)
    circle.fund(node, address_of(keys.wallet), 10 * circle.ETHER)
    circle.mint(node, owner, address_of(keys.wallet), WALLET_USDC_ATOMIC)


if __name__ == "__main__":
    main(AnvilChain.open)
