"""The chains we know, under the names each x402 version gives them, with Circle's USDC and its signing domain.

It must never guess: a name of the wrong version, or of a chain that is not listed, is no network of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from phoneagent.x402.eip3009 import Domain

V1 = 1
V2 = 2


@dataclass(frozen=True, slots=True)
class Network:
    """One chain: ``name`` is x402 v1's word for it, ``caip2`` is v2's, ``usdc`` the domain of Circle's token there."""

    name: str
    usdc: Domain

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id."""
        return self.usdc.chain_id

    @property
    def caip2(self) -> str:
        """CAIP-2 identifier ("eip155:8453")."""
        return f"eip155:{self.usdc.chain_id}"

    def name_in(self, version: int) -> str:
        """Return the name that a client of this x402 version reads and writes."""
        return self.name if version == V1 else self.caip2


# Addresses and domain names: developers.circle.com/stablecoins/usdc-contract-addresses and DOMAIN_SEPARATOR() of both
# contracts. The names differ on purpose of Circle's: "USD Coin" on Base, "USDC" on Base Sepolia.
BASE = Network("base", Domain("USD Coin", "2", 8453, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"))
BASE_SEPOLIA = Network("base-sepolia", Domain("USDC", "2", 84532, "0x036CbD53842c5426634e7929541eC2318f3dCF7e"))

NETWORKS = (BASE, BASE_SEPOLIA)

_BY_CHAIN_ID = {network.chain_id: network for network in NETWORKS}
_BY_NAME = {(version, network.name_in(version)): network for network in NETWORKS for version in (V1, V2)}


def network_of(chain_id: int) -> Network:
    """Return the network of a chain id. Raises ValueError for a chain that x402 names and we do not."""
    try:
        return _BY_CHAIN_ID[chain_id]
    except KeyError as exc:
        known = ", ".join(str(known) for known in _BY_CHAIN_ID)
        raise ValueError(f"chain {chain_id} is not supported; known chains: {known}") from exc


def network_named(name: str, version: int) -> Network | None:
    """Return the network that ``name`` means in this x402 version; None for every other name."""
    return _BY_NAME.get((version, name))
