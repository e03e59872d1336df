"""What can be sold: the storefront's countries and services, the two SKUs, and a dated catalogue of listings.

It must never ask a provider: stock comes in as a value and a catalogue is a value too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from phoneagent.core import money
from phoneagent.core.routing import SHOWN_FROM, Source

MIN_DURATION_MINUTES = 1
MAX_DURATION_MINUTES = 20
"""The activation window of the SMS-Activate family is 20 minutes; nothing longer can be sold."""

COUNTRIES_PRICE_ATOMIC = money.atomic("0.01")
PRICE_GRACE_MS = 600_000
"""A price that was current within the last ten minutes is still good (ARCHITECTURE §4.5)."""


TYPICAL_SMS_S = 90
"""Within this time from the site's sending most SMS are there (providers.md §6); nobody promises it."""


class Mode(StrEnum):
    """The SKU."""

    ACTIVATE = "activate"
    ACTIVATE_PREMIUM = "activate_premium"


PRICES_ATOMIC: Mapping[Mode, int] = {
    Mode.ACTIVATE: money.atomic("1.00"),
    Mode.ACTIVATE_PREMIUM: money.atomic("2.00"),
}

SERVICES: Mapping[str, str] = {
    "tg": "Telegram",
    "wa": "WhatsApp",
    "go": "Google / Gmail",
    "fb": "Facebook",
    "ig": "Instagram",
    "tw": "Twitter / X",
    "ds": "Discord",
    "mm": "Microsoft",
    "wx": "Apple / iCloud",
    "pm": "PayPal",
    "other": "Any other service",
}
"""Service code → display name, in the storefront's order."""

PREMIUM_SERVICES = frozenset({"tg", "wa"})
"""Services whose numbers cost more upstream than a $1 sale can carry (providers.md §1.7: tg 0.40, wa 0.45 and up)."""

COUNTRIES: Mapping[str, str] = {
    "UA": "Ukraine",
    "KZ": "Kazakhstan",
    "CN": "China",
    "PH": "Philippines",
    "MM": "Myanmar",
    "ID": "Indonesia",
    "MY": "Malaysia",
    "KE": "Kenya",
    "TZ": "Tanzania",
    "VN": "Vietnam",
    "US": "United States",
    "IL": "Israel",
    "HK": "Hong Kong",
    "PL": "Poland",
    "GB": "United Kingdom",
    "MG": "Madagascar",
    "NG": "Nigeria",
    "EG": "Egypt",
    "IN": "India",
    "IE": "Ireland",
    "KH": "Cambodia",
    "LA": "Laos",
    "RS": "Serbia",
    "ZA": "South Africa",
    "RO": "Romania",
    "CO": "Colombia",
    "EE": "Estonia",
    "CA": "Canada",
    "MA": "Morocco",
    "GH": "Ghana",
    "AR": "Argentina",
    "UZ": "Uzbekistan",
    "DE": "Germany",
    "LT": "Lithuania",
    "HR": "Croatia",
    "SE": "Sweden",
    "NL": "Netherlands",
    "LV": "Latvia",
    "AT": "Austria",
    "BY": "Belarus",
    "TH": "Thailand",
    "SA": "Saudi Arabia",
    "MX": "Mexico",
    "TW": "Taiwan",
    "ES": "Spain",
    "BD": "Bangladesh",
    "CZ": "Czechia",
    "LK": "Sri Lanka",
    "PE": "Peru",
    "PK": "Pakistan",
    "NZ": "New Zealand",
    "BR": "Brazil",
    "KR": "South Korea",
    "MN": "Mongolia",
    "NP": "Nepal",
    "CY": "Cyprus",
    "FR": "France",
    "HU": "Hungary",
    "BG": "Bulgaria",
    "FI": "Finland",
    "IT": "Italy",
    "PY": "Paraguay",
    "AE": "United Arab Emirates",
    "NO": "Norway",
    "PT": "Portugal",
    "GE": "Georgia",
    "MD": "Moldova",
    "KW": "Kuwait",
    "AM": "Armenia",
    "AU": "Australia",
    "CH": "Switzerland",
    "DK": "Denmark",
    "SG": "Singapore",
}
"""ISO 3166-1 alpha-2 → display name, in the storefront's order (73 countries)."""


def mode_of(service: str) -> Mode:
    """Return the SKU under which a service is sold."""
    return Mode.ACTIVATE_PREMIUM if service in PREMIUM_SERVICES else Mode.ACTIVATE


