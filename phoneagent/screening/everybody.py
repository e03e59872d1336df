"""No screening at all, and several screenings one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from phoneagent.core.ports import Cleared, Screening, ScreeningAnswer


class Everybody:
    """The `Screening` port for operators who screen nobody here."""

    async def check(self, payer: str) -> ScreeningAnswer:  # noqa: ARG002  the port's signature
        """See the port."""
        return Cleared()


class InTurn:
    """The `Screening` port over several: the first that flags a payer decides."""

    def __init__(self, screenings: Sequence[Screening]) -> None:
        """Ask in this order: the cheap ones first."""
        self._screenings = screenings

    async def check(self, payer: str) -> ScreeningAnswer:
        """See the port."""
        for screening in self._screenings:
            answer = await screening.check(payer)
            if not isinstance(answer, Cleared):
                return answer
        return Cleared()
