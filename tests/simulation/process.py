"""A simulated process: the tasks that live in it, and how it dies, freezes and thaws.

After a kill nothing of it may ever act again; while it is frozen nothing of it acts, and its clock runs on.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine
from typing import Any

from tests.simulation.loop import SimTask, VirtualLoop
from tests.simulation.story import Story

PRUNE_ABOVE = 64


class Trace:
    """How far one request has come: where in the story its last call stands that may decide anything, and its intent.

    ``intent_at_s`` is when it wrote the intent of a purchase that it has not sent yet.
    ``intent_of`` is the rental it was written for.
    """

    position = 0
    intent_at_s: float | None = None
    intent_of: str | None = None


TRACE: contextvars.ContextVar[Trace] = contextvars.ContextVar("trace")
_HERE: contextvars.ContextVar[Process] = contextvars.ContextVar("process")


class Killed(BaseException):
    """The process of this task is no more. A BaseException: nothing may catch it and go on."""


class Process:
    """One process, from its start to its kill."""

    def __init__(self, name: str, loop: VirtualLoop, story: Story, rng: random.Random) -> None:
        """Nothing runs yet."""
        self.name = name
        self.is_dead = False
        self.story = story
        self.rng = rng
        self.loop = loop
        self.on_death: list[Callable[[], None]] = []
        self._tasks: list[SimTask] = []
        self._frozen_until_s = 0.0
        self._context = contextvars.copy_context()
        self._context.run(_HERE.set, self)

    def spawn(self, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine in here; so does everything it starts."""
        return self.loop.create_task(coro, context=self._context.copy())

    def adopt(self, task: SimTask) -> None:
        """Remember a task that was born in here."""
        self._tasks.append(task)
        if len(self._tasks) > PRUNE_ABOVE:
            self._tasks = [one for one in self._tasks if not one.done()]
        if self.is_dead:
            task.cancel()

    def kill(self, why: str) -> None:
        """End it as `kill -9` does: what it was about to do is never done."""
        if not self.is_dead:
            self.story.injected(self.name, "kill", why)
            self.end()

    def end(self) -> None:
        """Take every task away, once."""
        if self.is_dead:
            return
        self.is_dead = True
        for task in self._tasks:
            if not task.done():
                task.cancel()
        for told in self.on_death:
            told()

    def freeze(self, seconds: float, why: str) -> None:
        """Stop it as SIGSTOP does."""
        self._frozen_until_s = self.loop.time() + seconds
        self.story.injected(self.name, "pause", f"{seconds:.0f} s {why}")

    def thaw(self) -> None:
        """Let it go on as SIGCONT does; whoever sleeps in `awake` looks again soon."""
        self._frozen_until_s = 0.0

    @property
    def is_frozen(self) -> bool:
        """Tell whether it is stopped now."""
        return self.loop.time() < self._frozen_until_s

    async def awake(self) -> None:
        """Return when the process runs; raise Killed when it never will."""
        while self.is_frozen and not self.is_dead:  # noqa: ASYNC110  a freeze may end early or grow
            await asyncio.sleep(min(self._frozen_until_s - self.loop.time(), 5.0))
        if self.is_dead:
            raise Killed


def register(task: SimTask, context: contextvars.Context) -> None:
    """Tell the process of a new task about it: the loop's ``on_task``."""
    here = context.get(_HERE)
    if here is not None:
        here.adopt(task)


def current() -> Process | None:
    """Return the process of the running task; None for the world outside."""
    return _HERE.get(None)


__all__ = ["TRACE", "Killed", "Process", "Trace", "current", "register"]
