"""Coinbase's facilitator as far as we know it (x402.md §2.1): each call wants its own JWT, verdicts come with 400.

Behind the door stands our own facilitator's shell; planned answers come in its place. It must never be kinder than CDP:
a token of another method, host, path, key or time is 401.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.facilitators.meddling import send_body, whole_body

KEY_ID = "organizations/6f1c/apiKeys/0a7e"
BASE_PATH = "/platform/v2/x402"
MOST_LIFETIME_S = 120

Key = Ed25519PrivateKey | EllipticCurvePrivateKey


def ed25519_key() -> tuple[Key, str]:
    """A key and the secret that CDP's portal shows for it."""
    key = Ed25519PrivateKey.generate()
    both = key.private_bytes_raw() + key.public_key().public_bytes_raw()
    return key, base64.b64encode(both).decode()


def ec_key(style: PrivateFormat = PrivateFormat.TraditionalOpenSSL) -> tuple[Key, str]:
    key = generate_private_key(SECP256R1())
    return key, key.private_bytes(Encoding.PEM, style, NoEncryption()).decode()


@dataclass
class CdpShell:
    """An ASGI app. ``planned`` answers (status, body) are given to the next authorized POSTs."""

    key: Key
    now_s: Callable[[], int]
    behind: ASGIApp | None = None
    planned: deque[tuple[int, bytes]] = field(default_factory=deque)
    tokens: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def plan(self, status: int, body: object) -> None:
        self.planned.append((status, body if isinstance(body, bytes) else json.dumps(body).encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        fault = self._fault(scope)
        if fault is not None:
            self.refusals.append(fault)
            await send_body(send, 401, _error("unauthorized", "The API key could not be verified."))
        elif not scope["path"].startswith(BASE_PATH + "/"):
            await send_body(send, 404, _error("not_found", "no such path"))
        elif self.planned and scope["method"] == "POST":
            await whole_body(receive)
            await send_body(send, *self.planned.popleft())
        else:
            assert self.behind is not None
            inner = {**scope, "path": scope["path"].removeprefix(BASE_PATH), "raw_path": b""}
            await self.behind(inner, receive, send)

    def _fault(self, scope: Scope) -> str | None:
        """Why CDP would answer 401, None if the token is good for exactly this call now."""
        headers = Headers(scope=scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token.count(".") != 2:
            return "no bearer token"
        self.tokens.append(token)
        head, claims, signature = (_unpadded(part) for part in token.split("."))
        wanted = f"{scope['method']} {headers['host']}{scope['path']}"
        return self._fault_of(json.loads(head), json.loads(claims), wanted) or self._fault_of_signature(
            token, signature
        )

    def _fault_of(self, head: dict[str, Any], claims: dict[str, Any], wanted: str) -> str | None:
        now_s, nonce = self.now_s(), head.get("nonce")
        faults = {
            "alg": head.get("alg") != ("EdDSA" if isinstance(self.key, Ed25519PrivateKey) else "ES256"),
            "typ": head.get("typ") != "JWT",
            "kid": head.get("kid") != KEY_ID,
            "nonce": not (isinstance(nonce, str) and len(nonce) == 16 and nonce.isdigit()),
            "sub": claims.get("sub") != KEY_ID,
            "iss": claims.get("iss") != "cdp",
            "nbf": type(claims.get("nbf")) is not int or claims["nbf"] > now_s,
            "exp": type(claims.get("exp")) is not int or not now_s < claims["exp"] <= now_s + MOST_LIFETIME_S,
            "uris": claims.get("uris") != [wanted],
        }
        return next((name for name, is_wrong in faults.items() if is_wrong), None)

    def _fault_of_signature(self, token: str, signature: bytes) -> str | None:
        signed = token.rpartition(".")[0].encode()
        try:
            if isinstance(self.key, Ed25519PrivateKey):
                self.key.public_key().verify(signature, signed)
            else:
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                assert len(signature) == 64
                self.key.public_key().verify(encode_dss_signature(r, s), signed, ECDSA(SHA256()))
        except InvalidSignature:
            return "signature"
        return None


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message, "correlationId": "41deb8d59a9dc9a7-IAD"}).encode()


def _unpadded(part: str) -> bytes:
    assert "=" not in part
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
