import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.core.errors import PaymentRefused, RequestInvalid
from phoneagent.core.payment import Authorization
from phoneagent.x402 import BASE, Accepted, DecodedPayment, decode_payment, is_signed_by_payer
from phoneagent.x402.decode import MAX_AMOUNT, MAX_TIME_S
from tests.x402.examples import (
    NONCE,
    NOW_S,
    PAY_TO,
    PAYER,
    PAYER_KEY,
    REQUIRED,
    SIGNED,
    USDC,
    authorization_of,
    changed,
    payment,
)
from tests.x402.signing import from_header, sign_payment, to_header

PLAIN = {version: decode_payment(to_header(made)) for version, made in SIGNED.items()}


def decode(made: object) -> DecodedPayment:
    return decode_payment(to_header(made))


def refusal(made: object) -> RequestInvalid:
    with pytest.raises(RequestInvalid) as refused:
        decode(made)
    assert refused.value.code == "invalid_payment"
    return refused.value


# ---- what is read --------------------------------------------------------------------------------------------------


def test_a_version_1_payment_is_read() -> None:
    found = PLAIN[1]

    assert (found.version, found.network, found.accepted, found.payment_id) == (1, BASE, None, None)
    assert found.authorization == Authorization(
        payer=PAYER,
        payee=PAY_TO.lower(),
        amount_atomic=1_000_000,
        valid_after=NOW_S - 600,
        valid_before=NOW_S + 1800,
        nonce=NONCE,
    )
    assert found.signature == SIGNED[1]["payload"]["signature"]


def test_a_version_2_payment_is_read() -> None:
    found = PLAIN[2]

    assert (found.version, found.network, found.payment_id) == (2, BASE, None)
    assert found.accepted == Accepted(asset=USDC.lower(), pay_to=PAY_TO.lower(), amount_atomic=1_000_000)
    assert (found.authorization.valid_after, found.authorization.nonce) == (0, NONCE)


def test_the_signer_and_the_decoder_agree_on_what_was_signed() -> None:
    found = decode_payment(sign_payment(PAYER_KEY, offer=REQUIRED[2], now_s=NOW_S, version=2, value="7"))

    assert found.authorization.amount_atomic == 7
    assert is_signed_by_payer(found.authorization, found.signature, BASE.usdc)


def test_the_signer_refuses_an_offer_of_the_other_version() -> None:
    with pytest.raises(ValueError, match="an offer of version 2"):
        sign_payment(PAYER_KEY, offer=REQUIRED[2], now_s=NOW_S, version=1)


def test_a_payment_does_not_show_its_signature_when_printed() -> None:
    assert PLAIN[2].signature[2:] not in repr(PLAIN[2])


def test_one_authorization_in_both_versions_is_the_same_money_and_proof() -> None:
    both = payment(1, validAfter="0")
    second = copy.deepcopy(SIGNED[2])
    second["payload"] = both["payload"]

    assert decode(both).is_same_money_and_proof(decode(second))
    assert not decode(both).is_same_money_and_proof(PLAIN[1])


@given(
    value=st.integers(min_value=0, max_value=MAX_AMOUNT),
    window=st.tuples(*[st.integers(min_value=0, max_value=MAX_TIME_S)] * 2),
    nonce=st.binary(min_size=32, max_size=32),
    signature=st.binary(min_size=1, max_size=200),
    version=st.sampled_from([1, 2]),
)
def test_what_is_encoded_decodes_to_the_same_values(
    value: int, window: tuple[int, int], nonce: bytes, signature: bytes, version: int
) -> None:
    made = changed(version, "payload", "signature", value="0x" + signature.hex())
    authorization_of(made).update(
        value=str(value), validAfter=str(window[0]), validBefore=str(window[1]), nonce="0x" + nonce.hex()
    )

    found = decode(made)

    assert found.authorization == Authorization(PAYER, PAY_TO.lower(), value, *window, "0x" + nonce.hex())
    assert found.signature == "0x" + signature.hex()
    assert decode_payment(base64.b64encode(found.canonical).decode()) == found


# ---- one meaning, many spellings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("path", "respell"),
    [
        (("payload", "authorization", "nonce"), str.upper),
        (("payload", "authorization", "nonce"), lambda text: "0x" + text[2:].upper()),
        (("payload", "authorization", "nonce"), lambda text: "0X" + text[2:]),
        (("payload", "authorization", "from"), str.lower),
        (("payload", "authorization", "from"), str.upper),
        (("payload", "authorization", "from"), lambda text: "0x" + text[2:].swapcase()),
        (("payload", "authorization", "to"), str.lower),
        (("payload", "authorization", "to"), lambda text: "0x" + text[2:].upper()),
        (("payload", "signature"), str.upper),
        (("payload", "authorization", "value"), int),
        (("payload", "authorization", "validAfter"), int),
        (("payload", "authorization", "validBefore"), int),
    ],
)
def test_another_spelling_of_the_money_is_the_same_payment(
    version: int, path: tuple[str, ...], respell: Callable[[str], object]
) -> None:
    value: Any = SIGNED[version]
    for name in path:
        value = value[name]

    found = decode(changed(version, *path, value=respell(value)))

    assert found == PLAIN[version]
    assert found.canonical == PLAIN[version].canonical


