"""Hand-built calldata and topics are compared with what web3 makes of the token's ABI."""

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from web3 import Web3

from phoneagent.core.payment import Authorization
from phoneagent.facilitators import abi
from tests.facilitators.world import TOKEN

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
words = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
uints = st.integers(0, 2**256 - 1)
authorizations = st.builds(Authorization, addresses, addresses, uints, uints, uints, words)
signatures = st.binary(min_size=1, max_size=200).map(lambda raw: "0x" + raw.hex())


def checksum(address: str) -> str:
    return str(Web3.to_checksum_address(address))


@given(addresses)
def test_balance_of_is_what_web3_encodes(owner: str) -> None:
    assert abi.balance_of(owner) == TOKEN.encode_abi("balanceOf", [checksum(owner)])


@given(addresses, words)
def test_authorization_state_is_what_web3_encodes(payer: str, nonce: str) -> None:
    assert abi.authorization_state(payer, nonce) == TOKEN.encode_abi("authorizationState", [checksum(payer), nonce])


def test_domain_separator_is_what_web3_encodes() -> None:
    assert abi.domain_separator() == TOKEN.encode_abi("DOMAIN_SEPARATOR", [])


@given(authorizations, signatures)
def test_transfer_with_authorization_is_what_web3_encodes_for_signatures_of_any_length(
    auth: Authorization, signature: str
) -> None:
    overload = "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"
    window = (auth.amount_atomic, auth.valid_after, auth.valid_before)
    arguments = (checksum(auth.payer), checksum(auth.payee), *window, auth.nonce, signature)

    expected = TOKEN.get_function_by_signature(overload)(*arguments)._encode_transaction_data()

    assert abi.transfer_with_authorization(auth, signature) == expected


@pytest.mark.parametrize(
    ("topic", "event"),
    [
        (abi.AUTHORIZATION_USED, "AuthorizationUsed(address,bytes32)"),
        (abi.AUTHORIZATION_CANCELED, "AuthorizationCanceled(address,bytes32)"),
        (abi.TRANSFER, "Transfer(address,address,uint256)"),
    ],
)
def test_a_topic_is_the_hash_of_its_event(topic: str, event: str) -> None:
    assert topic == "0x" + keccak(text=event).hex()
