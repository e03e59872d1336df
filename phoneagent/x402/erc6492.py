"""Signatures of wallets that are not deployed yet (ERC-6492): what deploys one, and what it signs.

It must never call anything: the factory and its calldata are whatever a stranger wrote.
"""

from __future__ import annotations

from dataclasses import dataclass

MAGIC = "6492" * 16
"""The last 32 bytes of such a signature (eips.ethereum.org, ERC-6492, "Signer side")."""

_WORD = 32
_ADDRESS_PADDING = bytes(12)


@dataclass(frozen=True, slots=True)
class Wrapped:
    """``factory`` in lower case, the bytes to call it with, and the signature as the deployed wallet will judge it."""

    factory: str
    factory_calldata: bytes
    signature: str


def unwrap(signature: str) -> Wrapped | None:
    """Read a signature (0x hex); None when it is not wrapped, or not well."""
    if not signature.endswith(MAGIC):
        return None
    body = bytes.fromhex(signature[2 : -len(MAGIC)])
    factory, calldata, inner = body[:_WORD], _bytes_at(body, 1), _bytes_at(body, 2)
    if not factory.startswith(_ADDRESS_PADDING) or calldata is None or inner is None:
        return None
    return Wrapped(f"0x{factory[12:].hex()}", calldata, f"0x{inner.hex()}")


def inner_signature(signature: str) -> str:
    """Return what a deployed wallet is asked to judge: the token knows nothing of wrappings."""
    wrapped = unwrap(signature)
    return signature if wrapped is None else wrapped.signature


def _bytes_at(body: bytes, position: int) -> bytes | None:
    """Return the dynamic ``bytes`` whose offset is the n-th word of the encoding."""
    start = int.from_bytes(body[position * _WORD : (position + 1) * _WORD], "big")
    length = int.from_bytes(body[start : start + _WORD], "big")
    found = body[start + _WORD : start + _WORD + length]
    is_whole = len(body) >= start + _WORD and len(found) == length
    return found if is_whole else None