@dataclass(frozen=True, slots=True)
class Listing:
    """One country and service on sale: its SKU, its price and how many numbers the upstream says it has."""

    country: str
    service: str
    mode: Mode
    price_atomic: int
    pool: int
    sources: tuple[Source, ...] = ()

    @property
    def stock_as_of_ms(self) -> int | None:
        """Return when the oldest part of the stock was read; None where nobody said."""
        return min((source.as_of_ms for source in self.sources), default=None)

    @property
    def delivery_rate(self) -> Fraction | None:
        """Return the part of the last days' rentals that had an SMS; None while too few have ended."""
        ended = sum(source.ended for source in self.sources)
        return Fraction(sum(source.delivered for source in self.sources), ended) if ended >= SHOWN_FROM else None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything on sale at one moment. ``version`` grows with each publication; ``as_of_ms`` dates the stock."""

    version: int
    as_of_ms: int
    listings: Mapping[tuple[str, str], Listing]

    def find(self, country: str, service: str) -> Listing | None:
        """Return the listing, in stock or not; None for a pair that is not sold."""
        return self.listings.get((country, service))

    def alternatives(self, service: str, *, most: int = 5) -> list[str]:
        """Return the countries with the largest stock of a service."""
        stocked = [row for row in self.listings.values() if row.service == service and row.pool > 0]
        stocked.sort(key=lambda row: (-row.pool, row.country))
        return [row.country for row in stocked[:most]]

    def storefront(self, country: str | None = None) -> list[dict[str, Any]]:
        """Return the ``CountryList`` of the storefront: countries with something in stock, services beneath each."""
        codes = list(COUNTRIES) if country is None else [country]
        entries = [self._entry(code) for code in codes if code in COUNTRIES]
        return [entry for entry in entries if entry["services"]]

    def _entry(self, country: str) -> dict[str, Any]:
        rows = [self.listings.get((country, service)) for service in SERVICES]
        services = [
            {
                "code": row.service,
                "name": SERVICES[row.service],
                "mode": row.mode.value,
                "price_usdc": money.json_number(row.price_atomic),
                "pool": row.pool,
                **_measured(row),
            }
            for row in rows
            if row is not None and row.pool > 0
        ]
        return {"code": country, "name": COUNTRIES[country], "services": services}


def _measured(row: Listing) -> dict[str, Any]:
    """Return what is known beside the stock: when it was read (RFC 3339), and what part of rentals got an SMS."""
    as_of_ms, rate = row.stock_as_of_ms, row.delivery_rate
    told: dict[str, Any] = {}
    if as_of_ms is not None:
        told["as_of"] = datetime.fromtimestamp(as_of_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if rate is not None:
        told["delivery_rate"] = round(float(rate), 2)
    return told


def price_of(service: str) -> int:
    """Return what a service costs from now on, in atomic units."""
    return PRICES_ATOMIC[mode_of(service)]


def build(
    version: int,
    as_of_ms: int,
    pools: Mapping[tuple[str, str], int],
    prices: Mapping[tuple[str, str], int] | None = None,
    sources: Mapping[tuple[str, str], tuple[Source, ...]] | None = None,
) -> Catalogue:
    """Build the catalogue of every known pair that the upstream offers; ``pools`` maps (country, service) to stock.

    ``prices`` are those of an earlier day: what was published keeps its price, whatever a service costs by now.
    ``sources`` say who has the stock, and are nobody's business but routing's.
    """
    listings: dict[tuple[str, str], Listing] = {}
    for (country, service), pool in pools.items():
        if country in COUNTRIES and service in SERVICES:
            price = (prices or {}).get((country, service), price_of(service))
            told = (sources or {}).get((country, service), ())
            listings[country, service] = Listing(country, service, mode_of(service), price, max(pool, 0), told)
    return Catalogue(version, as_of_ms, listings)


def good_prices(recent: Iterable[Catalogue], country: str, service: str, now_ms: int) -> frozenset[int]:
    """Return every price of a pair that was current within the last ten minutes.

    ``recent`` runs from oldest to newest and may be empty; a catalogue is current until the next one's ``as_of_ms``.
    """
    ordered = list(recent)
    ends = [later.as_of_ms for later in ordered[1:]] + [now_ms]
    good = [shelf for shelf, end in zip(ordered, ends, strict=False) if end >= now_ms - PRICE_GRACE_MS]
    rows = [shelf.find(country, service) for shelf in good]
    return frozenset(row.price_atomic for row in rows if row is not None)
