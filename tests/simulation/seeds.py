"""Many seeds in many processes: finds the ones that break a promise, counts the faults, and tells a seed's story.

`scripts/simulate` calls it. A seed that fails must fail again in any process: nothing but the seed goes in.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from phoneagent.core.invariants import Violation
from tests.simulation.world import simulate

STORY_LINES = 400
AT_ONCE = 4
TELL_EVERY = 500


@dataclass(frozen=True)
class Result:
    """What is kept of one run."""

    seed: int
    violations: tuple[Violation, ...]
    counts: Counter[str]
    lasted_s: float


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_one(seed: int) -> Result:
    """Run a seed and forget its story."""
    outcome = simulate(seed)
    return Result(seed, tuple(outcome.violations), outcome.counts, outcome.lasted_s)


def run_many(seeds: Iterable[int], jobs: int) -> Iterator[Result]:
    """Run seeds in ``jobs`` processes, in any order."""
    if jobs == 1:
        yield from map(run_one, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(run_one, seeds, chunksize=AT_ONCE)


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; return 1 when a promise was broken."""
    asked = _parser().parse_args(arguments)
    if asked.seed is not None:
        return _tell(asked.seed, asked.about, asked.all)
    return _hunt(range(asked.first, asked.first + asked.seeds), asked.jobs, asked.keep_going)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("scripts/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="K", help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first broken promise")
    parser.add_argument("--seed", type=int, help="run this one seed and tell its story")
    parser.add_argument("--story", action="store_true", help="with --seed; it always tells the story")
    parser.add_argument("--about", default="", metavar="TEXT", help="only lines of the story with this in them")
    parser.add_argument("--all", action="store_true", help="workers that find nothing to do are part of the story")
    return parser


def _tell(seed: int, about: str, with_idling: bool) -> int:  # noqa: FBT001  it comes from a command line
    outcome = simulate(seed)
    for line in outcome.story.lines(about, with_idling=with_idling):
        say(line)
    _report([Result(seed, tuple(outcome.violations), outcome.counts, outcome.lasted_s)])
    return 0 if outcome.is_clean else 1


def _hunt(seeds: range, jobs: int, keep_going: bool) -> int:  # noqa: FBT001  it comes from a command line
    started_s = time.perf_counter()
    counts: Counter[str] = Counter()
    failed: list[Result] = []
    runs, lasted_s = 0, 0.0
    for result in run_many(seeds, jobs):
        runs += 1
        lasted_s += result.lasted_s
        counts.update(result.counts)
        if result.violations:
            failed.append(result)
            _report([result])
            if not keep_going:
                break
        if runs % TELL_EVERY == 0:
            say(f"{runs} runs after {time.perf_counter() - started_s:.0f} s")
    rate = runs / (time.perf_counter() - started_s)
    say(f"{runs} runs, {rate:.1f} a second with {jobs} processes, {lasted_s / 3600:.0f} h of virtual time")
    say("injected: " + ", ".join(f"{kind} {number}" for kind, number in counts.most_common()))
    if failed:
        _tell_first(failed[0].seed)
    say(f"{len(failed)} seeds broke a promise")
    return 1 if failed else 0


def _report(results: Iterable[Result]) -> None:
    for result in results:
        for violation in result.violations:
            what = f"{violation.promise} at {violation.rental_id}: {violation.detail}"
            say(f"seed {result.seed}: {what}")


def _tell_first(seed: int) -> None:
    outcome = simulate(seed)
    lines = list(outcome.story.lines())
    say(f"\nthe last {STORY_LINES} lines of seed {seed}; all: scripts/simulate --seed {seed} --story\n")
    say("\n".join(lines[-STORY_LINES:]))


if __name__ == "__main__":
    sys.exit(main())
