"""What differs between the hosts of the family: address, codes, clocks, money. Values only, each with its source.

A profile must never guess a mapping: a country or service that is not in its map is not sold there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

__all__ = [
    "COUNTRY_IDS",
    "HERO",
    "OPTIONAL_ACTIONS",
    "SERVICE_CODES",
    "SMSFAST",
    "US_REAL_ID",
    "US_VIRTUAL_ID",
    "V1_ACTIONS",
    "Profile",
    "generic",
]

US_REAL_ID, US_VIRTUAL_ID = "187", "12"

COUNTRY_IDS: Mapping[str, str] = {
    "UA": "1",
    "KZ": "2",
    "CN": "3",
    "PH": "4",
    "MM": "5",
    "ID": "6",
    "MY": "7",
    "KE": "8",
    "TZ": "9",
    "VN": "10",
    "US": US_REAL_ID,
    "IL": "13",
    "HK": "14",
    "PL": "15",
    "GB": "16",
    "MG": "17",
    "NG": "19",
    "EG": "21",
    "IN": "22",
    "IE": "23",
    "KH": "24",
    "LA": "25",
    "RS": "29",
    "ZA": "31",
    "RO": "32",
    "CO": "33",
    "EE": "34",
    "CA": "36",
    "MA": "37",
    "GH": "38",
    "AR": "39",
    "UZ": "40",
    "DE": "43",
    "LT": "44",
    "HR": "45",
    "SE": "46",
    "NL": "48",
    "LV": "49",
    "AT": "50",
    "BY": "51",
    "TH": "52",
    "SA": "53",
    "MX": "54",
    "TW": "55",
    "ES": "56",
    "BD": "60",
    "CZ": "63",
    "LK": "64",
    "PE": "65",
    "PK": "66",
    "NZ": "67",
    "BR": "73",
    "KR": "190",
    "MN": "72",
    "NP": "81",
    "CY": "77",
    "FR": "78",
    "HU": "84",
    "BG": "83",
    "FI": "163",
    "IT": "86",
    "PY": "87",
    "AE": "95",
    "NO": "174",
    "PT": "117",
    "GE": "128",
    "MD": "85",
    "KW": "100",
    "AM": "148",
    "AU": "175",
    "CH": "173",
    "DK": "172",
    "SG": "196",
}
"""Our country → the family's id (providers.md §1.8). The United States are 187, real SIM cards; 12 are virtual ones."""

SERVICE_CODES: Mapping[str, str] = {
    "tg": "tg",
    "wa": "wa",
    "go": "go",
    "fb": "fb",
    "ig": "ig",
    "tw": "tw",
    "ds": "ds",
    "mm": "mm",
    "wx": "wx",
    "pm": "ts",
    "other": "ot",
}
"""Our service → the family's code (providers.md §1.9). Its own ``pm`` is AOL: PayPal is ``ts``."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One host. ``base_url`` is the handler's full address; ``micro_usd_per_unit`` the worth of its currency's unit.

    ``actions`` are those it has; where one turns out not to be there, its V1 namesake is used from then on.
    ``purchase_timeout_s`` bounds a whole purchase, ``read_timeout_s`` every other call. ``currency`` is the ISO 4217
    number that the host names beside its prices; a cost in another one is not believed. ``page_rows`` is the most that
    its lists give at once, ``webhook`` what is known of pushed SMS. A purchase carries ``order_id_param`` where the
    host sells nothing twice under one.
    """

    name: str
    base_url: str
    country_ids: Mapping[str, str]
    service_codes: Mapping[str, str]
    actions: frozenset[str]
    early_cancel_ms: int
    refund_window_ms: int
    purchase_timeout_s: float
    read_timeout_s: float
    connect_timeout_s: float
    max_price_param: str
    micro_usd_per_unit: int
    currency: str | None = None
    order_id_param: str | None = None
    history_size_param: str = "limit"
    page_rows: int = 100
    webhook: str = "not known"

    @property
    def can_list_activations(self) -> bool:
        """Tell whether an unknown purchase can be looked up."""
        return {"getActiveActivations", "getHistory"} <= self.actions

    @property
    def can_ask_in_bulk(self) -> bool:
        """Tell whether one call shows the SMS of many activations."""
        return "getActiveActivations" in self.actions

    def to_atomic(self, units: Decimal) -> int:
        """Return the host's money in micro-USD, rounded up: a cost is never taken for less than it is."""
        return int((units * self.micro_usd_per_unit).to_integral_value(ROUND_CEILING))

    def balance_atomic(self, units: Decimal) -> int:
        """Return the host's money in micro-USD, rounded down: what is there is never taken for more than it is."""
        return int((units * self.micro_usd_per_unit).to_integral_value(ROUND_FLOOR))

    def ceiling_text(self, amount_atomic: int) -> str:
        """Return micro-USD as the host's money, rounded down to its sixth decimal: a ceiling is never raised."""
        units = (Decimal(amount_atomic) / self.micro_usd_per_unit).quantize(Decimal("0.000001"), ROUND_FLOOR)
        whole, _, places = f"{units:f}".partition(".")
        return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


