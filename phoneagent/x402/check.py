"""Whether a decoded payment is for our token and says one thing only, and the value that the core gets of it.

It must never trust an echo: terms come from the offer, and `accepted` only has to agree with what was signed.
"""

from __future__ import annotations

from phoneagent.core.errors import PaymentRefused
from phoneagent.core.payment import Payment
from phoneagent.x402.addresses import checksum_address
from phoneagent.x402.decode import DecodedPayment
from phoneagent.x402.eip3009 import Domain, is_signed_by_payer
from phoneagent.x402.networks import network_of
from phoneagent.x402.offers import Offer, requirements


def check_ours(decoded: DecodedPayment, domain: Domain) -> None:
    """Raise PaymentRefused unless the payment is in our token on our chain.

    Only then does (chain, token, payer, nonce) name money that we could claim, so this comes before the claim lookup.
    """
    if decoded.network.chain_id != domain.chain_id:
        wanted = network_of(domain.chain_id).name_in(decoded.version)
        raise PaymentRefused("unsupported_scheme", f"pay on {wanted}")
    if decoded.accepted is not None and decoded.accepted.asset != domain.token:
        raise PaymentRefused("wrong_asset", f"pay in {checksum_address(domain.token)}")


def check_accepted(decoded: DecodedPayment) -> None:
    """Raise PaymentRefused unless a v2 payment's `accepted` names the recipient and amount that were signed.

    This comes after the claim lookup: a claimed authorization is answered as such, whatever is written around it.
    The timeout and `extra` are not compared: the authorization's own window and the signature's domain decide.
    """
    accepted, auth = decoded.accepted, decoded.authorization
    if accepted is None:
        return
    if accepted.pay_to != auth.payee:
        raise PaymentRefused("wrong_recipient", "accepted.payTo is not the authorization's recipient")
    if accepted.amount_atomic != auth.amount_atomic:
        raise PaymentRefused("wrong_amount", "accepted.amount is not the authorization's value")


def payment_for(decoded: DecodedPayment, offer: Offer, *, idempotency_key: str | None = None) -> Payment:
    """Return the payment as the core knows it; the signature is checked here (about 50 µs).

    ``offer`` supplies chain, token and the requirements that go to the facilitator: give it the price that was paid.
    ``idempotency_key`` is the request's own header.
    """
    return Payment(
        version=decoded.version,
        chain_id=offer.domain.chain_id,
        token=offer.domain.token,
        authorization=decoded.authorization,
        signature=decoded.signature,
        is_proven=is_signed_by_payer(decoded.authorization, decoded.signature, offer.domain),
        payload=decoded.canonical,
        requirements=requirements(offer, decoded.version),
        idempotency_key=idempotency_key,
        payment_id=decoded.payment_id,
    )
