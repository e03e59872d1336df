"""The chain as the development composition holds it: started in a running event loop, one thread behind an ASGI app.

It must never touch the EVM from the event loop, and never import it before `open`.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from phoneagent.dev.chain.rpc import rpc_app

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Self

    from starlette.applications import Starlette

    from phoneagent.dev.chain.chain import EvmChain

logger = logging.getLogger(__name__)

T = TypeVar("T")

ADDRESS_BYTES = 20

EVM_RECURSION_LIMIT = 12 * 1024
"""Python frames for 1,024 nested calls, by py-evm's own reckoning (eth/__init__.py, 0.12.1b1)."""

STACK_BYTES = 64 * 1024 * 1024
"""So many frames do not fit into the half megabyte that some systems give a thread."""

LOOK_EVERY_S = 1.0
"""How often an idle chain looks at the clock; readers make it look, too."""


class DevChain:
    """A running chain. `app` serves its JSON-RPC; the verbs below are for whoever composes the development service.

    Every read through `app` sees a newest block at most 2 s behind the clock. What was announced, by an answer of `app`
    or by the return of a verb here, survives kill -9 if there is a data directory; waiting transactions do not.
    """

    def __init__(self, chain: EvmChain, thread: ThreadPoolExecutor) -> None:
        self._chain = chain
        self._thread = thread
        self._is_closed = False
        self._keeper = asyncio.create_task(self._keep_going(), name="development chain")
        self.app: Starlette = rpc_app(self._run)

    @classmethod
    async def open(
        cls,
        data_dir: Path | None,
        *,
        accounts: Mapping[str, int],
        owner_key: bytes,
        now_s: Callable[[], int],
    ) -> Self:
        """Found a chain, or go on with the one in `data_dir` (None keeps it in memory only).

        `accounts` maps 0x-addresses to wei and counts only for a new chain. `owner_key` is the 32-byte key of the
        token's owner, who also gets ether. `now_s` is the clock that blocks are stamped with, in UTC seconds; it may
        jump forward and is called from the chain's thread. Raises ValueError if the directory belongs to another owner,
        and ChainInUseError if another process uses it.
        """
        thread = _roomy_thread()
        loop = asyncio.get_running_loop()
        try:
            chain = await loop.run_in_executor(thread, lambda: _start(data_dir, accounts, owner_key, now_s))
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(chain, thread)

    async def mint(self, address: str, amount_atomic: int) -> str:
        """Create USDC (1_000_000 is one dollar) for a 0x-address, in a block of its own. Returns the transaction hash.

        Raises RpcError if the token refuses: amount 0, blacklisted address, paused.
        """
        to = _address(address)
        return "0x" + (await self._run(lambda chain: chain.mint(to, amount_atomic))).hex()

    async def tick(self) -> None:
        """Seal a block at the clock's time: to be called after every jump of the clock."""
        await self._in_thread(self._chain.tick)

    async def mine(self) -> None:
        """Seal a block with everything that waits, even while mining is held."""
        await self._in_thread(self._chain.mine)

    async def set_automine(self, *, is_on: bool) -> None:
        """Hold sent transactions in the pool, or let them go on."""
        await self._run(lambda chain: chain.set_automine(is_on=is_on))

    async def drop_transaction(self, transaction_hash: str) -> bool:
        """Forget a waiting transaction; False if none waits under this hash."""
        wanted = bytes.fromhex(transaction_hash.removeprefix("0x"))
        return await self._run(lambda chain: chain.drop_transaction(wanted))

    async def set_next_base_fee(self, base_fee_wei: int) -> None:
        """Give the next block this base fee."""
        await self._run(lambda chain: chain.set_next_base_fee(base_fee_wei))

    async def aclose(self) -> None:
        """Stop sealing, finish what runs, close the store. Safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await self._in_thread(self._chain.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[EvmChain], T]) -> T:
        """Run `work` on the chain's thread, with the chain brought up to the clock first."""

        def job() -> T:
            self._chain.keep_up()
            return work(self._chain)

        return await self._in_thread(job)

    async def _in_thread(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    async def _keep_going(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._in_thread(self._chain.keep_up)
            except Exception:  # the top of a turn: the next one may succeed, and a dead task would stop time
                logger.exception("sealing a due block failed")


def _roomy_thread() -> ThreadPoolExecutor:
    before = threading.stack_size(STACK_BYTES)
    try:
        thread = ThreadPoolExecutor(1, thread_name_prefix="devchain")
        thread.submit(lambda: None).result()  # the thread starts with its first piece of work
    finally:
        threading.stack_size(before)
    return thread


def _address(text: str) -> bytes:
    octets = bytes.fromhex(text.removeprefix("0x"))
    if len(octets) != ADDRESS_BYTES:
        raise ValueError(f"not an address: {text}")
    return octets


def _start(data_dir: Path | None, accounts: Mapping[str, int], owner_key: bytes, now_s: Callable[[], int]) -> EvmChain:
    from phoneagent.dev.chain.chain import EvmChain, Genesis  # noqa: PLC0415  slow: the thread waits

    # py-evm needs some frames per nested call; py_ecc, which it imports, allows 100,000 in the whole process, enough
    # for a deeply nested JSON body to overflow the C stack of whoever parses it.
    sys.setrecursionlimit(EVM_RECURSION_LIMIT)
    balances = {_address(address): wei for address, wei in accounts.items()}
    return EvmChain(data_dir, Genesis(balances, owner_key), now_s)
