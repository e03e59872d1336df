"""The till: what it asks for, what it takes for a payment, and the receipts it writes (ARCHITECTURE §4.1, §4.3, §6)."""

import json
from dataclasses import replace
from typing import Any

import pytest

from phoneagent.core.errors import MEANINGS, PaymentRefused, RequestInvalid
from phoneagent.core.hold import Hold, HoldState
from phoneagent.core.payment import Payment
from phoneagent.core.rental import Product, Rental, RentalState
from phoneagent.paywall import Till, TillTerms
from phoneagent.x402 import BASE, BASE_SEPOLIA, Challenge
from tests.x402.signing import from_header, payment_object, sign_payment, to_header

KEY = "0x" + "11" * 32
NOW_S = 1_795_000_000
TX_HASH = "0x" + "5e" * 32
TERMS = TillTerms("0x" + "ee" * 20, BASE.usdc, "https://phoneagent.test/")


@pytest.fixture
def till() -> Till:
    return Till(TERMS)


def _v1(challenge: Challenge) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(challenge.body)
    return body


def _v2(challenge: Challenge) -> dict[str, Any]:
    return from_header(dict(challenge.headers)[b"payment-required"].decode())


def _signed(till: Till, product: Product = Product.RENT, version: int = 2, **overrides: object) -> str:
    challenge = till.unpaid(product)
    offer = _v2(challenge) if version == 2 else _v1(challenge)
    return sign_payment(KEY, offer=offer, now_s=NOW_S, version=version, nonce=None, **overrides)


def _paid(till: Till, *values: str, key: str | None = None) -> Payment:
    payment = till.payment(Product.RENT, values, key)
    assert payment is not None
    return payment


def _rental(payment: Payment, hold: Hold | None) -> Rental:
    return Rental(
        id="r_00" + "a" * 26,
        product=Product.RENT,
        state=RentalState.ACTIVE,
        fingerprint="f",
        payment=payment,
        price_atomic=1_000_000,
        created_at_ms=NOW_S * 1000,
        claim_block=1,
        hold=hold,
    )


@pytest.mark.parametrize(
    ("product", "path", "amount", "timeout_s"),
    [(Product.RENT, "/rent", "1000000", 1800), (Product.COUNTRIES, "/countries", "10000", 300)],
)
def test_each_product_has_its_default_offer(
    till: Till, product: Product, path: str, amount: str, timeout_s: int
) -> None:
    challenge = till.unpaid(product)
    (v1,), (v2,) = _v1(challenge)["accepts"], _v2(challenge)["accepts"]
    assert v1["resource"] == _v2(challenge)["resource"]["url"] == f"https://phoneagent.test{path}"
    assert (v1["maxAmountRequired"], v2["amount"]) == (amount, amount)
    assert (v1["maxTimeoutSeconds"], v2["maxTimeoutSeconds"]) == (timeout_s, timeout_s)


def test_an_unpaid_answer_is_made_once_per_price(till: Till) -> None:
    assert till.unpaid(Product.RENT) is till.unpaid(Product.RENT)
    assert till.unpaid(Product.RENT, 2_000_000) is not till.unpaid(Product.RENT)
    assert _v1(till.unpaid(Product.RENT, 2_000_000))["accepts"][0]["maxAmountRequired"] == "2000000"


def test_an_unpaid_answer_tells_people_and_models_what_to_do(till: Till) -> None:
    rent, countries = _v1(till.unpaid(Product.RENT)), _v1(till.unpaid(Product.COUNTRIES))
    assert (rent["price"], countries["price"]) == ("$1.00", "$0.01")
    assert "charged only when an SMS arrives" in rent["how_to_pay"]
    assert "no SMS in time" in rent["not_charged"]
    assert "go" in rent["services"]
    assert "services" not in countries
    for said in (rent, countries):
        assert "PAYMENT-SIGNATURE" in said["how_to_pay"]
        assert said["docs"] == "https://phoneagent.test/llms.txt"


