import pytest

from phoneagent.core.payment import Payment
from phoneagent.x402 import decode_payment, held_receipt, payment_for, settled_receipt
from tests.x402.examples import OFFER, payment
from tests.x402.signing import from_header, to_header

TX = "0x" + "cd" * 32


def paid(version: int) -> Payment:
    return payment_for(decode_payment(to_header(payment(version))), OFFER)


@pytest.mark.parametrize(("version", "network"), [(1, "base"), (2, "eip155:8453")])
def test_a_held_receipt_shows_no_transaction(version: int, network: str) -> None:
    assert from_header(held_receipt(paid(version))) == {
        "success": True,
        "transaction": "",
        "tx": "",
        "network": network,
        "payer": "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
        "amount": "1000000",
        "state": "held",
    }


@pytest.mark.parametrize(("version", "network"), [(1, "base"), (2, "eip155:8453")])
def test_a_settled_receipt_names_the_transaction_in_both_vocabularies(version: int, network: str) -> None:
    receipt = from_header(settled_receipt(paid(version), TX))

    assert (receipt["transaction"], receipt["tx"], receipt["state"]) == (TX, TX, "settled")
    assert receipt["network"] == network


def test_a_settled_receipt_without_a_transaction_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="needs its transaction"):
        settled_receipt(paid(2), "")
