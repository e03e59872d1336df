from dataclasses import replace

import pytest

from phoneagent.core.errors import PaymentRefused
from phoneagent.x402 import (
    BASE,
    BASE_SEPOLIA,
    DecodedPayment,
    check_accepted,
    check_ours,
    decode_payment,
    payment_for,
    requirements,
)
from tests.x402.examples import NONCE, OFFER, PAYER, payment
from tests.x402.signing import to_header


def decoded(version: int, **accepted: str) -> DecodedPayment:
    made = payment(version)
    made.get("accepted", {}).update(accepted)
    return decode_payment(to_header(made))


@pytest.mark.parametrize("version", [1, 2])
def test_a_payment_of_our_offer_is_ours(version: int) -> None:
    found = decoded(version)

    check_ours(found, OFFER.domain)
    check_accepted(found)
    assert (found.accepted is None) == (version == 1)


@pytest.mark.parametrize(("version", "wanted"), [(1, "base-sepolia"), (2, "eip155:84532")])
def test_a_payment_on_another_chain_is_refused_in_the_payers_words(version: int, wanted: str) -> None:
    with pytest.raises(PaymentRefused, match=f"pay on {wanted}") as refused:
        check_ours(decoded(version), BASE_SEPOLIA.usdc)

    assert refused.value.code == "unsupported_scheme"


def test_a_payment_in_another_token_is_refused() -> None:
    with pytest.raises(PaymentRefused, match="pay in 0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913") as refused:
        check_ours(decoded(2, asset=BASE_SEPOLIA.usdc.token), OFFER.domain)

    assert refused.value.code == "wrong_asset"


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"payTo": PAYER}, "wrong_recipient"), ({"amount": "1"}, "wrong_amount"), ({"amount": "1000001"}, "wrong_amount")],
)
def test_an_echo_that_contradicts_the_signature_is_refused(changed: dict[str, str], code: str) -> None:
    found = decoded(2, **changed)
    check_ours(found, OFFER.domain)

    with pytest.raises(PaymentRefused) as refused:
        check_accepted(found)

    assert refused.value.code == code


def test_the_letter_case_of_an_echoed_address_does_not_matter() -> None:
    found = decoded(2, asset=OFFER.domain.token, payTo=OFFER.pay_to.upper())

    check_ours(found, OFFER.domain)
    check_accepted(found)
    assert b'"payTo":"0XF6705E' in found.canonical


@pytest.mark.parametrize("version", [1, 2])
def test_the_core_gets_the_money_the_proof_and_the_bytes(version: int) -> None:
    found = decoded(version)

    made = payment_for(found, OFFER, idempotency_key="order-1")

    assert made.claim_key == f"8453:{BASE.usdc.token}:{PAYER}:{NONCE}"
    assert (made.version, made.is_proven, made.idempotency_key) == (version, True, "order-1")
    assert (made.payload, made.requirements) == (found.canonical, requirements(OFFER, version))


def test_a_payment_that_its_payer_did_not_sign_is_not_proven() -> None:
    found = decoded(2)
    forged = replace(found, authorization=replace(found.authorization, payer="0x" + "22" * 20))

    assert not payment_for(forged, OFFER).is_proven


def test_both_versions_of_one_authorization_name_the_same_money() -> None:
    assert payment_for(decoded(1), OFFER).claim_key == payment_for(decoded(2), OFFER).claim_key


def test_the_payment_id_stands_beside_the_requests_own_key() -> None:
    made = payment(2)
    made["extensions"]["payment-identifier"]["info"] = {"required": False, "id": "pay_0123456789abcdef"}

    found = payment_for(decode_payment(to_header(made)), OFFER, idempotency_key="own")

    assert (found.idempotency_key, found.payment_id) == ("own", "pay_0123456789abcdef")
    assert found.client_keys == {"own", "pay_0123456789abcdef"}
