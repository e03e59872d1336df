"""Whether this process is stopping: set once, looked at by everything that waits or is about to start.

It must never be unset, and never cut work short that has begun.
"""

from __future__ import annotations

from phoneagent.core.errors import Unavailable


class Draining:
    """One process's last state. Whoever waits looks at it after every wake-up."""

    __slots__ = ("has_begun",)

    def __init__(self) -> None:
        """The process is not stopping."""
        self.has_begun = False

    def begin(self) -> None:
        """Stop letting anybody wait."""
        self.has_begun = True

    def check(self) -> None:
        """Raise Unavailable("shutting_down") once the process is stopping: the same payment is good elsewhere."""
        if self.has_begun:
            raise Unavailable("shutting_down")
