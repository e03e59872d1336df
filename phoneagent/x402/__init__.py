"""What is said on the wire: x402 versions 1 and 2, scheme exact, EIP-3009. Pure values, bytes and signatures.

It must never do I/O or read a clock, and knows money but no phones.
"""

from phoneagent.x402.addresses import checksum_address, lower_address
from phoneagent.x402.check import check_accepted, check_ours, payment_for
from phoneagent.x402.decode import MAX_HEADER_CHARS, SCHEME, Accepted, DecodedPayment, decode_payment
from phoneagent.x402.eip3009 import Domain, authorization_digest, is_signed_by_payer, require_fast_crypto
from phoneagent.x402.headers import (
    PAYMENT_REQUIRED,
    PAYMENT_RESPONSE,
    PAYMENT_SIGNATURE,
    X_PAYMENT,
    X_PAYMENT_REQUIRED,
    X_PAYMENT_RESPONSE,
)
from phoneagent.x402.listing import MAX_DESCRIPTION_CHARS, is_listed_icon
from phoneagent.x402.networks import BASE, BASE_SEPOLIA, NETWORKS, V1, V2, Network, network_named, network_of
from phoneagent.x402.offers import (
    Challenge,
    Offer,
    accepts_v1,
    accepts_v2,
    challenge,
    payment_required_v1,
    payment_required_v2,
    requirements,
)
from phoneagent.x402.payment_identifier import DECLARATION, PAYMENT_IDENTIFIER
from phoneagent.x402.receipts import held_receipt, settled_receipt

__all__ = [
    "BASE",
    "BASE_SEPOLIA",
    "DECLARATION",
    "MAX_DESCRIPTION_CHARS",
    "MAX_HEADER_CHARS",
    "NETWORKS",
    "PAYMENT_IDENTIFIER",
    "PAYMENT_REQUIRED",
    "PAYMENT_RESPONSE",
    "PAYMENT_SIGNATURE",
    "SCHEME",
    "V1",
    "V2",
    "X_PAYMENT",
    "X_PAYMENT_REQUIRED",
    "X_PAYMENT_RESPONSE",
    "Accepted",
    "Challenge",
    "DecodedPayment",
    "Domain",
    "Network",
    "Offer",
    "accepts_v1",
    "accepts_v2",
    "authorization_digest",
    "challenge",
    "check_accepted",
    "check_ours",
    "checksum_address",
    "decode_payment",
    "held_receipt",
    "is_listed_icon",
    "is_signed_by_payer",
    "lower_address",
    "network_named",
    "network_of",
    "payment_for",
    "payment_required_v1",
    "payment_required_v2",
    "require_fast_crypto",
    "requirements",
    "settled_receipt",
]
