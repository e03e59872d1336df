"""What `phoneagent probe` has found out about one thing that a live account may or may not do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Verdict"]


class Verdict(StrEnum):
    """Whether the account can do it. NOT_KNOWN covers faults, answers nobody understands, and what was not asked."""

    YES = "yes"
    NO = "no"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing and the evidence for it, which holds neither the key nor a number."""

    name: str
    verdict: Verdict
    detail: str
