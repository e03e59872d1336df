"""Whom a request is counted against: nobody may choose that by writing a header."""

from ipaddress import ip_network

import pytest

from phoneagent.web import Callers

PROXY = "10.0.0.7"


def _caller(peer: str | None, *forwarded: str, trusted: tuple[str, ...] = ()) -> str | None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    callers = Callers([ip_network(network) for network in trusted])
    return callers.of({"type": "http", "client": None if peer is None else (peer, 1), "headers": headers})


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.1", PROXY])
def test_without_trusted_proxies_it_is_the_peer_whatever_is_written(peer: str) -> None:
    assert _caller(peer, "198.51.100.1") == peer


def test_a_trusted_proxy_names_the_client() -> None:
    assert _caller(PROXY, "198.51.100.1", trusted=("10.0.0.0/8",)) == "198.51.100.1"


@pytest.mark.parametrize("hops", [("1.1.1.1, 2.2.2.2, 3.3.3.3",), ("1.1.1.1", "2.2.2.2,3.3.3.3"), ("x", "3.3.3.3")])
def test_only_the_last_hop_is_the_proxys_own_word(hops: tuple[str, ...]) -> None:
    assert _caller(PROXY, *hops, trusted=(PROXY,)) == "3.3.3.3"


@pytest.mark.parametrize("hop", ["", "unknown", "1.2.3.4:80", "'; drop", "9" * 1000])
def test_a_hop_that_is_no_address_leaves_the_proxy_itself(hop: str) -> None:
    assert _caller(PROXY, hop, trusted=(PROXY,)) == PROXY


def test_a_peer_that_is_not_trusted_is_not_believed() -> None:
    assert _caller("192.0.2.1", "198.51.100.1", trusted=(PROXY,)) == "192.0.2.1"


def test_one_customers_ipv6_addresses_are_one_caller() -> None:
    names = {_caller(peer) for peer in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:DB8:1:2::1%eth0")}
    assert names == {"2001:db8:1:2::/64"}
    assert _caller("2001:db8:1:3::1") not in names


def test_an_ipv4_address_in_ipv6_spelling_is_the_ipv4_one() -> None:
    assert _caller("::ffff:192.0.2.1") == "192.0.2.1"
    assert _caller("::ffff:10.0.0.7", "198.51.100.1", trusted=(PROXY,)) == "198.51.100.1"


def test_a_connection_without_an_address_has_no_caller() -> None:
    assert _caller(None, "198.51.100.1", trusted=("0.0.0.0/0",)) is None
