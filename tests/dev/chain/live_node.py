"""A DevChain behind HTTP for tests that look at it from outside."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable

import httpx
import uvicorn

from phoneagent.dev.chain import DevChain
from tests.dev.chain.driver import ETHER, OWNER, RICH, Clock, Json

BOUND_S = 5


class LiveNode:
    """A DevChain served on loopback by a thread with its own event loop."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.chain = self.do(self._open())
        self._server = uvicorn.Server(uvicorn.Config(self.chain.app, log_config=None, ws="none", lifespan="off"))
        self._serving = asyncio.run_coroutine_threadsafe(self._server.serve([self._listener]), self._loop)
        self.client = httpx.Client(base_url=self.url, timeout=BOUND_S)

    async def _open(self) -> DevChain:
        accounts: dict[str, int] = {one.address: 100 * ETHER for one in RICH}
        return await DevChain.open(None, accounts=accounts, owner_key=bytes(OWNER.key), now_s=self.clock)

    def do(self, work: Awaitable[Json]) -> Json:
        """Run one of the chain's verbs on the node's loop."""

        async def bounded() -> Json:
            async with asyncio.timeout(BOUND_S):
                return await work

        return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result(BOUND_S)

    def ask(self, method: str, *params: Json) -> Json:
        answer = self.client.post("/", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).json()
        assert "result" in answer, answer
        return answer["result"]

    def close(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._serving.result(BOUND_S)
        self.do(self.chain.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(BOUND_S)
        self._loop.close()
