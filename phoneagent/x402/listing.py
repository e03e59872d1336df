"""What catalogues of x402 resources take: the words, the icon and the description that name a service in its offers.

It must never let through what a facilitator would drop without a word, or refuse a payment for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

MAX_DESCRIPTION_CHARS = 500
"""CDP refuses every payment of a resource with a longer description (x402 issues #2832, #2284)."""

# The rules below are specs/extensions/bazaar.md "Service Metadata on `resource`": other values are dropped silently.
MAX_TAGS = 5
MAX_ICON_URL_CHARS = 2048

_WORD = re.compile(r"[\x20-\x7e]{1,32}")
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]+")  # other spellings of an address
_LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})


def is_listed_word(word: str) -> bool:
    """Tell whether a service name or tag is shown: 1 to 32 printable ASCII characters."""
    return _WORD.fullmatch(word) is not None


def are_listed_tags(tags: Sequence[str]) -> bool:
    """Tell whether all of the tags are shown: at most five, and none twice in another letter case."""
    return len({tag.lower() for tag in tags}) == len(tags) <= MAX_TAGS and all(map(is_listed_word, tags))


def is_listed_icon(url: str) -> bool:
    """Tell whether an icon's address is shown: http or https, by a name rather than a number, and not this machine's.

    Names outside ASCII are refused; written in their `xn--` form they are as good as any.
    """
    if len(url) > MAX_ICON_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc or _HOST.fullmatch(host) is None:
        return False
    return host not in _LOOPBACK_NAMES and not _is_number(host)


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return _NUMBER.fullmatch(host) is not None
    return True
