"""What people and models call a country or a service, and the one code that the rest of the service knows it by.

It must never guess: what is not listed here is unknown, and the nearest ones are suggested, not taken.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from phoneagent.core.catalog import COUNTRIES, SERVICES

LONGEST_CHARS = 64
"""Nothing longer is looked at: the longest name on sale has 21 characters."""

MOST_SUGGESTIONS = 3
_LEAST_LIKENESS = 0.34
"""Share of common letter pairs below which two names have nothing to do with each other."""

_ALPHA3 = """
UKR KAZ CHN PHL MMR IDN MYS KEN TZA VNM USA ISR HKG POL GBR MDG NGA EGY IND IRL KHM LAO SRB ZAF ROU COL EST CAN
MAR GHA ARG UZB DEU LTU HRV SWE NLD LVA AUT BLR THA SAU MEX TWN ESP BGD CZE LKA PER PAK NZL BRA KOR MNG NPL CYP
FRA HUN BGR FIN ITA PRY ARE NOR PRT GEO MDA KWT ARM AUS CHE DNK SGP
"""

ALPHA3: Mapping[str, str] = dict(zip(COUNTRIES, _ALPHA3.split(), strict=True))
"""ISO 3166-1 alpha-2 → alpha-3; the list above is in the order of the countries."""

_COUNTRY_ALIASES: Mapping[str, str] = {
    "US": "America, United States of America, U.S. of A., the States, Estados Unidos",
    "GB": "UK, Britain, Great Britain, United Kingdom of Great Britain and Northern Ireland, England, Scotland, Wales",
    "KR": "Korea, Republic of Korea, Korea South, Korea (Republic of), ROK",
    "AE": "UAE, Emirates",
    "CZ": "Czech Republic",
    "NL": "Holland",
    "MM": "Burma",
    "VN": "Viet Nam, Socialist Republic of Vietnam",
    "LA": "Lao, Lao PDR, Lao People's Democratic Republic",
    "TW": "Taiwan, Province of China; Republic of China; Chinese Taipei",
    "HK": "Hongkong, Hong Kong SAR, Hong Kong SAR China",
    "CN": "PRC, People's Republic of China, Mainland China, China Mainland",
    "TZ": "Tanzania, United Republic of; United Republic of Tanzania",
    "MD": "Republic of Moldova; Moldova, Republic of",
    "ZA": "Republic of South Africa, RSA",
    "SA": "Kingdom of Saudi Arabia, KSA",
    "IE": "Republic of Ireland, Eire",
    "KH": "Kampuchea",
    "DE": "Deutschland",
    "ES": "Espana",
    "BR": "Brasil",
    "IT": "Italia",
    "CH": "Schweiz, Suisse, Svizzera",
    "AT": "Oesterreich, Osterreich",
    "PL": "Polska",
    "SE": "Sverige",
    "NO": "Norge",
    "DK": "Danmark",
    "FI": "Suomi",
}
"""Further names, between commas, or between semicolons where a name has a comma of its own."""

_SERVICE_ALIASES: Mapping[str, str] = {
    "tg": "Telegram Messenger",
    "wa": "Whats App, WhatsApp Messenger, WhatsApp Business",
    "go": "Google, Gmail, Google Mail, Google Account, Google Voice, YouTube",
    "fb": "Facebook Messenger, Messenger",
    "ig": "Insta",
    "tw": "Twitter, X, X.com",
    "ds": "Discord App",
    "mm": "Microsoft Account, Outlook, Hotmail, Azure, Xbox",
    "wx": "Apple, iCloud, Apple ID, iTunes",
    "pm": "Pay Pal",
    "other": "Any, Any other, Other service, Anything else",
}


@dataclass(frozen=True, slots=True)
class Spellings:
    """Every name of one kind of thing, in the form in which names are compared."""

    codes: Mapping[str, str]
    names: Mapping[str, str]
    _pairs: tuple[tuple[frozenset[str], str], ...]

    def find(self, text: str) -> str | None:
        """Return the code that a text means; None for one that means nothing here."""
        key = compact(text)
        return self.codes.get(key) or self.codes.get(key.removeprefix("the"))

    def nearest(self, text: str) -> tuple[str, ...]:
        """Return the codes whose names are most like a text that means nothing here, the most alike first."""
        asked = _letter_pairs(compact(text))
        if not asked:
            return ()
        likeness: dict[str, float] = {}
        for pairs, code in self._pairs:
            share = 2 * len(asked & pairs) / (len(asked) + len(pairs))
            likeness[code] = max(share, likeness.get(code, 0.0))
        near = sorted(likeness, key=lambda code: -likeness[code])[:MOST_SUGGESTIONS]
        return tuple(code for code in near if likeness[code] >= _LEAST_LIKENESS)


def compact(text: str) -> str:
    """Return a name in the form in which names are compared: letters and digits only, no accents, no capitals."""
    if len(text) > LONGEST_CHARS:
        return ""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in plain if char.isalnum())


def _letter_pairs(key: str) -> frozenset[str]:
    """Return the pairs of neighbouring letters, with the first and the last one marked: they are seldom mistyped."""
    framed = f"^{key}$" if key else ""
    return frozenset(framed[at : at + 2] for at in range(len(framed) - 1))


def _spellings(names: Mapping[str, str], more: Iterable[tuple[str, str]]) -> Spellings:
    """Raise ValueError where one name would mean two things."""
    codes: dict[str, str] = {}
    for name, code in [*((code, code) for code in names), *((name, code) for code, name in names.items()), *more]:
        if codes.setdefault(compact(name), code) != code:
            raise ValueError(f"{name} would mean {codes[compact(name)]} and {code}")
    return Spellings(codes, names, tuple((_letter_pairs(key), code) for key, code in codes.items()))


def _aliases(listed: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, code) for code, text in listed.items() for name in text.split(";" if ";" in text else ",")]


COUNTRY_SPELLINGS = _spellings(
    COUNTRIES, [*((alpha3, code) for code, alpha3 in ALPHA3.items()), *_aliases(_COUNTRY_ALIASES)]
)
SERVICE_SPELLINGS = _spellings(SERVICES, _aliases(_SERVICE_ALIASES))
