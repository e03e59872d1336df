"""What we know of TextVerified besides its protocol: its address, its names for our services, its clocks. Values only.

It must never guess a name: a service that the host does not list under the name given here is not sold there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["NOT_LISTED", "SERVICE_NAMES", "TEXTVERIFIED", "Profile"]

NOT_LISTED = "servicenotlisted"
"""Receives only what comes from services that the host does not list (providers.md §1.9)."""

SERVICE_NAMES: Mapping[str, str] = {
    "tg": "telegram",
    "wa": "whatsapp",
    "go": "google",
    "fb": "facebook",
    "ig": "instagram",
    "tw": "twitter",
    "ds": "discord",
    "mm": "microsoft",
    "wx": "apple",
    "pm": "paypal",
    "other": NOT_LISTED,
}
"""Our service → the host's name (providers.md §1.9). Most are assumed, so `stock` asks the host for its list first."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The host. ``base_url`` has no API path; ``purchase_timeout_s`` bounds a whole purchase with its three calls."""

    name: str
    base_url: str
    country: str
    service_names: Mapping[str, str]
    early_cancel_ms: int
    refund_window_ms: int
    purchase_timeout_s: float
    read_timeout_s: float
    connect_timeout_s: float


TEXTVERIFIED = Profile(
    name="textverified",
    base_url="https://www.textverified.com",
    country="US",
    service_names=SERVICE_NAMES,
    early_cancel_ms=0,  # a cancel right after the purchase succeeded in the field (providers.md §2)
    refund_window_ms=1_260_000,  # `endsAt` ends it sooner; unused while the host lists our verifications
    purchase_timeout_s=25.0,  # as with the other family: connect 5 s, read 20 s (providers.md §6.1)
    read_timeout_s=20.0,
    connect_timeout_s=5.0,
)
