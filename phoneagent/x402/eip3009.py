"""The signature of an EIP-3009 authorization: its EIP-712 digest, and whether the payer's own key made it.

It must never accept what the token would refuse (high s, v other than 27 or 28), nor judge contract wallets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coincurve import PrivateKey, PublicKey

from phoneagent.x402.addresses import lower_address
from phoneagent.x402.keccak import keccak256

if TYPE_CHECKING:
    from phoneagent.core.payment import Authorization

_DOMAIN_TYPE = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_TRANSFER_TYPE = keccak256(
    b"TransferWithAuthorization(address from,address to,uint256 value,"
    b"uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
_ADDRESS_PADDING = bytes(12)

_EOA_SIGNATURE_BYTES = 65
_EOA_SIGNATURE_CHARS = 2 + 2 * _EOA_SIGNATURE_BYTES
_V_BASE = 27
_V_VALUES = frozenset({27, 28})
"""FiatTokenV2 refuses v 0/1 with "invalid signature 'v' value"; so do we, or a hold could not be settled."""

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half of secp256k1's order. A larger s is the same signature spelled twice; the token refuses it (EIP-2)."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The EIP-712 domain of a token. A wrong ``name`` passes some facilitators' verify and fails every settle."""

    name: str
    version: str
    chain_id: int
    token: str
    separator: bytes = field(init=False, repr=False, compare=False)
    """What the token answers to ``DOMAIN_SEPARATOR()``, computed once."""

    def __post_init__(self) -> None:
        """Spell the token in lower case. Raises ValueError unless it is an address."""
        token = lower_address(self.token)
        object.__setattr__(self, "token", token)
        encoded = (
            _DOMAIN_TYPE
            + keccak256(self.name.encode())
            + keccak256(self.version.encode())
            + self.chain_id.to_bytes(32, "big")
            + _ADDRESS_PADDING
            + bytes.fromhex(token[2:])
        )
        object.__setattr__(self, "separator", keccak256(encoded))


def authorization_digest(auth: Authorization, domain: Domain) -> bytes:
    """Return the 32 bytes that the payer signs. ``auth`` is spelled as core says and each number fits a uint256."""
    struct = (
        _TRANSFER_TYPE
        + _ADDRESS_PADDING
        + bytes.fromhex(auth.payer[2:])
        + _ADDRESS_PADDING
        + bytes.fromhex(auth.payee[2:])
        + auth.amount_atomic.to_bytes(32, "big")
        + auth.valid_after.to_bytes(32, "big")
        + auth.valid_before.to_bytes(32, "big")
        + bytes.fromhex(auth.nonce[2:])
    )
    return keccak256(b"\x19\x01" + domain.separator + keccak256(struct))


def is_signed_by_payer(auth: Authorization, signature: str, domain: Domain) -> bool:
    """Tell whether ``signature`` (0x hex) is 65 bytes r‖s‖v that recover to the payer. Never raises for a signature.

    False means *not proven*, not *invalid*: a contract wallet's signature is for the token to judge.
    """
    recoverable = _recoverable(signature)
    if recoverable is None:
        return False
    try:
        key = PublicKey.from_signature_and_message(recoverable, authorization_digest(auth, domain), hasher=None)
    except ValueError:
        return False
    return _address_of(key) == auth.payer


def require_fast_crypto() -> None:
    """Raise RuntimeError unless signatures are checked in C, here and in eth-account's key library.

    Without it every check blocks the event loop for 5 to 9 ms instead of 0.05 ms (measured).
    """
    key = PrivateKey(bytes(31) + b"\x01")
    digest = keccak256(b"phoneagent")
    found = PublicKey.from_signature_and_message(key.sign_recoverable(digest, hasher=None), digest, hasher=None)
    if found != key.public_key:
        raise RuntimeError("coincurve does not recover its own signature; reinstall coincurve")
    try:
        from eth_keys.backends import get_backend  # noqa: PLC0415  only start-up needs it
    except ImportError as exc:
        raise RuntimeError("eth-keys is missing; install eth-account") from exc
    backend = type(get_backend()).__name__
    if backend != "CoinCurveECCBackend":
        raise RuntimeError(f"eth-keys uses {backend}, not coincurve: install coincurve and unset ECC_BACKEND_CLASS")


def _recoverable(signature: str) -> bytes | None:
    """Return r‖s‖parity as libsecp256k1 wants it; None unless the token's ECRecover would take the signature."""
    if len(signature) != _EOA_SIGNATURE_CHARS or not signature.startswith("0x"):
        return None
    try:
        raw = bytes.fromhex(signature[2:])
    except ValueError:
        return None
    if len(raw) != _EOA_SIGNATURE_BYTES or raw[64] not in _V_VALUES:
        return None
    if int.from_bytes(raw[32:64], "big") > _HALF_ORDER:
        return None
    return raw[:64] + bytes((raw[64] - _V_BASE,))


def _address_of(key: PublicKey) -> str:
    return "0x" + keccak256(key.format(compressed=False)[1:])[-20:].hex()