V1_ACTIONS = frozenset({"getBalance", "getPrices", "getNumbersStatus", "getNumber", "getStatus", "setStatus"})
OPTIONAL_ACTIONS = frozenset(
    {
        "getNumberV2",
        "getStatusV2",
        "getActiveActivations",
        "getHistory",
        "getPricesV2",
        "getPricesV3",
        "getTopCountriesByService",
    }
)
"""What hosts have or have not beside V1, and what we use of it (providers.md §1.1, §1.5)."""

SMSFAST = Profile(
    name="smsfast",
    base_url="https://api.smsfast.com/stubs/handler_api.php",
    country_ids=COUNTRY_IDS,
    service_codes=SERVICE_CODES,
    # providers.md §1.6; no list of activations is known there, and setStatus knows 6 and 8 but not 3
    actions=V1_ACTIONS,
    early_cancel_ms=125_000,  # 120 s by the host's clock, and clients wait 125 (providers.md §1.6, §6.1)
    refund_window_ms=1_260_000,  # 20 minutes from the host's purchase (providers.md §1.2), and one for the clocks
    purchase_timeout_s=25.0,  # connect 5 s, read 20 s; hosts answer in 2.3 to 6 s (providers.md §6.1, §1.7)
    read_timeout_s=20.0,
    connect_timeout_s=5.0,
    max_price_param="maxPrice",
    micro_usd_per_unit=1_000_000,  # assumed to be USD; RUB or not must be asked of the host (providers.md §7)
)

HERO = replace(
    SMSFAST,
    name="hero-sms",
    base_url="https://hero-sms.com/stubs/handler_api.php",
    country_ids=COUNTRY_IDS,  # 195 countries without id 12 (providers.md §1.7): the United States are 187
    actions=V1_ACTIONS | OPTIONAL_ACTIONS - {"getPricesV2", "getPricesV3"},
    currency="840",
    order_id_param="orderId",
    history_size_param="size",  # providers.md §1.1
    page_rows=100,
    webhook="set the address on the account's page; unsigned, keys as SMS-Activate's (providers.md §1.4)",
)


def generic(
    base_url: str,
    *,
    us_country_id: str = US_REAL_ID,
    extra_actions: frozenset[str] = frozenset(),
    micro_usd_per_unit: int = 1_000_000,
    early_cancel_ms: int = SMSFAST.early_cancel_ms,
) -> Profile:
    """Return the profile of a host that we know nothing of: V1, and what `phoneagent probe` found beside it."""
    return replace(
        SMSFAST,
        name="generic",
        base_url=base_url,
        country_ids={**COUNTRY_IDS, "US": us_country_id},
        actions=V1_ACTIONS | extra_actions & OPTIONAL_ACTIONS,
        micro_usd_per_unit=micro_usd_per_unit,
        early_cancel_ms=early_cancel_ms,
    )
