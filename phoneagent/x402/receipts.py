"""What a payer is handed: a receipt that says *held* until the chain shows the transfer, and *settled* from then on.

It must never carry a transaction hash before money moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoneagent.x402 import headers
from phoneagent.x402.addresses import checksum_address
from phoneagent.x402.networks import network_of

if TYPE_CHECKING:
    from phoneagent.core.payment import Payment


def held_receipt(payment: Payment) -> str:
    """Return the value of X-PAYMENT-RESPONSE on a rental: the payment is good and nothing has been charged."""
    return _receipt(payment, "held", "")


def settled_receipt(payment: Payment, tx_hash: str) -> str:
    """Return the value of both response headers once the transfer is proven. Raises ValueError without its hash."""
    if not tx_hash:
        raise ValueError("a settled receipt needs its transaction")
    return _receipt(payment, "settled", tx_hash)


def _receipt(payment: Payment, state: str, tx_hash: str) -> str:
    """The settle response of x402 (`amount` is v2's), the storefront's `tx`, and our own word for where money stands.

    The network is spelled in the payer's version. A stock client reads `success` as "accepted": it does not pay again.
    """
    return headers.to_header(
        {
            "success": True,
            "transaction": tx_hash,
            "tx": tx_hash,
            "network": network_of(payment.chain_id).name_in(payment.version),
            "payer": checksum_address(payment.authorization.payer),
            "amount": str(payment.authorization.amount_atomic),
            "state": state,
        }
    )
