"""Who a request comes from, for limits only: the peer of the connection, or what a trusted proxy says of it.

It must never believe a header of anybody else, and no decision about money or access may depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Network = IPv4Network | IPv6Network

CUSTOMER_PREFIX_BITS = 64
"""One customer has a whole /64 of IPv6 addresses (RFC 6177): they are one caller."""

_FORWARDED_FOR = b"x-forwarded-for"
_REMEMBERED = 4096


class Callers:
    """Names the caller of a request."""

    def __init__(self, trusted_proxies: Sequence[Network] = ()) -> None:
        """Believe the last `X-Forwarded-For` hop of peers in these networks, and no other."""
        self._trusted = tuple(trusted_proxies)
        self._spelled = lru_cache(_REMEMBERED)(_spelled)
        self._is_trusted = lru_cache(_REMEMBERED)(self._is_in_trusted)

    def of(self, scope: Scope) -> str | None:
        """Return the caller's name: an address, for IPv6 its network; None where the connection has no address."""
        client = scope.get("client")
        if not client:
            return None
        peer: str = client[0]
        if self._trusted and self._is_trusted(peer):
            peer = _last_hop(scope) or peer
        return self._spelled(peer)

    def _is_in_trusted(self, peer: str) -> bool:
        try:
            address = _unmapped(peer)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def _last_hop(scope: Scope) -> str | None:
    """Return what the nearest proxy wrote; everything before it is the client's own word."""
    hops = [value for name, value in scope["headers"] if name == _FORWARDED_FOR]
    if not hops:
        return None
    last: str = hops[-1].decode("latin-1").rpartition(",")[2].strip()
    try:
        return str(_unmapped(last))
    except ValueError:
        return None


def _spelled(peer: str) -> str:
    try:
        address = _unmapped(peer)
    except ValueError:
        return peer
    if address.version == 4:  # noqa: PLR2004  a version, not a quantity
        return str(address)
    return str(ip_network((address, CUSTOMER_PREFIX_BITS), strict=False))


def _unmapped(text: str) -> IPv4Address | IPv6Address:
    """Return an address; an IPv4 one in the clothes of IPv6 is the IPv4 one. Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
