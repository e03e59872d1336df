import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from phoneagent.x402 import (
    BASE_SEPOLIA,
    Challenge,
    Domain,
    Offer,
    accepts_v1,
    accepts_v2,
    challenge,
    decode_payment,
    requirements,
)
from tests.x402.examples import NOW_S, OFFER, PAY_TO, PAYER_KEY, USDC
from tests.x402.signing import from_header, sign_payment

BARE = replace(OFFER, service_name=None, tags=(), extensions={})


def header_of(answer: Challenge, name: str) -> str:
    (value,) = [value for found, value in answer.headers if found == name.encode()]
    return value.decode()


def nulls(value: object) -> int:
    if isinstance(value, dict | list):
        return sum(nulls(inner) for inner in (value.values() if isinstance(value, dict) else value))
    return int(value is None)


def test_the_body_is_what_a_strict_version_1_client_takes() -> None:
    body = json.loads(challenge(OFFER).body)

    assert body == {
        "x402Version": 1,
        "error": "Payment required",
        "accepts": [
            {
                "scheme": "exact",
                "network": "base",
                "maxAmountRequired": "1000000",
                "resource": "https://api.example.com/rent",
                "description": "Rent one phone number",
                "mimeType": "application/json",
                "payTo": PAY_TO,
                "maxTimeoutSeconds": 1800,
                "asset": USDC,
                "extra": {"name": "USD Coin", "version": "2"},
            }
        ],
    }


def test_the_header_is_the_version_2_object() -> None:
    assert from_header(header_of(challenge(OFFER), "payment-required")) == {
        "x402Version": 2,
        "error": "Payment required",
        "resource": {
            "url": "https://api.example.com/rent",
            "description": "Rent one phone number",
            "mimeType": "application/json",
            "serviceName": "PhoneAgent",
            "tags": ["sms", "phone"],
        },
        "accepts": [
            {
                "scheme": "exact",
                "network": "eip155:8453",
                "amount": "1000000",
                "asset": USDC,
                "payTo": PAY_TO,
                "maxTimeoutSeconds": 1800,
                "extra": {"name": "USD Coin", "version": "2"},
            }
        ],
        "extensions": {"payment-identifier": {"info": {"required": False}, "schema": {"type": "object"}}},
    }


def test_what_is_not_offered_is_left_out_rather_than_null() -> None:
    answer = challenge(BARE, code=None, detail=None, extra_body={"how_to_pay": None})
    required = from_header(header_of(answer, "payment-required"))

    assert required.keys() == {"x402Version", "error", "resource", "accepts"}
    assert required["resource"].keys() == {"url", "description", "mimeType"}
    assert nulls(required) == nulls(json.loads(answer.body)) == 0
    assert "outputSchema" not in accepts_v1(BARE)


def test_the_fixed_headers_forbid_caching() -> None:
    answer = challenge(OFFER)

    assert header_of(answer, "content-type") == "application/json"
    assert header_of(answer, "cache-control") == "no-store"
    assert all(name == name.lower() for name, _ in answer.headers)


def test_the_courtesy_header_is_the_body() -> None:
    answer = challenge(OFFER, code="wrong_amount", detail="the price is 1000000")

    assert base64.b64decode(header_of(answer, "x-payment-required"), validate=True) == answer.body


def test_a_refusal_says_why_beside_the_offer() -> None:
    answer = challenge(
        OFFER, error="wrong amount", code="wrong_amount", detail="the price is é", extra_body={"charged": False}
    )
    body = json.loads(answer.body)

    assert (body["error"], body["code"], body["detail"], body["charged"]) == (
        "wrong amount",
        "wrong_amount",
        "the price is é",
        False,
    )
    assert body["accepts"] == [accepts_v1(OFFER)]
    assert from_header(header_of(answer, "payment-required"))["error"] == "wrong amount"


@pytest.mark.parametrize("name", ["x402Version", "error", "accepts"])
def test_a_member_of_the_protocol_cannot_be_replaced(name: str) -> None:
    with pytest.raises(ValueError, match="must not replace"):
        challenge(OFFER, extra_body={name: "x"})


