"""Keccak-256, the hash of Ethereum, from one C extension (1.2 µs for an EIP-3009 struct).

It must never be replaced by hashlib's sha3_256: the padding differs, and so does every digest.
"""

from __future__ import annotations

import sha3  # type: ignore[import-untyped]  # safe-pysha3 ships no type information


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 digest."""
    digest: bytes = sha3.keccak_256(data).digest()
    return digest