@pytest.mark.parametrize(
    ("product", "price_atomic", "clients"),
    [
        (Product.COUNTRIES, None, set()),
        (Product.RENT, 100_000, set()),
        (Product.RENT, 1_000_000, {"x402-fetch 1.2 (npm)"}),
        (Product.RENT, 2_000_000, {"x402-fetch 1.2 (npm)", "@x402/fetch 2 (npm)", "x402 2 (PyPI)"}),
    ],
)
def test_clients_whose_own_cap_is_lower_are_told_the_setting(
    till: Till, product: Product, price_atomic: int | None, clients: set[str]
) -> None:
    assert _v1(till.unpaid(product, price_atomic)).get("client_settings", {}).keys() == clients


def test_the_settings_are_those_of_the_clients_at_this_price(till: Till) -> None:
    settings = _v1(till.unpaid(Product.RENT, 2_000_000))["client_settings"]
    assert "2000000n" in settings["x402-fetch 1.2 (npm)"]
    assert "maxValue" in settings["x402-fetch 1.2 (npm)"]
    assert 'setSpendControls({ maxAmountPerPayment: "$2.00" })' in settings["@x402/fetch 2 (npm)"]
    assert 'set_spend_controls({"max_amount_per_payment": "$2.00"})' in settings["x402 2 (PyPI)"]


def test_the_request_as_understood_is_said_beside_the_offer(till: Till) -> None:
    asked = {"country": "US", "service": "go", "duration_minutes": 10}
    plain, asking = till.unpaid(Product.RENT), till.unpaid(Product.RENT, None, asked)
    assert _v1(asking) == {**_v1(plain), "request": asked}
    assert _v2(asking) == _v2(plain)
    assert from_header(dict(asking.headers)[b"x-payment-required"].decode()) == _v1(asking)
    assert len(asking.headers) == len(plain.headers)


@pytest.mark.parametrize("product", list(Product))
@pytest.mark.parametrize("price_atomic", [None, 2_000_000])
def test_a_402_stays_within_what_proxies_and_clients_take_for_headers(
    till: Till, product: Product, price_atomic: int | None
) -> None:
    sizes = [len(name) + len(value) + 4 for name, value in till.unpaid(product, price_atomic).headers]
    assert max(sizes) < 4_096  # aiohttp takes 8,190 a line, Node.js 16 kB in all, a proxy with one page 4 kB
    assert sum(sizes) < 8_192


def test_the_offered_window_grows_by_how_far_clients_lag_behind() -> None:
    lag = 0
    till = Till(TERMS, lambda: lag)
    before = _v1(till.unpaid(Product.RENT))["accepts"][0]["maxTimeoutSeconds"]
    lag = 5000
    after = _v1(till.unpaid(Product.RENT))["accepts"][0]["maxTimeoutSeconds"]
    assert (before, after) == (1800, 6800)


def test_no_header_is_no_payment(till: Till) -> None:
    assert till.payment(Product.RENT, []) is None


@pytest.mark.parametrize("version", [1, 2])
def test_a_payment_is_read_with_the_requirements_of_what_was_paid(till: Till, version: int) -> None:
    payment = _paid(till, _signed(till, version=version), key="mine")
    requirements = json.loads(payment.requirements)
    assert payment.is_proven
    assert payment.contradiction is None
    assert payment.idempotency_key == "mine"
    assert requirements["maxAmountRequired" if version == 1 else "amount"] == "1000000"
    assert requirements["payTo"].lower() == TERMS.pay_to


def test_the_requirements_of_a_dearer_payment_name_what_was_signed(till: Till) -> None:
    offer = _v2(till.unpaid(Product.RENT, 2_000_000))
    payment = _paid(till, sign_payment(KEY, offer=offer, now_s=NOW_S, version=2))
    assert json.loads(payment.requirements)["amount"] == "2000000"


def test_a_payment_of_nothing_is_read_like_any_other_and_fails_on_the_price(till: Till) -> None:
    payment = _paid(till, _signed(till, version=1, value="0"))
    assert payment.authorization.amount_atomic == 0
    assert json.loads(payment.requirements)["maxAmountRequired"] == "1000000"


