"""Bearer tokens that are derived, never stored: HMAC of the rental id under a server secret with a key id.

Callers' addresses are kept in the same way: as a tag from which nobody without the secret finds the address.

Two secrets may be valid at once during a rotation. It must never be logged or compared other than in constant time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

_TAG_BYTES = 24
_CALLER_BYTES = 16


def caller_digest(secret: bytes, address: str) -> str:
    """Return what stands for a caller's address in the store: 26 letters and digits."""
    tag = hmac.digest(secret, f"caller:{address}".encode(), hashlib.sha256)[:_CALLER_BYTES]
    return base64.b32encode(tag).decode().rstrip("=").lower()


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """Makes and checks tokens ``tok_<key id>_<tag>``; ``secrets`` maps key ids to secrets, ``current`` signs."""

    current: str
    secrets: Mapping[str, bytes]

    @staticmethod
    def key_id(secret: bytes) -> str:
        """Return a short public name for a secret, so that a rotation needs no setting of its own."""
        return hashlib.sha256(b"key id:" + secret).hexdigest()[:4]

    def token(self, rental_id: str, key_id: str | None = None) -> str:
        """Return the token of a rental under ``key_id`` (the current key unless told)."""
        key = key_id or self.current
        tag = hmac.digest(self.secrets[key], f"sms:{rental_id}".encode(), hashlib.sha256)[:_TAG_BYTES]
        return f"tok_{key}_{base64.urlsafe_b64encode(tag).decode()}"

    def accepts(self, rental_id: str, token: str) -> bool:
        """Tell in constant time whether ``token`` is the rental's, under any valid key."""
        given = token.encode("utf-8", "surrogatepass")
        valid = [hmac.compare_digest(self.token(rental_id, key).encode(), given) for key in self.secrets]
        return any(valid)
