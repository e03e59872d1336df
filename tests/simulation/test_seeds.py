"""Thousands of whole lives of the service under faults, and not one broken promise.

SIMULATION_SEEDS sets how many; 0 leaves them out, and the run says so.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.regressions import REGRESSIONS
from tests.simulation.world import simulate

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "2000"))
JOBS = 2
BOUND_S = 900
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(SEEDS == 0, reason="SIMULATION_SEEDS=0 leaves the seeds out")
def test_no_seed_breaks_a_promise() -> None:
    command = [sys.executable, "-m", "tests.simulation.seeds", "--seeds", str(SEEDS), "--jobs", str(JOBS)]
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COV")}

    ran = subprocess.run(  # noqa: S603  our own program
        command, cwd=ROOT, env=untraced, capture_output=True, text=True, timeout=BOUND_S, check=False
    )

    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-5_000:]
    assert f"{SEEDS} runs" in ran.stdout
    assert "0 seeds broke a promise" in ran.stdout


@pytest.mark.parametrize("seed", REGRESSIONS, ids=str)
def test_a_seed_that_once_failed_stays_clean(seed: int) -> None:
    assert simulate(seed).violations == [], REGRESSIONS[seed]


def test_a_seed_tells_the_same_story_every_time() -> None:
    stories = [simulate(seed).story.digest() for seed in (1, 2, 3, 1, 2, 3)]

    assert stories[:3] == stories[3:]
    assert len(set(stories)) == 3


def test_a_story_does_not_depend_on_the_process_that_tells_it() -> None:
    program = "from tests.simulation.world import simulate; print(simulate(4).story.digest())"
    told = [
        subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert told[0] == told[1] == f"{simulate(4).story.digest()}\n"


def test_a_run_has_faults_of_every_kind() -> None:
    kinds = {kind for seed in range(40) for kind in simulate(seed).counts}

    assert {"kill", "pause", "away", "answer lost", "answer to client lost", "stale status"} <= kinds
    assert {kind for kind in kinds if kind.startswith("settle: ")} >= {"settle: sends late", "settle: refuses"}


def test_a_run_leaves_no_event_loop_behind() -> None:
    simulate(0)

    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
