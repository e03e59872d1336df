"""The dollar token as the chain installs it: address, compiled artifact, and the storage that genesis writes.

It must never compile anything: the artifact is built by `token_build` and checked against the source by a test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from eth_utils.crypto import keccak

USDC_ADDRESS = "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
"""USDC on Base mainnet (Circle, "USDC contract addresses"); the development token stands at the same place."""

BLACKLIST_BIT = 1 << 255
UNLIMITED_MINT = (1 << 256) - 1


@dataclass(frozen=True, slots=True)
class TokenArtifact:
    """What came out of the compiler: `abi` as clients read it, both codes, and the storage slot of every variable."""

    compiler: str
    abi: list[dict[str, Any]]
    creation_code: bytes
    runtime_code: bytes
    slots: dict[str, int]


@cache
def artifact() -> TokenArtifact:
    """The packaged artifact, read once."""
    raw = json.loads(resources.files(__package__).joinpath("token.json").read_text())
    return TokenArtifact(
        compiler=raw["compiler"],
        abi=raw["abi"],
        creation_code=bytes.fromhex(raw["bytecode"].removeprefix("0x")),
        runtime_code=bytes.fromhex(raw["bytecode_runtime"].removeprefix("0x")),
        slots=raw["slots"],
    )


def token_abi() -> list[dict[str, Any]]:
    """The token's ABI with both overloads of each signed message, for web3, viem and ethers."""
    return artifact().abi


def genesis_storage(owner: bytes) -> dict[int, int]:
    """Storage of a token whose constructor `owner` ran, and whose owner may mint without limit."""
    slots = artifact().slots
    return {
        slots["owner"]: int.from_bytes(owner, "big"),
        _entry(slots["balance_and_blacklist"], bytes.fromhex(USDC_ADDRESS[2:])): BLACKLIST_BIT,
        _entry(slots["isMinter"], owner): 1,
        _entry(slots["minterAllowance"], owner): UNLIMITED_MINT,
    }


def mint_calldata(to: bytes, amount_atomic: int) -> bytes:
    """Calldata of `mint(to, amount_atomic)`; 1 USDC is 1_000_000."""
    return keccak(text="mint(address,uint256)")[:4] + to.rjust(32, b"\0") + amount_atomic.to_bytes(32, "big")


def _entry(slot: int, key: bytes) -> int:
    """Slot of a Vyper HashMap entry: the slot of the map comes first, unlike in Solidity."""
    return int.from_bytes(keccak(slot.to_bytes(32, "big") + key.rjust(32, b"\0")), "big")
