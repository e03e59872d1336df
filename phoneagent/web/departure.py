"""Waiting for something only as long as the client does: a request that waits ends with its connection.

Behind our gate that costs nothing while nobody leaves; behind another server, one task. It must never end other work.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol, TypeVar

from starlette.types import Receive, Scope

GATE = "phoneagent.gate"
"""Where in the scope of a request its connection stands."""

T = TypeVar("T")


class Connection(Protocol):
    """What tells that the client has left."""

    is_gone: bool
    when_gone: list[Callable[[], None]]
    """Called once, when the connection is lost."""


async def unless_gone(scope: Scope, receive: Receive, waiting: Awaitable[T]) -> T | None:
    """Return what ``waiting`` gives; None as soon as the client has disconnected. ``waiting`` is cancelled then."""
    here = asyncio.timeout(None)  # no timeout but a scope, which is left when somebody says so

    def leave() -> None:
        with contextlib.suppress(RuntimeError):  # it was left already
            here.reschedule(0)

    try:
        async with here:
            with _told(scope, receive, leave):
                return await waiting
    except TimeoutError:
        if here.expired():
            return None
        raise


@contextlib.contextmanager
def _told(scope: Scope, receive: Receive, leave: Callable[[], None]) -> Iterator[None]:
    connection: Connection | None = scope.get(GATE)
    if connection is None:
        watching = asyncio.ensure_future(_disconnected(receive))
        watching.add_done_callback(lambda _: leave())
        try:
            yield
        finally:
            watching.cancel()
        return
    connection.when_gone.append(leave)
    if connection.is_gone:
        leave()
    try:
        yield
    finally:
        connection.when_gone.remove(leave)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
