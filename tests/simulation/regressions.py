"""Seeds that once broke a promise, each with what was wrong. They are run by name, whatever the number of seeds.

A change of the simulation gives every seed another story: such a line then only remembers, and stays.
"""

from __future__ import annotations

REGRESSIONS: dict[int, str] = {}

__all__ = ["REGRESSIONS"]
