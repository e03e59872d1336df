"""Five bugs of the kind this service must not have, each planted into the real part that prevents it.

They exist to show that the simulation would find them; nothing else may import this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from phoneagent.core import transitions
from phoneagent.core.ports import Purchase, PurchaseAnswer, PurchaseUnknown, SettleAnswer, SettleUnknown, Undecided
from phoneagent.core.rental import Message, MessageState, Rental
from phoneagent.services.settle import Settle
from phoneagent.services.work import Work
from tests.simulation.ports import GatedProvider
from tests.simulation.store import server


def claim_split_in_two() -> AbstractContextManager[None]:
    """The claim is looked for in one call and written in another: the script no longer asks whether it is taken."""
    return server().planted("claim", _without("if owner then return {'taken', owner} end"))


def lease_without_fence() -> AbstractContextManager[None]:
    """Whoever once held a lease may write: neither fence nor revision is compared."""
    return server().planted("commit", _without("if held[1] ~= a.fence or held[2] ~= a.rev then return 0 end"))


@contextmanager
def reveal_before_settle() -> Iterator[None]:
    """An SMS is shown as soon as it is there."""

    def revealed(self: Rental) -> tuple[Message, ...]:
        return tuple(message for message in self.messages if message.state is not MessageState.WRITTEN_OFF)

    with patch.object(Rental, "revealed", revealed):
        yield


@contextmanager
def timeout_is_failure() -> Iterator[None]:
    """A settle call without an answer counts as refused: the rental ends and the client may sign anew."""
    leave_open = Settle._leave_open

    async def give_up(self: Settle, work: Work, proof: Undecided, said: SettleAnswer) -> None:
        if isinstance(said, SettleUnknown):
            change = transitions.rejected(work.rental, said.reason, 0, self._clock.now_ms(), payer_is_to_blame=False)
            await work.write(change)
            return
        await leave_open(self, work, proof, said)

    with patch.object(Settle, "_leave_open", give_up):
        yield


@contextmanager
def purchase_retried() -> Iterator[None]:
    """A purchase without an answer is sent once more."""
    buy = GatedProvider.buy

    async def buy_twice(self: GatedProvider, purchase: Purchase) -> PurchaseAnswer:
        answer = await buy(self, purchase)
        return await buy(self, purchase) if isinstance(answer, PurchaseUnknown) else answer

    with patch.object(GatedProvider, "buy", buy_twice):
        yield


def _without(line: str) -> Callable[[str], str]:
    def change(source: str) -> str:
        if line not in source:
            raise ValueError(f"the script has changed; nothing to take out: {line}")
        return source.replace(line, "")

    return change


BUGS: dict[str, Callable[[], Any]] = {
    "claim split in two calls": claim_split_in_two,
    "reveal before settle": reveal_before_settle,
    "timeout treated as failure": timeout_is_failure,
    "purchase retried": purchase_retried,
    "lease without fence": lease_without_fence,
}
"""Name → context in which the bug is there."""


__all__ = ["BUGS"]
