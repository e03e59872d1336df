"""Bearer tokens of the simulated TextVerified: signed, short-lived, remembered by nobody.

They run on the machine's own time, not on the dev clock: the official client believes the expiry it was told and would
never notice that a moved clock has ended its token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable

__all__ = ["LIFETIME_S", "Tokens"]

LIFETIME_S = 899
"""providers.md §2.1."""

_HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")


class Tokens:
    """Issues and checks tokens under one secret."""

    def __init__(self, secret: str, now_s: Callable[[], float] = time.time) -> None:
        """Pass ``now_s`` where a test moves the time."""
        self._secret = secret.encode()
        self.now_s = now_s
        self._good_from = 0
        self._issued = 0

    def issue(self) -> str:
        """Return a token that is good for LIFETIME_S."""
        self._issued += 1
        claims = {"exp": self.now_s() + LIFETIME_S, "jti": self._issued}
        body = _HEADER + b"." + base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
        return (body + b"." + self._sign(body)).decode()

    def is_good(self, token: str) -> bool:
        """Tell whether a token is ours, has not expired and was not revoked."""
        body, _, signature = token.encode("utf-8", "replace").rpartition(b".")
        if not hmac.compare_digest(signature, self._sign(body)):
            return False
        packed = body.partition(b".")[2]
        claims = json.loads(base64.urlsafe_b64decode(packed + b"=" * (-len(packed) % 4)))
        return bool(self.now_s() < claims["exp"] and claims["jti"] > self._good_from)

    def revoke(self) -> None:
        """Make every token issued so far worthless, as the host may do at any time."""
        self._good_from = self._issued

    def _sign(self, body: bytes) -> bytes:
        return base64.urlsafe_b64encode(hmac.new(self._secret, body, hashlib.sha256).digest()).rstrip(b"=")
