"""What happened in one run, line by line: when, in which process, what, and how it ended.

It must never influence the run: things are only noted, and turned into text when somebody wants to read.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator

MOST_CHARS = 150
IDLING = frozenset(
    {"lease_due", "revisions", "lrange", "hgetall", "take_strays", "may_sweep", "made_since", "note_stray"}
)


class Story:
    """The notes of one run."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Time comes from the loop."""
        self._now_s = now_s
        self._notes: list[tuple[float, str, str, object]] = []
        self.counts: Counter[str] = Counter()

    @property
    def position(self) -> int:
        """How many lines there are: a finer order than time."""
        return len(self._notes)

    def note(self, who: str, what: str, outcome: object = "") -> None:
        """Write one line."""
        self._notes.append((self._now_s(), who, what, outcome))

    def injected(self, who: str, kind: str, what: str) -> None:
        """Write down a fault and count it by kind."""
        self.counts[kind] += 1
        self._notes.append((self._now_s(), who, f"!! {kind}", what))

    def lines(self, about: str = "", *, with_idling: bool = False) -> Iterator[str]:
        """Return the lines, all or those that mention ``about``; looking for work and finding none is left out."""
        for at_s, who, what, outcome in self._notes:
            text = _short(outcome)
            if not with_idling and what in IDLING and "r_" not in text and "c_" not in text:
                continue
            line = f"{at_s:10.3f}  {who:<10} {what}  {text}"
            if about in line:
                yield line

    def digest(self) -> str:
        """Return one short name for the whole story."""
        found = hashlib.sha256()
        for line in self.lines(with_idling=True):
            found.update(line.encode())
        return found.hexdigest()[:16]


def _short(outcome: object) -> str:
    brief = _brief(outcome)
    text = (brief if isinstance(brief, str) else repr(brief)).replace("\n", " ")
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}…"


def _brief(outcome: object) -> object:
    """Return an outcome with every record in it cut down to what a reader looks for."""
    if isinstance(outcome, list) and "state" in outcome and "rev" in outcome:
        return _brief(dict(zip(outcome[::2], outcome[1::2], strict=True)))
    if isinstance(outcome, list):
        return [_brief(one) for one in outcome]
    if isinstance(outcome, dict) and "state" in outcome and "rev" in outcome:
        parts = (outcome.get(name, "-") for name in ("state", "hold_state", "order_state"))
        return f"{outcome.get('id')} rev {outcome['rev']} {'/'.join(parts)} fence {outcome.get('lease_fence')}"
    return outcome
