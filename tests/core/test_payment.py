"""An authorization meets our terms or is refused with the one reason that says what to sign instead."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.core import payment as pay
from phoneagent.core.errors import PaymentRefused
from phoneagent.core.payment import Authorization, Payment, Terms, check_lasts, check_terms, fingerprint
from tests.core.stories import PAYEE, PAYER, payment

NOW_S = 1_764_000_000
LASTS = 720
TERMS = Terms(pay_to=PAYEE, prices_atomic=frozenset({1_000_000}), must_last_s=LASTS, offered_timeout_s=1_800)
GOOD = Authorization(PAYER, PAYEE, 1_000_000, NOW_S - 60, NOW_S + 1_800, "0x" + "00" * 32)


def paid_by(authorization: Authorization) -> Payment:
    return replace(payment(), authorization=authorization)


@pytest.mark.parametrize(
    "good",
    [
        GOOD,
        replace(GOOD, valid_after=0),
        replace(GOOD, valid_after=NOW_S - 1),
        replace(GOOD, valid_before=NOW_S + LASTS),
        replace(GOOD, valid_before=NOW_S + 1_800 + 120),
    ],
)
def test_an_authorization_within_the_terms_passes(good: Authorization) -> None:
    check_terms(paid_by(good), TERMS, NOW_S)  # raising is its only answer


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (replace(GOOD, payee=PAYER), "wrong_recipient"),
        (replace(GOOD, amount_atomic=999_999), "wrong_amount"),
        (replace(GOOD, amount_atomic=1_000_001), "wrong_amount"),
        (replace(GOOD, valid_after=NOW_S), "authorization_not_yet_valid"),
        (replace(GOOD, valid_after=NOW_S + 1), "authorization_not_yet_valid"),
        (replace(GOOD, valid_before=NOW_S + LASTS - 1), "authorization_window_too_short"),
        (replace(GOOD, valid_before=0), "authorization_window_too_short"),
        (replace(GOOD, valid_before=NOW_S + 1_800 + 121), "authorization_window_too_long"),
        (replace(GOOD, valid_before=2**256 - 1), "authorization_window_too_long"),
    ],
)
def test_an_authorization_outside_the_terms_is_refused_for_its_reason(bad: Authorization, code: str) -> None:
    with pytest.raises(PaymentRefused) as refusal:
        check_terms(paid_by(bad), TERMS, NOW_S)

    assert refusal.value.code == code


def test_a_payment_that_contradicts_its_own_authorization_is_refused_for_that_first() -> None:
    liar = replace(paid_by(replace(GOOD, payee=PAYER)), contradiction="wrong_asset")

    with pytest.raises(PaymentRefused) as refusal:
        check_terms(liar, TERMS, NOW_S)

    assert refusal.value.code == "wrong_asset"


def test_every_price_that_is_good_right_now_passes() -> None:
    terms = replace(TERMS, prices_atomic=frozenset({1_000_000, 2_000_000}))

    check_terms(paid_by(replace(GOOD, amount_atomic=2_000_000)), terms, NOW_S)
    with pytest.raises(PaymentRefused, match="the price is 1000000, 2000000 atomic units"):
        check_terms(paid_by(replace(GOOD, amount_atomic=3_000_000)), terms, NOW_S)


def test_the_lower_bound_is_checked_alone_before_buying() -> None:
    check_lasts(replace(GOOD, valid_before=NOW_S + LASTS), LASTS, NOW_S)
    with pytest.raises(PaymentRefused, match=f"validBefore must be {NOW_S + LASTS} or later"):
        check_lasts(replace(GOOD, valid_before=NOW_S + LASTS - 1), LASTS, NOW_S)


def test_the_windows_are_those_of_the_specification() -> None:
    assert (pay.RENT_TIMEOUT_S, pay.COUNTRIES_TIMEOUT_S) == (1_800, 300)
    assert (pay.SETTLE_MARGIN_S, pay.WINDOW_SLACK_S, pay.SETTLE_STOP_S, pay.ENTITLEMENT_S) == (120, 120, 20, 600)
    assert GOOD.settle_until_ms == (NOW_S + 1_800 - 20) * 1000


def test_the_claim_key_names_the_money_and_nothing_else() -> None:
    first = payment(nonce=7)
    other_wire = replace(first, version=1, payload=b"{}", signature="0x", is_proven=False, idempotency_key="k")

    assert first.claim_key == other_wire.claim_key
    assert first.claim_key == f"8453:{first.token}:{PAYER}:0x{7:064x}"


@pytest.mark.parametrize(
    "other",
    [
        payment(nonce=2),
        payment(payer="0x" + "ee" * 20, nonce=1),
        replace(payment(nonce=1), chain_id=84_532),
        replace(payment(nonce=1), token="0x" + "00" * 20),
    ],
)
def test_other_money_has_another_claim_key(other: Payment) -> None:
    assert other.claim_key != payment(nonce=1).claim_key


def test_the_same_money_needs_the_same_authorization_and_the_same_signature() -> None:
    first = payment()
    longer = replace(first.authorization, valid_before=first.authorization.valid_before + 1)

    assert first.is_same_money_and_proof(replace(first, payload=b"another header", version=1))
    assert not first.is_same_money_and_proof(replace(first, signature="0x00"))
    assert not first.is_same_money_and_proof(replace(first, authorization=longer))


members = st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=8), max_size=5)


@given(members)
def test_a_fingerprint_does_not_depend_on_order_or_on_members_left_out(
    given_input: dict[str, str | int | None],
) -> None:
    shuffled = dict(reversed(given_input.items()))
    filled = {key: value for key, value in given_input.items() if value is not None}

    assert fingerprint("rent", given_input) == fingerprint("rent", shuffled) == fingerprint("rent", filled)


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        ("countries", {"country": "US", "minutes": 10}),
        ("rent", {"country": "FR", "minutes": 10}),
        ("rent", {"country": "US", "minutes": "10"}),
        ("rent", {"country": "US"}),
        ("rent", {"country": "US", "minutes": 10, "webhook_url": ""}),
    ],
)
def test_another_request_has_another_fingerprint(operation: str, changed: dict[str, str | int | None]) -> None:
    assert fingerprint(operation, changed) != fingerprint("rent", {"country": "US", "minutes": 10})


def test_a_fingerprint_is_the_same_in_every_release() -> None:
    """Stored claims are compared with it: a change would turn every open replay into a 409."""
    found = fingerprint("rent", {"country": "US", "duration_minutes": 10, "service": "go", "webhook_url": None})

    assert found == "a24f2613e0a93c62a15ed32621596fad93696d57d01534fe6d5b4b224fbbba6a"
