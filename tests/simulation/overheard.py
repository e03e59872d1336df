"""What the service logs during a run: kept in the story, and judged where it admits a fault of its own.

A crash that a worker or a door survives by logging it is a broken promise all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tests.simulation.judge import Judge
from tests.simulation.process import Killed, current
from tests.simulation.story import Story

OURS = logging.getLogger("phoneagent")
OUR_FAULTS = frozenset({"illegal_transition"})


class _Overheard(logging.Handler):
    def __init__(self, story: Story, judge: Judge) -> None:
        super().__init__(logging.WARNING)
        self._story = story
        self._judge = judge

    def emit(self, record: logging.LogRecord) -> None:
        here = current()
        where = here.name if here else "world"
        told = {
            name: getattr(record, name) for name in ("rental_id", "code", "reason", "detail") if hasattr(record, name)
        }
        self._story.note(where, f"log: {record.getMessage()}", told)
        crash = record.exc_info[1] if record.exc_info else None
        is_ours = getattr(record, "code", "") in OUR_FAULTS or (crash is not None and not isinstance(crash, Killed))
        if is_ours:
            self._judge.objects(
                "no crash", str(told.get("rental_id", where)), f"{record.getMessage()}: {crash or told}"
            )


@contextmanager
def overhearing(story: Story, judge: Judge) -> Iterator[None]:
    """Listen to the service's log instead of printing it."""
    handler = _Overheard(story, judge)
    was_propagating, old_level = OURS.propagate, OURS.level
    OURS.addHandler(handler)
    OURS.propagate = False
    OURS.setLevel(logging.WARNING)
    try:
        yield
    finally:
        OURS.removeHandler(handler)
        OURS.propagate = was_propagating
        OURS.setLevel(old_level)


__all__ = ["overhearing"]
