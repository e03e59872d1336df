import sys
import time
from dataclasses import replace

import coincurve
import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.core.payment import Authorization
from phoneagent.x402 import (
    BASE,
    BASE_SEPOLIA,
    Domain,
    authorization_digest,
    decode_payment,
    is_signed_by_payer,
    require_fast_crypto,
)
from tests.x402.examples import PAYER, PAYER_KEY, payment
from tests.x402.signing import TRANSFER_WITH_AUTHORIZATION, to_header

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
uints = st.integers(min_value=0, max_value=2**256 - 1)
authorizations = st.builds(
    Authorization,
    payer=addresses,
    payee=addresses,
    amount_atomic=uints,
    valid_after=uints,
    valid_before=uints,
    nonce=st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex()),
)
domains = st.builds(Domain, st.text(max_size=12), st.text(max_size=3), uints, addresses)


def signed() -> tuple[Authorization, str]:
    decoded = decode_payment(to_header(payment(2)))
    return decoded.authorization, decoded.signature


def digest_by_eth_account(auth: Authorization, domain: Domain) -> bytes:
    message = {
        "from": auth.payer,
        "to": auth.payee,
        "value": auth.amount_atomic,
        "validAfter": auth.valid_after,
        "validBefore": auth.valid_before,
        "nonce": bytes.fromhex(auth.nonce[2:]),
    }
    named = {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "verifyingContract": domain.token,
    }
    return bytes(_hash_eip191_message(encode_typed_data(named, TRANSFER_WITH_AUTHORIZATION, message)))


@pytest.mark.parametrize(
    ("domain", "separator"),
    [  # the first is what DOMAIN_SEPARATOR() answers; the second is computed by eth-account
        (BASE.usdc, "02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f"),
        (BASE_SEPOLIA.usdc, "71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818"),
    ],
)
def test_the_separator_is_the_one_of_circles_token(domain: Domain, separator: str) -> None:
    assert domain.separator.hex() == separator


def test_a_domain_whose_token_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="an address is 0x and 40 hex digits"):
        Domain("USD Coin", "2", 8453, "USDC")


def test_domains_are_equal_whatever_the_letter_case_of_the_token() -> None:
    assert Domain("USD Coin", "2", 8453, BASE.usdc.token.upper()) == BASE.usdc


@given(authorizations, domains)
def test_the_digest_is_what_eth_account_computes(auth: Authorization, domain: Domain) -> None:
    assert authorization_digest(auth, domain) == digest_by_eth_account(auth, domain)


def test_a_signature_of_the_payer_is_proven() -> None:
    auth, signature = signed()

    assert auth.payer == PAYER == Account.from_key(PAYER_KEY).address.lower()
    assert is_signed_by_payer(auth, signature, BASE.usdc)


@pytest.mark.parametrize(
    "changed",
    [
        {"payer": "0x" + "22" * 20},
        {"payee": "0x" + "22" * 20},
        {"amount_atomic": 999_999},
        {"valid_after": 1},
        {"valid_before": 1_795_001_801},
        {"nonce": "0x" + "ac" * 32},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_signature_covers_every_member_of_the_authorization(changed: dict[str, str | int]) -> None:
    auth, signature = signed()

    assert not is_signed_by_payer(replace(auth, **changed), signature, BASE.usdc)  # type: ignore[arg-type]  # one of six


@pytest.mark.parametrize(
    "domain",
    [
        Domain("USDC", "2", 8453, BASE.usdc.token),
        Domain("USD Coin", "1", 8453, BASE.usdc.token),
        Domain("USD Coin", "2", 84532, BASE.usdc.token),
        Domain("USD Coin", "2", 8453, BASE_SEPOLIA.usdc.token),
    ],
    ids=["name", "version", "chain", "token"],
)
def test_a_signature_covers_every_member_of_the_domain(domain: Domain) -> None:
    auth, signature = signed()

    assert not is_signed_by_payer(auth, signature, domain)


def other_spellings() -> dict[str, str]:
    _, signature = signed()
    raw = bytes.fromhex(signature[2:])
    r, s, v = raw[:32], int.from_bytes(raw[32:64], "big"), raw[64]
    parity = v - 27
    compact = r + (s | parity << 255).to_bytes(32, "big")
    mirrored = r + (ORDER - s).to_bytes(32, "big") + bytes([28 - parity])
    return {
        "v 0 or 1": (raw[:64] + bytes([parity])).hex(),
        "v flipped": (raw[:64] + bytes([28 - parity])).hex(),
        "v 29": (raw[:64] + b"\x1d").hex(),
        "v of EIP-155": (raw[:64] + bytes([35 + parity])).hex(),
        "EIP-2098": compact.hex(),
        "EIP-2098, padded": (compact + b"\x1b").hex(),
        "high s": mirrored.hex(),
        "s of zero": (r + bytes(32) + raw[64:]).hex(),
        "r of zero": (bytes(32) + raw[32:]).hex(),
        "r of the order": (ORDER.to_bytes(32, "big") + raw[32:]).hex(),
        "r of all ones": (b"\xff" * 32 + raw[32:]).hex(),
        "one byte short": raw[:-1].hex(),
        "one byte long": raw.hex() + "00",
        "empty": "",
        "spaces among the digits": "  " + raw.hex()[:-2],
        "not hex": "zz" * 65,
        "not ASCII": "é" * 130,
        "all zeros": "00" * 65,
    }


@pytest.mark.parametrize("spelling", other_spellings())
def test_no_other_spelling_of_a_signature_is_proven(spelling: str) -> None:
    auth, _ = signed()

    assert not is_signed_by_payer(auth, "0x" + other_spellings()[spelling], BASE.usdc)


def test_a_signature_without_0x_is_not_proven() -> None:
    auth, signature = signed()

    assert not is_signed_by_payer(auth, signature[2:], BASE.usdc)
    assert not is_signed_by_payer(auth, "11" + signature[2:], BASE.usdc)


@given(st.binary(max_size=70), st.sampled_from([b"", b"\x1b", b"\x1c"]))
def test_a_random_signature_is_judged_without_an_exception(raw: bytes, v: bytes) -> None:
    auth, _ = signed()

    assert not is_signed_by_payer(auth, "0x" + (raw[:64] + v).hex(), BASE.usdc)


def test_the_crypto_of_this_installation_is_fast() -> None:
    require_fast_crypto()

    auth, signature = signed()
    best_s = min(_timed(auth, signature) for _ in range(50))
    assert best_s < 0.001  # 35 µs in C; pure Python needs 7 ms, so the bound holds on a busy machine too


def _timed(auth: Authorization, signature: str) -> float:
    started = time.perf_counter()
    is_signed_by_payer(auth, signature, BASE.usdc)
    return time.perf_counter() - started


def test_start_up_refuses_a_slow_key_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECC_BACKEND_CLASS", "eth_keys.backends.NativeECCBackend")

    with pytest.raises(RuntimeError, match="eth-keys uses NativeECCBackend, not coincurve"):
        require_fast_crypto()


def test_start_up_refuses_a_missing_key_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "eth_keys.backends", None)

    with pytest.raises(RuntimeError, match="eth-keys is missing"):
        require_fast_crypto()


def test_start_up_refuses_a_coincurve_that_does_not_recover(monkeypatch: pytest.MonkeyPatch) -> None:
    other = coincurve.PrivateKey(b"\x02" * 32).public_key
    monkeypatch.setattr("coincurve.PublicKey.from_signature_and_message", lambda *_, **__: other)

    with pytest.raises(RuntimeError, match="does not recover its own signature"):
        require_fast_crypto()
