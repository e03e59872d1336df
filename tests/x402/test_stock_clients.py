"""Headers that stock clients made of our own 402 (examples.OFFER without extensions), recorded on 21 November 2026.

They must never be edited by hand: they say what is sent in the field.
"""

import json
from pathlib import Path

import pytest

from phoneagent.x402 import check_accepted, check_ours, decode_payment, payment_for
from tests.x402.examples import OFFER, PAYER
from tests.x402.signing import from_header

RECORDED: dict[str, str] = json.loads(Path(__file__).with_name("stock_payments.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("client", RECORDED)
def test_the_payment_of_a_stock_client_is_proven_and_ours(client: str) -> None:
    decoded = decode_payment(RECORDED[client])
    check_ours(decoded, OFFER.domain)
    check_accepted(decoded)
    made = payment_for(decoded, OFFER)

    assert made.is_proven
    assert (made.authorization.payer, made.authorization.payee) == (PAYER, OFFER.pay_to)
    assert made.authorization.amount_atomic == OFFER.price_atomic


@pytest.mark.parametrize("client", RECORDED)
def test_the_facilitator_gets_what_the_stock_client_sent(client: str) -> None:
    assert json.loads(decode_payment(RECORDED[client]).canonical) == from_header(RECORDED[client])