def test_the_output_schema_is_said_in_version_1_only() -> None:
    offer = replace(OFFER, output_schema={"input": {"type": "http", "method": "POST"}})

    assert accepts_v1(offer)["outputSchema"] == {"input": {"type": "http", "method": "POST"}}
    assert "outputSchema" not in accepts_v2(offer)


@pytest.mark.parametrize("version", [1, 2])
def test_the_facilitator_gets_the_entry_that_the_client_saw(version: int) -> None:
    sent = json.loads(requirements(OFFER, version))

    assert sent == (accepts_v1(OFFER) if version == 1 else accepts_v2(OFFER))
    assert len(sent) == (10 if version == 1 else 7)


def test_another_price_changes_the_price_and_the_window_only() -> None:
    priced = OFFER.priced(2_000_000, 60)

    assert priced == replace(OFFER, price_atomic=2_000_000, max_timeout_s=60)
    assert (OFFER.price_atomic, OFFER.max_timeout_s) == (1_000_000, 1800)


@pytest.mark.parametrize(("price_atomic", "max_timeout_s"), [(0, 60), (-1, 60), (1, 0), (1, -1)])
def test_another_price_must_be_one(price_atomic: int, max_timeout_s: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        OFFER.priced(price_atomic, max_timeout_s)


def test_the_requirements_are_the_same_bytes_every_time() -> None:
    assert requirements(OFFER, 2).decode() == (
        '{"amount":"1000000","asset":"' + USDC + '","extra":{"name":"USD Coin","version":"2"},'
        '"maxTimeoutSeconds":1800,"network":"eip155:8453","payTo":"' + PAY_TO + '","scheme":"exact"}'
    )
    assert requirements(replace(OFFER, pay_to=PAY_TO.lower()), 1) == requirements(OFFER, 1)


@pytest.mark.parametrize("version", [1, 2])
def test_what_a_client_makes_of_the_challenge_is_a_payment_of_the_offer(version: int) -> None:
    answer = challenge(OFFER)
    offer = json.loads(answer.body) if version == 1 else from_header(header_of(answer, "payment-required"))

    found = decode_payment(sign_payment(PAYER_KEY, offer=offer, now_s=NOW_S, version=version))

    assert (found.authorization.payee, found.authorization.amount_atomic) == (OFFER.pay_to, OFFER.price_atomic)
    assert found.authorization.valid_before == NOW_S + OFFER.max_timeout_s


def test_an_offer_on_the_test_network_says_so_in_both_versions() -> None:
    offer = replace(OFFER, domain=BASE_SEPOLIA.usdc)

    assert (accepts_v1(offer)["network"], accepts_v1(offer)["extra"]["name"]) == ("base-sepolia", "USDC")
    assert (accepts_v2(offer)["network"], accepts_v2(offer)["extra"]["name"]) == ("eip155:84532", "USDC")


def test_a_description_of_500_characters_is_the_longest() -> None:
    assert replace(OFFER, description="é" * 500).description == "é" * 500
    with pytest.raises(ValueError, match="longer than 500 characters"):
        replace(OFFER, description="x" * 501)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"resource_url": "/rent"}, "absolute"),
        ({"resource_url": "ftp://a.example/"}, "absolute"),
        ({"resource_url": "https://"}, "absolute"),
        ({"price_atomic": 0}, "positive"),
        ({"max_timeout_s": 0}, "positive"),
        ({"pay_to": "0x12"}, "an address"),
        ({"domain": Domain("X", "1", 1, USDC)}, "chain 1 is not supported"),
        ({"service_name": "x" * 33}, "printable ASCII"),
        ({"service_name": ""}, "printable ASCII"),
        ({"tags": ("é",)}, "printable ASCII"),
        ({"tags": ("a", "b", "c", "d", "e", "f")}, "at most 5 tags"),
        ({"extensions": {"bazaar": {"price": 0.01}}}, "numbers must be integers"),
        ({"extensions": {"bazaar": {"price": float("nan")}}}, "JSON compliant"),
    ],
)
def test_an_offer_that_somebody_could_not_take_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        replace(OFFER, **wrong)


def test_offers_of_one_value_are_equal() -> None:
    assert replace(OFFER, pay_to=PAY_TO.lower()) == OFFER
    assert isinstance(OFFER, Offer)
