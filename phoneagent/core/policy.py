"""What this operator sells and to which parts of the world: lists, classes of services, and switches, as one verdict.

Pure and without memory. It decides about new purchases only: nothing here may ever end a rental that has a number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum

from phoneagent.core.catalog import COUNTRIES, SERVICES, Catalogue


class ServiceClass(StrEnum):
    """What an account behind a service is for."""

    MESSENGER = "messenger"
    SOCIAL = "social"
    ACCOUNT = "account"
    UNNAMED = "unnamed"
    PAYMENTS = "payments"
    BANK = "bank"
    EXCHANGE = "exchange"
    GOVERNMENT = "government"


REGULATED = frozenset(
    {ServiceClass.PAYMENTS, ServiceClass.BANK, ServiceClass.EXCHANGE, ServiceClass.GOVERNMENT},
)
"""Classes whose providers must know their customers by law, so that a number of nobody's is made for deceit.

Source: FATF Recommendations 10 and 15 (customer due diligence at financial institutions and virtual asset services),
and providers.md §1.9: PayPal, Wise, Revolut, Binance, Coinbase, Venmo, GovBr, Nubank, banks. Looked up 2026-11-24.
"""

CLASSES: Mapping[str, ServiceClass] = {
    "tg": ServiceClass.MESSENGER,
    "wa": ServiceClass.MESSENGER,
    "go": ServiceClass.ACCOUNT,
    "fb": ServiceClass.SOCIAL,
    "ig": ServiceClass.SOCIAL,
    "tw": ServiceClass.SOCIAL,
    "ds": ServiceClass.MESSENGER,
    "mm": ServiceClass.ACCOUNT,
    "wx": ServiceClass.ACCOUNT,
    "pm": ServiceClass.PAYMENTS,
    "other": ServiceClass.UNNAMED,
}
"""The class of every service on sale. One without a class is denied until somebody has thought about it."""


@dataclass(frozen=True, slots=True)
class Sanction:
    """A programme against a whole country, where it is written, and the day it was put on this list."""

    programme: str
    source: str
    as_of: str


SANCTIONED: Mapping[str, Sanction] = {
    "CU": Sanction("United States: embargo", "31 CFR 515", "2026-11-24"),
    "IR": Sanction("United States: embargo; European Union", "31 CFR 560; Regulation (EU) 267/2012", "2026-11-24"),
    "KP": Sanction("United Nations; United States: embargo", "UNSCR 1718; 31 CFR 510", "2026-11-24"),
    "RU": Sanction("European Union; United States", "Regulation (EU) 833/2014; 15 CFR 746.8", "2026-11-24"),
    "BY": Sanction("European Union; United States", "Regulation (EC) 765/2006; 15 CFR 746.8", "2026-11-24"),
}
"""Countries whose numbers are not sold unless the operator names them. Of these the catalogue has Belarus.

A default to begin with, not legal advice, and to be read again: such lists change within days. Left out are programmes
against persons only (as for Myanmar), Syria, whose embargo the United States ended (E.O. 14312, 2025-06-30), and
regions that no country code tells apart (Crimea).
"""


class SwitchKind(StrEnum):
    """What a kill switch stops."""

    SERVICE = "service"
    COUNTRY = "country"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Switch:
    """A kill switch that is off: new purchases stop, open rentals live on. ``at_ms`` is unix ms of the store."""

    kind: SwitchKind
    name: str
    reason: str
    by: str
    at_ms: int = 0


class Reason(StrEnum):
    """Why a pair is not sold. Stable: these are API."""

    SERVICE_SWITCHED_OFF = "service_switched_off"
    COUNTRY_SWITCHED_OFF = "country_switched_off"
    SERVICE_DENIED = "service_denied"
    COUNTRY_DENIED = "country_denied"
    SERVICE_REGULATED = "service_regulated"
    COUNTRY_SANCTIONED = "country_sanctioned"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The pair may be sold, as far as policy goes."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The pair is not sold; ``field`` is the member of the request that is to blame."""

    reason: Reason
    field: str


Verdict = Allowed | Denied


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decided before the start. An empty ``only_…`` is no list: everything.

    ``regulated_services`` and ``sanctioned_countries`` are those that are sold although they are off by default.
    """

    only_services: AbstractSet[str] = frozenset()
    only_countries: AbstractSet[str] = frozenset()
    denied_services: AbstractSet[str] = frozenset()
    denied_countries: AbstractSet[str] = frozenset()
    regulated_services: AbstractSet[str] = frozenset()
    sanctioned_countries: AbstractSet[str] = frozenset()

    def about_service(self, service: str) -> Reason | None:
        """Return why a service is not sold anywhere, None if it is."""
        if service in self.denied_services or (self.only_services and service not in self.only_services):
            return Reason.SERVICE_DENIED
        is_off = service not in CLASSES or CLASSES[service] in REGULATED
        return Reason.SERVICE_REGULATED if is_off and service not in self.regulated_services else None

    def about_country(self, country: str) -> Reason | None:
        """Return why a country's numbers are not sold, None if they are."""
        if country in self.denied_countries or (self.only_countries and country not in self.only_countries):
            return Reason.COUNTRY_DENIED
        is_off = country in SANCTIONED and country not in self.sanctioned_countries
        return Reason.COUNTRY_SANCTIONED if is_off else None


EVERYTHING = Policy(
    regulated_services=frozenset(SERVICES), sanctioned_countries=frozenset(SANCTIONED) | frozenset(COUNTRIES)
)
"""The policy of who sells whatever there is."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy and the switches that are off at this moment."""

    policy: Policy = EVERYTHING
    off: frozenset[tuple[SwitchKind, str]] = field(default_factory=frozenset)

    def about_service(self, service: str) -> Reason | None:
        """Return why a service is not sold anywhere right now, None if it is."""
        is_off = (SwitchKind.SERVICE, service) in self.off
        return Reason.SERVICE_SWITCHED_OFF if is_off else self.policy.about_service(service)

    def about_country(self, country: str) -> Reason | None:
        """Return why a country's numbers are not sold right now, None if they are."""
        is_off = (SwitchKind.COUNTRY, country) in self.off
        return Reason.COUNTRY_SWITCHED_OFF if is_off else self.policy.about_country(country)

    def verdict(self, country: str, service: str) -> Verdict:
        """Judge one pair."""
        if (reason := self.about_service(service)) is not None:
            return Denied(reason, "service")
        if (reason := self.about_country(country)) is not None:
            return Denied(reason, "country")
        return Allowed()

    def buys_from(self, provider: str) -> bool:
        """Tell whether new numbers may be bought there."""
        return (SwitchKind.PROVIDER, provider) not in self.off

    def shown(self, catalogue: Catalogue) -> Catalogue:
        """Return a catalogue without what is not sold."""
        services = {code for code in SERVICES if self.about_service(code) is None}
        countries = {code for code in COUNTRIES if self.about_country(code) is None}
        kept = {pair: row for pair, row in catalogue.listings.items() if pair[0] in countries and pair[1] in services}
        return catalogue if len(kept) == len(catalogue.listings) else replace(catalogue, listings=kept)


def rules(policy: Policy, switches: Collection[Switch]) -> Rules:
    """Return the rules under these switches."""
    return Rules(policy, frozenset((switch.kind, switch.name) for switch in switches))


__all__ = [
    "CLASSES",
    "EVERYTHING",
    "REGULATED",
    "SANCTIONED",
    "Allowed",
    "Denied",
    "Policy",
    "Reason",
    "Rules",
    "Sanction",
    "ServiceClass",
    "Switch",
    "SwitchKind",
    "Verdict",
    "rules",
]
