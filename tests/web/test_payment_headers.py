"""Payment headers on the paid routes: how many, how large, and how readable (ARCHITECTURE §6)."""

import base64

import pytest

from tests.web.harness import BODY, SIGNATURE, X_PAYMENT, World
from tests.x402.signing import from_header, to_header


async def test_two_different_payments_in_one_request_are_refused_and_both_stay_good(world: World) -> None:
    one, other = await world.sign(), await world.sign()
    both = await world.http.post("/rent", json=BODY, headers={SIGNATURE: one, X_PAYMENT: other})
    assert (both.status_code, both.json()["code"]) == (400, "conflicting_payments")
    assert [(await world.post_rent(payment)).status_code for payment in (one, other)] == [200, 200]


async def test_one_header_name_twice_is_two_payments_too(world: World) -> None:
    headers = [(X_PAYMENT, await world.sign()), (X_PAYMENT, await world.sign())]
    response = await world.http.post("/rent", json=BODY, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "conflicting_payments")


async def test_the_same_payment_in_both_headers_is_one_payment(world: World) -> None:
    payment = await world.sign()
    response = await world.http.post("/rent", json=BODY, headers={SIGNATURE: payment, X_PAYMENT: payment})
    assert response.status_code == 200


async def test_one_authorization_said_in_both_versions_is_one_payment(world: World) -> None:
    v2 = from_header(await world.sign())
    v1 = {"x402Version": 1, "scheme": "exact", "network": "base", "payload": v2["payload"]}
    headers = {SIGNATURE: to_header(v2), X_PAYMENT: to_header(v1)}
    response = await world.http.post("/rent", json=BODY, headers=headers)
    assert response.status_code == 200
    assert len(world.provider.bought) == 1


@pytest.mark.parametrize("header", [SIGNATURE, X_PAYMENT])
@pytest.mark.parametrize(("method", "path"), [("POST", "/rent"), ("GET", "/countries")])
async def test_a_header_over_sixteen_kilobytes_is_too_large(world: World, method: str, path: str, header: str) -> None:
    response = await world.http.request(method, path, headers={header: "A" * 16_385})
    assert (response.status_code, response.json()["code"]) == (431, "header_too_large")


async def test_a_header_of_sixteen_kilobytes_is_read(world: World) -> None:
    response = await world.post_rent("A" * 16_384)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_payment")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "not base64!",
        base64.b64encode(b"not json").decode(),
        base64.b64encode(b'{"x402Version":1,"x402Version":2}').decode(),
        to_header({"x402Version": 3}),
        to_header({"x402Version": 2, "accepted": []}),
        to_header(None),
    ],
    ids=["empty", "no base64", "no json", "said twice", "version 3", "no object inside", "null"],
)
async def test_a_header_that_cannot_be_read_names_the_payment(world: World, value: str) -> None:
    response = await world.post_rent(value)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_payment")
    assert response.json()["field"].startswith("payment") or "x402Version" in response.json()["field"]


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("network", "eip155:84532", "unsupported_scheme"),
        ("network", "solana:mainnet", "unsupported_scheme"),
        ("scheme", "upto", "unsupported_scheme"),
        ("asset", "0x" + "aa" * 20, "wrong_asset"),
    ],
)
async def test_a_payment_in_other_money_gets_our_offer(world: World, member: str, value: str, code: str) -> None:
    payment = from_header(await world.sign())
    payment["accepted"][member] = value
    response = await world.post_rent(to_header(payment))
    assert (response.status_code, response.json()["code"]) == (402, code)
    assert response.json()["accepts"][0]["network"] == "base"


async def test_answers_to_payments_are_not_for_shared_caches(world: World) -> None:
    rented, unread = await world.rent(), await world.post_rent("?")
    for response in (rented.first, unread):
        assert "no-store" in response.headers["cache-control"]
    assert rented.first.headers["vary"] == "PAYMENT-SIGNATURE, X-PAYMENT"
