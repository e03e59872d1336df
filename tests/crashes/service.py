"""A running service process as the harness sees it: start it, notice its death or its pause, wake it, end it.

Processes are forked from a server that has imported the product once, so that a fresh one costs a moment.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx

from tests.crashes import process
from tests.crashes.process import Orders
from tests.crashes.switch import Trace

READY_WITHIN_S = 10.0
LOOK_S = 0.01
"""Between two looks at what only the kernel knows: whether a process stopped, or listens."""


@dataclass(slots=True)
class Service:
    """One process and what it leaves behind."""

    orders: Orders
    process: BaseProcess = field(repr=False)

    @classmethod
    def start(cls, orders: Orders) -> Service:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([process.__name__])
        child = context.Process(target=process.main, args=(orders,), daemon=True)
        child.start()
        return cls(orders, child)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.orders.port}"

    @property
    def trace(self) -> Trace:
        return Trace.read(Path(self.orders.trace))

    @property
    def is_alive(self) -> bool:
        return self.process.is_alive()

    @property
    def is_paused(self) -> bool:
        with suppress(OSError):
            state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            return state == "T"
        return False

    async def ready(self, http: httpx.AsyncClient) -> bool:
        """Wait until it answers; False when it died or paused before."""
        async with asyncio.timeout(READY_WITHIN_S):
            while self.is_alive and not self.is_paused:
                with suppress(httpx.TransportError):
                    if (await http.get(f"{self.base_url}/readyz", timeout=1)).is_success:
                        return True
                await asyncio.sleep(LOOK_S)
        return False

    async def until(self, is_so: Callable[[], bool], seconds: float) -> None:
        """Wait for something that only a look can tell. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not is_so():  # noqa: ASYNC110  the kernel sets no event
                await asyncio.sleep(LOOK_S)

    def wake(self) -> None:
        """Let a paused process go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process with no chance to clean up."""
        self._signal(signal.SIGKILL)
        self.process.join(READY_WITHIN_S)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.pid is not None and self.is_alive:
            os.kill(self.process.pid, number)