@pytest.mark.parametrize("version", [1, 2])
def test_the_order_of_members_and_the_spaces_between_them_do_not_matter(version: int) -> None:
    def backwards(value: object) -> object:
        return {k: backwards(v) for k, v in reversed(value.items())} if isinstance(value, dict) else value

    text = json.dumps(backwards(SIGNED[version]), indent=3)

    assert decode_payment(base64.b64encode(text.encode()).decode()).canonical == PLAIN[version].canonical


def test_the_canonical_bytes_are_written_out_once_and_for_all() -> None:
    made = changed(1, "payload", "signature", value="0xAB")
    signed = (
        '"authorization":{"from":"0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A","nonce":"' + NONCE + '",'
        '"to":"' + PAY_TO + '","validAfter":"1794999400","validBefore":"1795001800","value":"1000000"}'
    )

    assert decode(made).canonical.decode() == (
        '{"network":"base","payload":{' + signed + ',"signature":"0xab"},"scheme":"exact","x402Version":1}'
    )


def test_what_we_do_not_read_reaches_the_facilitator_as_it_came() -> None:
    made = copy.deepcopy(SIGNED[2])
    made["accepted"]["payTo"] = PAY_TO.lower()
    made["accepted"]["extra"]["quote"] = {"id": "é", "parts": [1, None, True]}
    made["accepted"]["novel"] = 5
    made["resource"]["url"] = "https://elsewhere.example/"
    made["extensions"]["bazaar"] = {"info": {"input": {"type": "http"}}, "schema": {"b": 1, "a": 2}}
    made["payload"]["memo"] = "X"
    authorization_of(made)["memo"] = "Y"
    made["memo"] = "Z"

    sent = json.loads(decode(made).canonical)

    assert sent == made


# ---- one version or the other --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "path", "value"),
    [
        (1, ("scheme",), "upto"),
        (1, ("scheme",), "Exact"),
        (1, ("network",), "eip155:8453"),
        (1, ("network",), "solana"),
        (1, ("network",), ""),
        (2, ("accepted", "scheme"), "auth-capture"),
        (2, ("accepted", "network"), "base"),
        (2, ("accepted", "network"), "eip155:1"),
        (2, ("accepted", "network"), "eip155:8453 "),
    ],
)
def test_a_scheme_or_network_that_we_cannot_read_wants_a_new_payment(
    version: int, path: tuple[str, ...], value: str
) -> None:
    with pytest.raises(PaymentRefused) as refused:
        decode(changed(version, *path, value=value))

    assert refused.value.code == "unsupported_scheme"


def test_a_payload_of_another_chain_is_refused_for_its_network_and_not_for_its_shape() -> None:
    made = {"x402Version": 1, "scheme": "exact", "network": "solana", "payload": {"transaction": "AAAA"}}

    with pytest.raises(PaymentRefused):
        decode(made)


@pytest.mark.parametrize(("shape", "said", "missing"), [(1, 2, "payment.accepted"), (2, 1, "payment.scheme")])
def test_a_payment_in_the_shape_of_the_other_version_is_refused(shape: int, said: int, missing: str) -> None:
    assert refusal(changed(shape, "x402Version", value=said)).members["field"] == missing


def test_a_payment_in_both_shapes_is_read_by_its_version_alone() -> None:
    both = {**SIGNED[2], "scheme": "exact", "network": "base-sepolia"}

    assert decode(both).network is BASE
    assert decode({**SIGNED[1], "accepted": "nonsense"}).accepted is None


@pytest.mark.parametrize("name", ["resource", "extensions"])
def test_an_optional_member_that_is_null_is_missing_for_us_and_for_the_facilitator(name: str) -> None:
    made = copy.deepcopy(SIGNED[2])
    without = {member: value for member, value in made.items() if member != name}

    assert decode({**made, name: None}) == decode(without)


def test_a_payment_id_is_read_in_version_2_only() -> None:
    extensions = {"payment-identifier": {"info": {"required": False, "id": "pay_0123456789abcdef"}}}

    assert decode(changed(2, "extensions", value=extensions)).payment_id == "pay_0123456789abcdef"
    assert decode(changed(1, "extensions", value=extensions)).payment_id is None


@pytest.mark.parametrize("extensions", [{}, {"bazaar": {}}, {"payment-identifier": {}}])
def test_a_payment_without_an_id_has_none(extensions: dict[str, Any]) -> None:
    assert decode(changed(2, "extensions", value=extensions)).payment_id is None


def test_a_header_made_by_hand_reads_like_one_of_a_client() -> None:
    header = sign_payment(PAYER_KEY, offer=REQUIRED[1], now_s=NOW_S, version=1, nonce=NONCE)

    assert from_header(header) == SIGNED[1]