def test_one_payment_may_stand_in_several_headers(till: Till) -> None:
    value = _signed(till)
    retyped = to_header(dict(reversed(from_header(value).items())))
    assert value != retyped
    assert _paid(till, value, value, retyped) == _paid(till, value)


def test_two_payments_are_one_too_many(till: Till) -> None:
    with pytest.raises(RequestInvalid, match="conflicting_payments"):
        till.payment(Product.RENT, [_signed(till), _signed(till)])


def test_a_second_signature_of_the_same_authorization_is_another_payment(till: Till) -> None:
    value = _signed(till)
    forged = from_header(value)
    forged["payload"]["signature"] = "0x" + "11" * 65
    with pytest.raises(RequestInvalid, match="conflicting_payments"):
        till.payment(Product.RENT, [value, to_header(forged)])


def test_a_header_that_cannot_be_read_is_the_requests_fault(till: Till) -> None:
    with pytest.raises(RequestInvalid, match="invalid_payment"):
        till.payment(Product.RENT, [_signed(till), "?"])


def test_a_payment_on_another_chain_is_refused() -> None:
    sepolia = Till(replace(TERMS, domain=BASE_SEPOLIA.usdc))
    with pytest.raises(PaymentRefused, match="unsupported_scheme"):
        sepolia.payment(Product.RENT, [_signed(Till(TERMS))])


def test_what_contradicts_the_signature_is_kept_for_after_the_claim_lookup(till: Till) -> None:
    made = payment_object(KEY, offer=_v2(till.unpaid(Product.RENT)), now_s=NOW_S, version=2)
    made["accepted"]["amount"] = "1"
    assert _paid(till, to_header(made)).contradiction == "wrong_amount"


@pytest.mark.parametrize("code", [code for code in MEANINGS if MEANINGS[code].retry_action == "resign"])
def test_a_refused_payment_is_called_unused_only_where_that_is_certain(till: Till, code: str) -> None:
    body = _v1(till.refused(Product.RENT, 2_000_000, PaymentRefused(code, "because")))
    perhaps_used = code in {"authorization_used", "invalid_signature", "wallet_not_deployed", "resign"}
    assert (body["code"], body["detail"], body["error"]) == (code, "because", "because")
    assert body["accepts"][0]["maxAmountRequired"] == "2000000"
    assert body["retry_action"] == "resign"
    assert (body.get("payment_state"), body.get("charged")) == ((None, None) if perhaps_used else ("unused", False))


def test_members_of_a_refusal_reach_the_answer(till: Till) -> None:
    refusal = PaymentRefused("resign", "over", payment_state="settled")
    assert _v1(till.refused(Product.RENT, None, refusal))["payment_state"] == "settled"


@pytest.mark.parametrize("state", [HoldState.HELD, HoldState.SETTLING, HoldState.UNKNOWN])
@pytest.mark.parametrize(("version", "network"), [(1, "base"), (2, "eip155:8453")])
def test_a_receipt_of_open_money_says_held_and_names_no_transaction(
    till: Till, state: HoldState, version: int, network: str
) -> None:
    payment = _paid(till, _signed(till, version=version))
    receipt = till.receipt(_rental(payment, Hold(state, tx_hash=TX_HASH)))
    assert receipt is not None
    value, tx_hash = receipt
    said = from_header(value)
    assert tx_hash is None
    assert (said["state"], said["transaction"], said["tx"], said["network"]) == ("held", "", "", network)


def test_a_receipt_of_settled_money_names_its_transaction(till: Till) -> None:
    receipt = till.receipt(_rental(_paid(till, _signed(till)), Hold(HoldState.SETTLED, tx_hash=TX_HASH)))
    assert receipt is not None
    value, tx_hash = receipt
    assert tx_hash == TX_HASH == from_header(value)["tx"] == from_header(value)["transaction"]
    assert from_header(value)["state"] == "settled"


@pytest.mark.parametrize("hold", [None, Hold(HoldState.VOIDED), Hold(HoldState.REJECTED, tx_hash=TX_HASH)], ids=str)
def test_money_that_will_never_move_has_no_receipt(till: Till, hold: Hold | None) -> None:
    assert till.receipt(_rental(_paid(till, _signed(till)), hold)) is None
