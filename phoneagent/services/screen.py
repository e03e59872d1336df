"""Screen a payer's address before its payment is claimed, and keep a trail of who was turned away.

The payer is told that it was refused, never by which list.
"""

from __future__ import annotations

import logging

from phoneagent.core.errors import PayerBlocked, Unavailable
from phoneagent.core.ports import Cleared, Screening, Trail, TrailEntry, TrailKind

logger = logging.getLogger(__name__)

TOLD_ONCE_IN_MS = 86_400_000
"""A payer who comes again and again stands in the trail once a day."""


class Screen:
    """The verb."""

    def __init__(self, screening: Screening, trail: Trail) -> None:
        """Ask ``screening``; write to ``trail``."""
        self._screening = screening
        self._trail = trail

    async def __call__(self, payer: str) -> None:
        """Raise PayerBlocked for a payer who may not be served, Unavailable when nobody could tell."""
        answer = await self._screening.check(payer)
        if isinstance(answer, Cleared):
            return
        logger.warning("payer screened", extra={"reason": answer.reason})
        entry = TrailEntry(TrailKind.PAYER_SCREENED, payer, answer.reason, "screening")
        try:
            await self._trail.note(entry, once_in_ms=TOLD_ONCE_IN_MS)
        except Unavailable as exc:
            logger.error("trail not written", extra={"code": exc.code})  # noqa: TRY400  ours, and told
        raise PayerBlocked("payer_screened", "this address may not be served here")


__all__ = ["Screen"]
