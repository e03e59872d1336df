"""A rental under our lease: the only way in which a verb changes one.

The lease is renewed while the work lasts and given back at its end; every write is finished even when we are cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from phoneagent.core.errors import LeaseLost, Unavailable
from phoneagent.core.ports import Lease, Leased, Rentals, Wakeups
from phoneagent.core.rental import Rental
from phoneagent.core.transitions import Change

logger = logging.getLogger(__name__)

RENEW_EVERY_S = 3.0
"""A third of the lease (ARCHITECTURE §2: 10 s), so that one lost renewal does no harm."""


class Work:
    """One leased rental; ``rental`` is always the record as we last wrote it."""

    def __init__(self, rentals: Rentals, leased: Leased) -> None:
        """Start from what was read when the lease was taken."""
        self._rentals = rentals
        self.lease = leased.lease
        self.rental: Rental = leased.rental
        self.was_written = False
        self.is_given_back = False

    async def write(self, change: Change) -> Rental:
        """Commit a change. A cancellation waits for the outcome first. Raises LeaseLost, Unavailable."""
        self.rental = await _to_its_end(self._rentals.commit(self.lease, self.rental, change))
        self.was_written = True
        return self.rental

    async def write_last(self, change: Change) -> Rental:
        """Commit the last change of this work and give the lease back with it; nothing may be written after it."""
        self.rental = await _to_its_end(self._rentals.commit_last(self.lease, self.rental, change))
        self.is_given_back = True
        return self.rental

    async def give_back(self) -> None:
        """Give the lease back with nothing done: what was due stays due. Raises Unavailable."""
        await self._rentals.drop(self.lease, self.rental)
        self.is_given_back = True


async def _to_its_end(write: Coroutine[Any, Any, Rental]) -> Rental:
    """Return what a write returns; when we are cancelled it is waited for all the same."""
    writing = asyncio.ensure_future(write)
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        if not writing.cancelled():
            await asyncio.wait([writing])
        raise


async def take_soon(rentals: Rentals, wakeups: Wakeups, rental_id: str, timeout_s: float) -> Leased | None:
    """Take a rental's lease, waiting for whoever has it; None when it stays busy or is not there."""
    async with wakeups.watch(rental_id) as watch:
        try:
            async with asyncio.timeout(timeout_s):
                while (leased := await rentals.take(rental_id)) is None:
                    await watch.wait(timeout_s)
        except TimeoutError:
            return None
    return leased


@contextlib.asynccontextmanager
async def working(rentals: Rentals, leased: Leased) -> AsyncIterator[Work]:
    """Work on a leased rental; the lease is renewed meanwhile and given back in the end."""
    work = Work(rentals, leased)
    keeper = asyncio.create_task(_keep(rentals, work.lease))
    try:
        yield work
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])
        if not work.is_given_back:
            with contextlib.suppress(Unavailable, LeaseLost):
                await asyncio.shield(rentals.drop(work.lease, work.rental if work.was_written else None))


@contextlib.asynccontextmanager
async def working_for_client(rentals: Rentals, leased: Leased) -> AsyncIterator[Work]:
    """Work on a leased rental inside a client's request.

    Being overtaken there is nobody's fault: Unavailable, so that the client sends the same again and is told what the
    other process has made of it.
    """
    try:
        async with working(rentals, leased) as work:
            yield work
    except LeaseLost:
        logger.warning("overtaken", extra={"rental_id": leased.rental.id})
        raise Unavailable("retry_same_payment", "another process went on with this; send the same again") from None


async def _keep(rentals: Rentals, lease: Lease) -> None:
    """Renew a lease until cancelled, or until somebody else has it."""
    while True:
        await asyncio.sleep(RENEW_EVERY_S)
        with contextlib.suppress(Unavailable):
            if not await rentals.renew(lease):
                return
