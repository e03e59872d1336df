"""Phone numbers in the books: a keyed hash in the place of the number, so that only who has both can tell whose it was.

The digits themselves must never be kept with it: there are few enough numbers to try them all once the key is known.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from phoneagent.core.tokens import TokenSigner

_HASH_BYTES = 20
_NOT_DIGITS = re.compile(r"[\s().+/-]")
_DIGITS = re.compile(r"[0-9]{5,15}")
"""E.164 has at most 15 digits."""


@dataclass(frozen=True, slots=True)
class NumberHasher:
    """Hashes under the first of ``secrets``, and finds what was hashed under any of them."""

    secrets: Sequence[bytes]

    def hash(self, number: str) -> str:
        """Return what stands in the books for a number: the key's public id, then the keyed hash."""
        return self._hash(self.secrets[0], number)

    def all(self, number: str) -> frozenset[str]:
        """Return every hash under which a number may stand in the books."""
        return frozenset(self._hash(secret, number) for secret in self.secrets)

    def knows(self, hashed: str) -> bool:
        """Tell whether a hash was made under one of our keys; otherwise it says nothing."""
        return hashed.partition(":")[0] in {TokenSigner.key_id(secret) for secret in self.secrets}

    @staticmethod
    def _hash(secret: bytes, number: str) -> str:
        tag = hmac.digest(secret, b"number:" + digits(number).encode(), hashlib.sha256)[:_HASH_BYTES]
        return f"{TokenSigner.key_id(secret)}:{tag.hex()}"


def digits(number: str) -> str:
    """Return a number as it was bought: digits alone, however people write it. Raises ValueError for what is none."""
    found = _NOT_DIGITS.sub("", number).removeprefix("00")
    if _DIGITS.fullmatch(found) is None:
        raise ValueError("not a phone number in international form")
    return found


__all__ = ["NumberHasher", "digits"]
