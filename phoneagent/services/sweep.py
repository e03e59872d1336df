"""Wake the requests whose rental has changed without their hearing of it: one look for all of them, every few seconds.

A wake-up is a hint and may be lost (ARCHITECTURE §4.10). It must never say what has changed, only that something has.
"""

from __future__ import annotations

import asyncio
import logging

from phoneagent.core.errors import PhoneAgentError
from phoneagent.core.ports import Rentals, Wakeups

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 5.0
"""What a lost wake-up costs at most (ARCHITECTURE §4.10)."""


class Sweep:
    """The look of one process."""

    def __init__(self, rentals: Rentals, wakeups: Wakeups) -> None:
        """Compare what the watchers of ``wakeups`` have read with what stands in ``rentals``."""
        self._rentals = rentals
        self._wakeups = wakeups

    async def run(self) -> None:
        """Look every few seconds until cancelled; a store that is away is asked again."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self()
            except PhoneAgentError as exc:
                logger.warning("waiting requests not looked after", extra={"code": exc.code})

    async def __call__(self) -> None:
        """Look once. Raises Unavailable."""
        read = self._wakeups.revisions_read()
        if not read:
            return
        for rental_id, revision in zip(read, await self._rentals.revisions(list(read)), strict=True):
            if revision != read[rental_id]:
                self._wakeups.ring(rental_id)
