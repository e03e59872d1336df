"""Phone numbers that look right for their country, by the country ids of the SMS-Activate family.

Numbers are counted out, never drawn: one serial gives one number, and no two serials of a country give the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["COUNTRIES", "Country", "number"]


@dataclass(frozen=True, slots=True)
class Country:
    """ISO 3166-1 code, the digits every number starts with (calling code and mobile prefix), and how many follow."""

    iso: str
    prefix: str
    digits: int


# Ids: providers.md §1.8; 0, 12 and 62 are sold by the host but not by our storefront. Prefixes: national mobile ranges.
COUNTRIES: Mapping[str, Country] = {
    "0": Country("RU", "7901", 7),
    "1": Country("UA", "38050", 7),
    "2": Country("KZ", "7701", 7),
    "3": Country("CN", "86138", 8),
    "4": Country("PH", "63917", 7),
    "5": Country("MM", "9597", 8),
    "6": Country("ID", "62858", 8),
    "7": Country("MY", "6012", 7),
    "8": Country("KE", "254712", 6),
    "9": Country("TZ", "255754", 6),
    "10": Country("VN", "8490", 7),
    "12": Country("US", "12025", 6),
    "13": Country("IL", "97250", 7),
    "14": Country("HK", "8525", 7),
    "15": Country("PL", "48501", 6),
    "16": Country("GB", "447400", 6),
    "17": Country("MG", "26134", 7),
    "19": Country("NG", "234803", 7),
    "21": Country("EG", "2010", 8),
    "22": Country("IN", "9198", 8),
    "23": Country("IE", "35385", 7),
    "24": Country("KH", "85512", 6),
    "25": Country("LA", "85620", 8),
    "29": Country("RS", "38164", 7),
    "31": Country("ZA", "2782", 7),
    "32": Country("RO", "40722", 6),
    "33": Country("CO", "57300", 7),
    "34": Country("EE", "3725", 7),
    "36": Country("CA", "16042", 6),
    "37": Country("MA", "2126", 8),
    "38": Country("GH", "23324", 7),
    "39": Country("AR", "54911", 8),
    "40": Country("UZ", "99890", 7),
    "43": Country("DE", "49151", 8),
    "44": Country("LT", "3706", 7),
    "45": Country("HR", "38591", 7),
    "46": Country("SE", "4670", 7),
    "48": Country("NL", "316", 8),
    "49": Country("LV", "3712", 7),
    "50": Country("AT", "43664", 7),
    "51": Country("BY", "37529", 7),
    "52": Country("TH", "668", 8),
    "53": Country("SA", "96650", 7),
    "54": Country("MX", "5255", 8),
    "55": Country("TW", "8869", 8),
    "56": Country("ES", "346", 8),
    "60": Country("BD", "88017", 8),
    "62": Country("TR", "90530", 7),
    "63": Country("CZ", "420601", 6),
    "64": Country("LK", "9471", 7),
    "65": Country("PE", "519", 8),
    "66": Country("PK", "92300", 7),
    "67": Country("NZ", "6421", 7),
    "72": Country("MN", "97699", 6),
    "73": Country("BR", "55119", 8),
    "77": Country("CY", "35799", 6),
    "78": Country("FR", "336", 8),
    "81": Country("NP", "97798", 8),
    "84": Country("HU", "3620", 7),
    "85": Country("MD", "37369", 6),
    "86": Country("IT", "39320", 7),
    "87": Country("PY", "595981", 6),
    "95": Country("AE", "97150", 7),
    "100": Country("KW", "9655", 7),
    "117": Country("PT", "35191", 7),
    "128": Country("GE", "995555", 6),
    "148": Country("AM", "37491", 6),
    "163": Country("FI", "35840", 7),
    "172": Country("DK", "452", 7),
    "173": Country("CH", "4176", 7),
    "174": Country("NO", "474", 7),
    "175": Country("AU", "614", 8),
    "187": Country("US", "14152", 6),
    "190": Country("KR", "8210", 8),
    "196": Country("SG", "658", 7),
    "83": Country("BG", "35988", 7),
}

_STRIDE, _START = 7_654_321, 1_234_567  # a stride without a common factor with 10 visits every number before any twice


def number(country: str, serial: int) -> str:
    """Return the country's number for a serial: E.164 digits without '+'. Raises KeyError for an unknown country."""
    plan = COUNTRIES[country]
    tail = (serial * _STRIDE + _START) % 10**plan.digits
    return f"{plan.prefix}{tail:0{plan.digits}d}"
