"""The event loop of the simulation: seeded order, virtual time, no files, no threads.

Waiting is a jump to the next timer. It must never read a real clock, or a seed would not tell the same story twice.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import selectors
from collections.abc import Callable, Coroutine, Mapping
from itertools import count
from typing import Any, cast


class Deadlock(Exception):
    """Everybody waits and no timer is set: nothing can ever happen again."""


class SimTask(asyncio.Task[Any]):
    """A task with a place in the order of birth: sets of tasks must not depend on memory addresses."""

    serial = 0

    def __hash__(self) -> int:
        return self.serial


class _Silence(selectors.BaseSelector):
    """The selector of a world without files."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def register(self, *_: object) -> selectors.SelectorKey:
        raise OSError("there are no files here")

    def unregister(self, *_: object) -> selectors.SelectorKey:
        raise OSError("there are no files here")

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock
        self.now_s += max(timeout, 0.0)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what is ready in an order that the seed decides, then jumps to the next timer."""

    def __init__(self, rng: random.Random) -> None:
        """Time starts at 0. ``on_task`` sees every task with the context it was born in."""
        self._silence = _Silence()
        super().__init__(self._silence)
        self._rng = rng
        self._serials = count(1)
        self.on_task: Callable[[SimTask, contextvars.Context], None] = lambda _task, _context: None
        self.set_task_factory(cast("Any", self._make_task))

    def time(self) -> float:
        return self._silence.now_s

    def _make_task(
        self,
        _loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any],
        context: contextvars.Context | None = None,
    ) -> SimTask:
        born_in = context if context is not None else contextvars.copy_context()
        task = SimTask(coro, loop=self, context=born_in)
        task.serial = next(self._serials)
        self.on_task(task, born_in)
        return task

    def _run_once(self) -> None:
        ready = cast("Any", self)._ready
        if len(ready) > 1:
            shuffled = list(ready)
            self._rng.shuffle(shuffled)
            ready.clear()
            ready.extend(shuffled)
        super()._run_once()  # type: ignore[misc]  # one turn of asyncio's loop, which typeshed does not show

    def _make_self_pipe(self) -> None:
        """Nobody calls from another thread."""

    def _close_self_pipe(self) -> None:
        """There is none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector."""


__all__ = ["Deadlock", "SimTask", "VirtualLoop"]
