"""What the simulated TextVerified has for sale, and the scenarios that it plays for its own `test_*` services.

Prices are micro-USD. Nothing here may depend on chance: every run and every test sees the same market.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from phoneagent.dev.simulators.shelf import CENT, Offer

__all__ = ["AREA_CODES", "AREA_EXTRA", "CARRIERS", "CARRIER_EXTRA", "SCENARIOS", "SERVICES", "Scenario", "shown_count"]

SERVICES: Mapping[str, Offer] = {
    "telegram": Offer(110 * CENT, 1_204),
    "whatsapp": Offer(100 * CENT, 688),
    "google": Offer(50 * CENT, 12_077),  # the price of the transcript, providers.md §2.1
    "facebook": Offer(35 * CENT, 5_310),
    "instagram": Offer(30 * CENT, 0),
    "twitter": Offer(40 * CENT, 2_111),
    "discord": Offer(25 * CENT, 3_902),
    "microsoft": Offer(30 * CENT, 8_115),
    "apple": Offer(145 * CENT, 940),
    "paypal": Offer(55 * CENT, 1_730),
    "servicenotlisted": Offer(45 * CENT, 6_000),
    "yahoo": Offer(28 * CENT, 9_400),
    "amazon": Offer(38 * CENT, 2_750),
}
"""Third parties quote $0.20 to $1.50 (providers.md §2). Apple is too dear for us, and Instagram is sold out."""

AREA_EXTRA = 10 * CENT
CARRIER_EXTRA = 15 * CENT
"""Choosing costs extra (providers.md §2); how much is our assumption."""

CARRIERS = ("vz", "tmo", "att")

AREA_CODES: Mapping[str, str] = {
    "205": "Alabama",
    "301": "Maryland",
    "415": "California",
    "503": "Oregon",
    "617": "Massachusetts",
    "702": "Nevada",
    "775": "Nevada",
    "917": "New York",
}
"""The first of a request's choices that stands here is taken; without a choice it is 415."""

COUNT_SHOWN_MOST = 9_000
"""The host does not tell how many more it has (providers.md §2)."""


def shown_count(count: int) -> int:
    """Return a stock as the host shows it."""
    return min(count, COUNT_SHOWN_MOST)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One test service. ``error_code`` refuses the purchase; ``sms_after_ms`` sends a code; ``times_out`` ends at once.

    ``is_for_rentals``: the verification routes do not know it (the official client's page on test modes).
    """

    error_code: str | None = None
    sms_after_ms: int | None = None
    times_out: bool = False
    is_reusable: bool = True
    is_for_rentals: bool = False


SCENARIOS: Mapping[str, Scenario] = {
    "test_success": Scenario(sms_after_ms=0),
    "test_delayed_success": Scenario(sms_after_ms=5_000),
    "test_pending": Scenario(),
    "test_timeout": Scenario(times_out=True),
    "test_reactivatable": Scenario(sms_after_ms=0, is_reusable=False),
    "test_no_numbers": Scenario(error_code="Unavailable"),
    "test_insufficient_balance": Scenario(error_code="InsufficientBalance"),
    "test_too_many_unfinished_verifications": Scenario(error_code="TooManyUnfinishedVerifications"),
    "test_backorder": Scenario(is_for_rentals=True),
    "test_renewable_expired": Scenario(is_for_rentals=True),
    "test_nonrenewable_expired": Scenario(is_for_rentals=True),
}
"""providers.md §2. They never cost anything, and no number is bought."""

TEST_PRICE = 50 * CENT
