"""What we ask for: one offer, said in both x402 versions within one 402, and again to the facilitator.

It must never let the two sayings differ in price, recipient, token or window.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from phoneagent.x402 import headers, strict_json
from phoneagent.x402.addresses import checksum_address, lower_address
from phoneagent.x402.decode import SCHEME
from phoneagent.x402.eip3009 import Domain
from phoneagent.x402.listing import (
    MAX_DESCRIPTION_CHARS,
    MAX_TAGS,
    are_listed_tags,
    is_listed_icon,
    is_listed_word,
)
from phoneagent.x402.networks import V1, V2, network_of

_ABSOLUTE_URL = re.compile(r"https?://[^\s/]+\S*")

_FIXED_HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
)
_PAYMENT_REQUIRED = headers.PAYMENT_REQUIRED.lower().encode()
_X_PAYMENT_REQUIRED = headers.X_PAYMENT_REQUIRED.lower().encode()


@dataclass(frozen=True, slots=True)
class Offer:
    """One price for one resource. ``pay_to`` is kept in lower case and written with its checksum everywhere.

    ``extensions`` are the v2 extensions (bazaar, payment-identifier) and ``output_schema`` is v1's own way of
    discovery; both stay unsaid when empty, because old clients refuse a 402 with a null in it.
    """

    resource_url: str
    description: str
    mime_type: str
    price_atomic: int
    pay_to: str
    domain: Domain
    max_timeout_s: int
    service_name: str | None = None
    tags: tuple[str, ...] = ()
    icon_url: str | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for an offer that some stock client or facilitator could not take."""
        object.__setattr__(self, "pay_to", lower_address(self.pay_to))
        network_of(self.domain.chain_id)
        if _ABSOLUTE_URL.fullmatch(self.resource_url) is None:
            raise ValueError("resource_url must be an absolute http(s) URL")
        if len(self.description) > MAX_DESCRIPTION_CHARS:
            raise ValueError(f"description is longer than {MAX_DESCRIPTION_CHARS} characters")
        if self.price_atomic <= 0 or self.max_timeout_s <= 0:
            raise ValueError("price_atomic and max_timeout_s must be positive")
        if not are_listed_tags(self.tags) or not (self.service_name is None or is_listed_word(self.service_name)):
            raise ValueError(
                f"service_name and at most {MAX_TAGS} tags, no two alike, must be 1 to 32 printable ASCII characters"
            )
        if self.icon_url is not None and not is_listed_icon(self.icon_url):
            raise ValueError("icon_url must be an absolute http(s) URL with a public host name")
        # What a v2 client echoes must be readable by our own decoder, which takes no fractions.
        strict_json.read_object(strict_json.write(dict(self.extensions)))

    def priced(self, price_atomic: int, max_timeout_s: int) -> Offer:
        """Return the same offer at another price and window. Raises ValueError if one of them is not positive.

        Every payment asks for one: what else the offer says was judged when it was made, and is not judged again.
        """
        if price_atomic <= 0 or max_timeout_s <= 0:
            raise ValueError("price_atomic and max_timeout_s must be positive")
        made = copy(self)
        object.__setattr__(made, "price_atomic", price_atomic)
        object.__setattr__(made, "max_timeout_s", max_timeout_s)
        return made


@dataclass(frozen=True, slots=True)
class Challenge:
    """A 402 ready to be sent: its body and all its headers, names in lower case as ASGI wants them."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    def with_members(self, members: Mapping[str, Any]) -> Challenge:
        """Return the same 402 with further members in its body, where its courtesy header has them too.

        The rest is not written anew. Raises ValueError if nothing is added.
        """
        if not members:
            raise ValueError("no members")
        body = self.body[:-1] + b"," + strict_json.write(dict(members))[1:]
        said = tuple((name, value) for name, value in self.headers if name != _X_PAYMENT_REQUIRED)
        return Challenge(body, (*said, (_X_PAYMENT_REQUIRED, headers.base64_of(body))))


def accepts_v1(offer: Offer) -> dict[str, Any]:
    """Return the v1 `accepts` entry, which is also the requirements object of a v1 payment."""
    entry = {
        "scheme": SCHEME,
        "network": network_of(offer.domain.chain_id).name_in(V1),
        "maxAmountRequired": str(offer.price_atomic),
        "resource": offer.resource_url,
        "description": offer.description,
        "mimeType": offer.mime_type,
        "payTo": checksum_address(offer.pay_to),
        "maxTimeoutSeconds": offer.max_timeout_s,
        "asset": checksum_address(offer.domain.token),
        "extra": _signing_domain(offer),
    }
    if offer.output_schema is not None:
        entry["outputSchema"] = dict(offer.output_schema)
    return entry


def accepts_v2(offer: Offer) -> dict[str, Any]:
    """Return the v2 `accepts` entry, which is also the requirements object of a v2 payment."""
    return {
        "scheme": SCHEME,
        "network": network_of(offer.domain.chain_id).name_in(V2),
        "amount": str(offer.price_atomic),
        "asset": checksum_address(offer.domain.token),
        "payTo": checksum_address(offer.pay_to),
        "maxTimeoutSeconds": offer.max_timeout_s,
        "extra": _signing_domain(offer),
    }


def requirements(offer: Offer, version: int) -> bytes:
    """Return the requirements that go to the facilitator next to a payment of this version."""
    return strict_json.write_canonical(accepts_v1(offer) if version == V1 else accepts_v2(offer))


def payment_required_v1(offer: Offer, error: str) -> dict[str, Any]:
    """Return the v1 402 body."""
    return {"x402Version": V1, "error": error, "accepts": [accepts_v1(offer)]}


def payment_required_v2(offer: Offer, error: str) -> dict[str, Any]:
    """Return the v2 402 object."""
    required = {"x402Version": V2, "error": error, "resource": _resource(offer), "accepts": [accepts_v2(offer)]}
    if offer.extensions:
        required["extensions"] = dict(offer.extensions)
    return required


def challenge(
    offer: Offer,
    *,
    error: str = "Payment required",
    code: str | None = None,
    detail: str | None = None,
    extra_body: Mapping[str, Any] | None = None,
) -> Challenge:
    """Return one 402 that v1 and v2 clients can both pay: the v2 object in a header, strict v1 JSON in the body.

    ``code`` and ``detail`` say why a payment was refused; they and ``extra_body`` become further members of the body,
    which clients of both versions ignore. Raises ValueError if ``extra_body`` would replace a member of the protocol.
    """
    body = payment_required_v1(offer, error)
    said = {"code": code, "detail": detail, **(extra_body or {})}
    if not body.keys().isdisjoint(said):
        raise ValueError("extra_body must not replace a member of the 402")
    body.update((name, value) for name, value in said.items() if value is not None)
    encoded = strict_json.write(body)
    required = headers.to_header(payment_required_v2(offer, error))
    return Challenge(
        body=encoded,
        headers=(
            *_FIXED_HEADERS,
            (_PAYMENT_REQUIRED, required.encode("ascii")),
            (_X_PAYMENT_REQUIRED, headers.base64_of(encoded)),
        ),
    )


def _signing_domain(offer: Offer) -> dict[str, str]:
    return {"name": offer.domain.name, "version": offer.domain.version}


def _resource(offer: Offer) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "url": offer.resource_url,
        "description": offer.description,
        "mimeType": offer.mime_type,
    }
    if offer.service_name is not None:
        resource["serviceName"] = offer.service_name
    if offer.tags:
        resource["tags"] = list(offer.tags)
    if offer.icon_url is not None:
        resource["iconUrl"] = offer.icon_url
    return resource
