import pytest

from phoneagent.x402 import BASE, BASE_SEPOLIA, V1, V2, network_named, network_of


def test_each_version_has_its_own_name_for_a_network() -> None:
    assert [network_named("base", V1), network_named("eip155:8453", V2)] == [BASE, BASE]
    assert [network_named("base-sepolia", V1), network_named("eip155:84532", V2)] == [BASE_SEPOLIA, BASE_SEPOLIA]


@pytest.mark.parametrize(
    ("name", "version"), [("eip155:8453", V1), ("base", V2), ("Base", V1), ("eip155:08453", V2), ("", V1), ("base", 3)]
)
def test_a_name_of_the_other_version_or_an_unknown_one_is_no_network(name: str, version: int) -> None:
    assert network_named(name, version) is None


def test_a_chain_id_leads_to_its_network() -> None:
    assert network_of(84532) is BASE_SEPOLIA


def test_an_unknown_chain_id_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="chain 1 is not supported; known chains: 8453, 84532"):
        network_of(1)
