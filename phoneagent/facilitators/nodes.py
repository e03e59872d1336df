"""Several nodes of one chain: each attempt is made with one of them, from its first call to its last.

It must never mix the answers of two nodes within one attempt: one may lag behind the other.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Self, TypeVar

from phoneagent.facilitators.ranking import Ranking
from phoneagent.facilitators.rpc import ChainAway, Rpc

logger = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


class NotHere(ChainAway):
    """This node is well and does not have what another may have: a log that it has not indexed, or has pruned."""


class Nodes:
    """The nodes, in the order of preference. One that gave no answer is asked last for a while."""

    def __init__(self, rpcs: Sequence[Rpc], monotonic_s: Callable[[], float]) -> None:
        """Raise ValueError without nodes."""
        self._ranking = Ranking(rpcs, monotonic_s)

    @classmethod
    def only(cls, rpc: Rpc) -> Self:
        """Return the one node as all there are."""
        return cls((rpc,), lambda: 0.0)

    @property
    def all(self) -> tuple[Rpc, ...]:
        """Every node, in the order of preference."""
        return self._ranking.members

    def gave_no_answer(self, rpc: Rpc) -> None:
        """Ask this node last for a while."""
        self._ranking.gave_no_answer(rpc)

    async def attempt(self, ask: Callable[[Rpc], Awaitable[_Answer]]) -> _Answer:
        """Return what the first node that answers says. ``ask`` begins anew with each: it must bear that.

        Raises what the last one raised; NotHere if any raised that.
        """
        missing: NotHere | None = None
        away: ChainAway | None = None
        for rpc in self._ranking.in_order():
            try:
                answer = await ask(rpc)
            except NotHere as exc:
                missing = exc
            except ChainAway as exc:
                away = exc
                self._note(rpc, exc)
            else:
                return answer
        raise missing or away or ChainAway("there is no node to ask")

    def _note(self, rpc: Rpc, away: ChainAway) -> None:
        # By its place in the list: a node's address often holds the operator's key.
        self._ranking.gave_no_answer(rpc)
        place = self._ranking.members.index(rpc) + 1
        logger.warning("a node gave no answer", extra={"node": place, "reason": away.detail})
