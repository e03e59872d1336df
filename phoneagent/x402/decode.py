"""A payment header as values: version 1 and version 2 of x402, scheme exact, EIP-3009.

It must never fall back from one version to the other, and never judges: whether a payment is ours is for check.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from phoneagent.core.errors import PaymentRefused, RequestInvalid
from phoneagent.core.payment import Authorization
from phoneagent.x402 import headers, strict_json
from phoneagent.x402.addresses import checksum_address
from phoneagent.x402.fields import Fields
from phoneagent.x402.networks import V1, V2, Network, network_named
from phoneagent.x402.payment_identifier import MAX_ID_CHARS, MIN_ID_CHARS, PAYMENT_IDENTIFIER, is_payment_id

SCHEME = "exact"

MAX_HEADER_CHARS = 16_384
"""Longest header value that is looked at. With two extensions to echo stock clients send 2.4 kB."""

MAX_SIGNATURE_BYTES = 4096
"""A smart wallet's signature with its deployment (ERC-6492) is around 640 bytes (measured)."""

MAX_AMOUNT = 2**256 - 1
MAX_TIME_S = 2**53 // 1000
"""Unix seconds that stay exact as milliseconds in a double, which is what the store's scripts compute with."""

_NULLABLE = ("resource", "extensions")
"""Members of a v2 payment that both official SDKs (@x402/core, PyPI x402) read as missing when they are null: clients
whose language writes every member send them so. Facilitators do not get the null, since not all of them take it."""

_MAX_TIMEOUT_S = 2**31 - 1
_NONCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a v2 client says it accepted; addresses in lower case."""

    asset: str
    pay_to: str
    amount_atomic: int


@dataclass(frozen=True, slots=True)
class DecodedPayment:
    """One payment as its header says it, unjudged.

    ``accepted`` is None in version 1, which does not echo the offer. ``payment_id`` is the id of the client's
    payment-identifier extension. ``canonical`` is what facilitators get: see decode_payment.
    """

    version: int
    network: Network
    authorization: Authorization
    signature: str = field(repr=False)
    canonical: bytes = field(repr=False)
    accepted: Accepted | None = None
    payment_id: str | None = None

    def is_same_money_and_proof(self, other: DecodedPayment) -> bool:
        """Tell whether two headers carry one payment, in whichever version each of them says it."""
        return (self.network, self.authorization, self.signature) == (
            other.network,
            other.authorization,
            other.signature,
        )


def decode_payment(header: str) -> DecodedPayment:
    """Return the payment that a PAYMENT-SIGNATURE or X-PAYMENT header carries.

    Raises RequestInvalid("invalid_payment", field=…) for a header that cannot be read in exactly one way, and
    PaymentRefused("unsupported_scheme") for a scheme or network whose payload we cannot read.

    ``canonical`` has sorted members, so it does not depend on the client's JSON writer. The signature and the
    authorization stand in it as we understood them (lower-case hex, checksummed addresses, decimal strings): no
    facilitator can read other money there than we checked, and CDP takes only lower-case signatures. Everything else,
    unknown members and extensions included, keeps the values that were received: facilitators compare `accepted` with
    our requirements and read `extensions`.
    """
    received = _read(header)
    top = Fields(received, "payment")
    version = top.integer("x402Version", strict_json.MAX_INTEGER)
    if version == V1:
        return _decode_v1(top)
    if version != V2:
        top.refuse("x402Version", "must be 1 or 2")
    return _decode_v2(top)


def _decode_v1(top: Fields) -> DecodedPayment:
    network = _network(top, V1)
    authorization, signature, canonical = _decode_payload(top)
    return DecodedPayment(V1, network, authorization, signature, canonical)


def _decode_v2(received: Fields) -> DecodedPayment:
    top = received.without_null(*_NULLABLE)
    chosen = top.object("accepted")
    network = _network(chosen, V2)
    accepted = Accepted(
        asset=chosen.address("asset"),
        pay_to=chosen.address("payTo"),
        amount_atomic=_amount_text(chosen),
    )
    chosen.integer("maxTimeoutSeconds", _MAX_TIMEOUT_S)
    chosen.optional_object("extra")
    top.optional_object("resource")
    authorization, signature, canonical = _decode_payload(top)
    return DecodedPayment(V2, network, authorization, signature, canonical, accepted, _payment_id(top))


def _read(header: str) -> dict[str, Any]:
    if len(header) > MAX_HEADER_CHARS:
        raise RequestInvalid("invalid_payment", f"longer than {MAX_HEADER_CHARS} characters", field="payment")
    try:
        return strict_json.read_object(headers.from_base64(header))
    except ValueError as exc:
        reason = str(exc) if type(exc) is ValueError else "not JSON in UTF-8"  # subclasses quote what they read
        raise RequestInvalid("invalid_payment", f"payment: {reason}", field="payment") from exc


def _network(rail: Fields, version: int) -> Network:
    if rail.text("scheme") != SCHEME:
        raise PaymentRefused("unsupported_scheme", f"the scheme must be {SCHEME}")
    network = network_named(rail.text("network"), version)
    if network is None:
        raise PaymentRefused("unsupported_scheme", f"x402 version {version} has no such network here")
    return network


def _decode_payload(top: Fields) -> tuple[Authorization, str, bytes]:
    payload = top.object("payload")
    # Reference facilitators look for this member first and, if it is there, never read the authorization we checked.
    if "permit2Authorization" in payload.members:
        payload.refuse("permit2Authorization", "only EIP-3009 authorizations are taken")
    signature = payload.hex_bytes("signature", fewest=1, most=MAX_SIGNATURE_BYTES)
    fields = payload.object("authorization")
    authorization = _authorization(fields)
    understood = {
        **payload.members,
        "signature": signature,
        "authorization": {**fields.members, **_wire(authorization)},
    }
    return authorization, signature, strict_json.write_canonical({**top.members, "payload": understood})


def _authorization(fields: Fields) -> Authorization:
    return Authorization(
        payer=fields.address("from"),
        payee=fields.address("to"),
        amount_atomic=fields.decimal("value", MAX_AMOUNT),
        valid_after=fields.decimal("validAfter", MAX_TIME_S),
        valid_before=fields.decimal("validBefore", MAX_TIME_S),
        nonce=fields.hex_bytes("nonce", fewest=_NONCE_BYTES, most=_NONCE_BYTES),
    )


def _wire(authorization: Authorization) -> dict[str, str]:
    return {
        "from": checksum_address(authorization.payer),
        "to": checksum_address(authorization.payee),
        "value": str(authorization.amount_atomic),
        "validAfter": str(authorization.valid_after),
        "validBefore": str(authorization.valid_before),
        "nonce": authorization.nonce,
    }


def _amount_text(chosen: Fields) -> int:
    chosen.text("amount")  # no leniency for an integer here: `accepted` reaches the facilitator as it was received
    return chosen.decimal("amount", MAX_AMOUNT)


def _payment_id(top: Fields) -> str | None:
    info = top.optional_object("extensions").optional_object(PAYMENT_IDENTIFIER).optional_object("info")
    if "id" not in info.members:
        return None
    found = info.text("id")
    if not is_payment_id(found):
        size = f"{MIN_ID_CHARS} to {MAX_ID_CHARS}"
        info.refuse("id", f"must be {size} letters, digits, hyphens or underscores")
    return found
