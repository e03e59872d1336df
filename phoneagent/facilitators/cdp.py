"""Signing for Coinbase's facilitator: one JWT for each method and address, made by us with the operator's API key.

It must never log or show the secret or a token, nor sign for another address than the one that is called.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

CDP_URL = "https://api.cdp.coinbase.com/platform/v2/x402"
"""x402.md §2.1."""

LIFETIME_S = 120
"""What CDP's own SDKs ask for (x402.md §2.1)."""

REUSE_S = 100
"""How long one token is used: the rest of its life is for the call and for clocks that disagree."""

_ED25519_BYTES = 64  # seed and public key
_SEED_BYTES = 32
_P256_BYTES = 32
_NONCE_DIGITS = 16

_WRONG_SECRET = "must be base64 of 64 bytes (Ed25519) or an EC private key in PEM"  # noqa: S105  a message, no secret

_Sign = Callable[[bytes], bytes]


class CdpSigner:
    """``AuthHeaders`` of CDP. ``now_s`` gives UTC seconds of the wall clock, as CDP reads it."""

    def __init__(self, key_id: str, secret: str, now_s: Callable[[], int]) -> None:
        """Import cryptography. Raises ValueError, without the secret in it, for a secret that is none."""
        self._key_id = key_id
        self._algorithm, self._sign = _signing(secret)
        self._now_s = now_s
        self._made: dict[str, tuple[int, str]] = {}

    def __call__(self, method: str, url: str) -> Mapping[str, str]:
        """Return the header that signs this request."""
        uri, now_s = uri_of(method, url), self._now_s()
        made_at_s, token = self._made.get(uri, (0, ""))
        if not token or not made_at_s <= now_s < made_at_s + REUSE_S:
            token = self._token(uri, now_s)
            self._made[uri] = (now_s, token)
        return {"authorization": f"Bearer {token}"}

    def _token(self, uri: str, now_s: int) -> str:
        nonce = "".join(secrets.choice("0123456789") for _ in range(_NONCE_DIGITS))
        header = {"alg": self._algorithm, "kid": self._key_id, "typ": "JWT", "nonce": nonce}
        claims = {"sub": self._key_id, "iss": "cdp", "nbf": now_s, "exp": now_s + LIFETIME_S, "uris": [uri]}
        signed = f"{_part(header)}.{_part(claims)}"
        return f"{signed}.{_base64url(self._sign(signed.encode()))}"


def uri_of(method: str, url: str) -> str:
    """Return a request as CDP's ``uris`` claim names it: method, host and path, without scheme, query and login."""
    parts = urlsplit(url)
    return f"{method} {parts.netloc.rpartition('@')[2]}{parts.path}"


def _signing(secret: str) -> tuple[str, _Sign]:
    """Return the JWT's algorithm and what signs with it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  5 MB that only CDP's users need
        Ed25519PrivateKey,
    )

    key = _pem_key(secret) if "-----BEGIN" in secret else _ed25519_key(secret)
    if isinstance(key, Ed25519PrivateKey):
        return "EdDSA", key.sign
    return "ES256", lambda data: _p256_signature(key, data)


def _pem_key(secret: str) -> Ed25519PrivateKey | EllipticCurvePrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  see _signing
    from cryptography.hazmat.primitives.asymmetric.ec import (  # noqa: PLC0415  see _signing
        SECP256R1,
        EllipticCurvePrivateKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  see _signing
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415  see _signing

    try:
        # CDP's key file is JSON, from which people copy the line breaks as \n.
        key = load_pem_private_key(secret.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(_WRONG_SECRET) from None  # the cause may quote the secret
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise ValueError(_WRONG_SECRET)


def _ed25519_key(secret: str) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  see _signing

    try:
        data = base64.b64decode(secret.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(_WRONG_SECRET) from None  # the cause may quote the secret
    if len(data) != _ED25519_BYTES:
        raise ValueError(_WRONG_SECRET)
    key = Ed25519PrivateKey.from_private_bytes(data[:_SEED_BYTES])
    if key.public_key().public_bytes_raw() != data[_SEED_BYTES:]:
        raise ValueError("the two halves of the Ed25519 secret do not belong together")
    return key


def _p256_signature(key: EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Return r and s side by side, as JWS wants them (RFC 7518 §3.4)."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415  see _signing
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature  # noqa: PLC0415  see _signing
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  see _signing

    r, s = decode_dss_signature(key.sign(data, ECDSA(SHA256())))
    return r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")


def _part(value: Mapping[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
