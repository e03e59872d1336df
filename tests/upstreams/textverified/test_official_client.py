"""TextVerified's own client works on our simulator unchanged: what it is told is what its customers are told."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.dev.simulators.serving import SteppedClock, serve_stage
from tests.dev.simulators.textverified.driver import KEY, USERNAME, open_simulator

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-textverified/bin/python"
MOST_S = 60


class WallClock(SteppedClock):
    """The client looks for SMS younger than its own wall clock's now."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    if not PYTHON.exists():
        pytest.skip("the official TextVerified client is not installed (scripts/upstreams --setup)")
    with serve_stage() as stage:
        simulator = open_simulator(WallClock())
        stage.app = simulator.app
        client = [str(PYTHON), str(Path(__file__).with_name("client.py")), stage.origin, KEY, USERNAME]
        ran = subprocess.run(  # noqa: S603  our own script, in an environment that was made from a lock
            client, capture_output=True, text=True, timeout=MOST_S, env={"NO_PROXY": "*"}, check=False
        )
    assert ran.returncode == 0, ran.stderr
    whole: dict[str, Any] = json.loads(ran.stdout)
    return whole


def test_account_and_market_are_read(told: dict[str, Any]) -> None:
    assert told["version"] == "0.1.1"
    assert told["account"] == {"username": USERNAME, "balance": 12.4}
    assert {"google", "telegram", "servicenotlisted"} <= set(told["market"]["services"])
    assert (told["market"]["price"], told["market"]["stock"]) == (0.5, 9000)
    assert "Nevada" in told["market"]["states"]


def test_a_number_is_bought_and_its_sms_read(told: dict[str, Any]) -> None:
    story = told["delivered"]
    number = story["number"]

    assert re.fullmatch(r"775[0-9]{7}", number)
    assert story["cost"] == 0.6
    assert story["states"] == ["verificationPending", "verificationCompleted", "verificationReported"]
    assert story["before"] == []
    assert story["incoming"] == [["22000", number, "G-123456 is your Google verification code.", "123456"]]
    assert story["by_number"] == ["123456"]
    assert story["can_cancel"] == [True, False]
    assert (story["reported"], story["cancel"]) == (True, "CannotCancel")


def test_a_number_is_cancelled_and_refunded(told: dict[str, Any]) -> None:
    assert told["cancelled"] == {
        "paid": 0.5,
        "cancelled": True,
        "state": "verificationCanceled",
        "refunded": True,
        "again": "CannotCancel",
    }


def test_a_number_is_used_again_and_every_page_of_the_lists_is_read(told: dict[str, Any]) -> None:
    assert told["used_again"] == {"reused": True, "same_number": True, "new_id": True}
    assert told["listed"] == {"in_order": True, "all_once": True, "sale": True}


def test_refusals_reach_the_client_with_their_codes(told: dict[str, Any]) -> None:
    assert told["refused"] == {
        "sold_out": "Unavailable",
        "too_dear": "MaxPriceExceeded",
        "unknown": "NotFound",
        "not_yet": "NotEligible",
    }


def test_every_test_mode_of_the_client_is_played(told: dict[str, Any]) -> None:
    assert told["test_modes"] == {
        "free": True,
        "told": {
            "test_success": "verificationCompleted",
            "test_delayed_success": "verificationPending",
            "test_pending": "verificationPending",
            "test_timeout": "verificationTimedOut",
            "test_reactivatable": "verificationCompleted",
            "test_insufficient_balance": "InsufficientBalance",
            "test_no_numbers": "Unavailable",
            "test_too_many_unfinished_verifications": "TooManyUnfinishedVerifications",
            "test_renewable_expired": "InvalidService",
            "test_nonrenewable_expired": "InvalidService",
            "test_backorder": "InvalidService",
        },
    }


def test_reads_are_repeated_by_the_client_and_purchases_are_not(told: dict[str, Any]) -> None:
    assert told["retried"]["read"] == USERNAME
    assert told["retried"]["fault"]
    assert told["retried"]["bought"] == 0
