"""Whom to ask first among several who do the same: the order the operator wrote, less those who just failed.

It must never leave anybody out: who rests is asked last, because the others may be away as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

REST_S = 30.0
"""How long somebody who gave no answer is asked last: an outage costs one timeout in this time, not every request."""

_Member = TypeVar("_Member")


class Ranking(Generic[_Member]):
    """Members in the order of preference. ``monotonic_s`` gives seconds that never jump."""

    def __init__(self, members: Sequence[_Member], monotonic_s: Callable[[], float]) -> None:
        """Raise ValueError without members."""
        if not members:
            raise ValueError("somebody must be there to be asked")
        self._members = tuple(members)
        self._monotonic_s = monotonic_s
        self._rests_until_s = dict.fromkeys(range(len(members)), float("-inf"))

    @property
    def members(self) -> tuple[_Member, ...]:
        """Everybody, in the order of preference."""
        return self._members

    def in_order(self) -> list[_Member]:
        """Return everybody, those who rest at the end."""
        now_s = self._monotonic_s()
        at = sorted(range(len(self._members)), key=lambda i: self._rests_until_s[i] > now_s)
        return [self._members[i] for i in at]

    def gave_no_answer(self, member: _Member) -> None:
        """Let a member rest."""
        self._rests_until_s[self._members.index(member)] = self._monotonic_s() + REST_S
