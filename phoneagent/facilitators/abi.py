"""The handful of token calls and events we speak, as bytes: selectors, 32-byte words and topics.

It must never grow into an ABI library; each constant is compared with web3 and eth_abi by a test.
"""

from __future__ import annotations

from phoneagent.core.payment import Authorization
from phoneagent.x402.erc6492 import inner_signature

_BALANCE_OF = "70a08231"
_AUTHORIZATION_STATE = "e94a0102"
_DOMAIN_SEPARATOR = "3644e515"
_TRANSFER_WITH_AUTHORIZATION = "cf092995"
"""The overload that takes the signature as ``bytes``: the only one that every kind of wallet can use."""

AUTHORIZATION_USED = "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5"
AUTHORIZATION_CANCELED = "0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81"
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

_WORD_BYTES = 32
_SIGNATURE_OFFSET = 7 * _WORD_BYTES
"""Where the tail with the signature begins: behind the seven head words."""


def balance_of(owner: str) -> str:
    """Return the calldata of ``balanceOf(address)``."""
    return f"0x{_BALANCE_OF}{address_word(owner)}"


def authorization_state(payer: str, nonce: str) -> str:
    """Return the calldata of ``authorizationState(address,bytes32)``."""
    return f"0x{_AUTHORIZATION_STATE}{address_word(payer)}{nonce[2:]}"


def domain_separator() -> str:
    """Return the calldata of ``DOMAIN_SEPARATOR()``."""
    return f"0x{_DOMAIN_SEPARATOR}"


def transfer_with_authorization(auth: Authorization, signature: str) -> str:
    """Return the calldata of ``transferWithAuthorization`` with the signature (0x hex of any length) as bytes.

    An ERC-6492 wrapping is taken off: the token asks the payer's code, which knows nothing of it.
    """
    head = (
        address_word(auth.payer)
        + address_word(auth.payee)
        + _number(auth.amount_atomic)
        + _number(auth.valid_after)
        + _number(auth.valid_before)
        + auth.nonce[2:]
        + _number(_SIGNATURE_OFFSET)
    )
    proof = inner_signature(signature)[2:]
    length = len(proof) // 2
    padding = "00" * (-length % _WORD_BYTES)
    return f"0x{_TRANSFER_WITH_AUTHORIZATION}{head}{_number(length)}{proof}{padding}"


def address_word(address: str) -> str:
    """Return an address as a word without 0x, as it stands in calldata and, behind 0x, in topics."""
    return address[2:].rjust(2 * _WORD_BYTES, "0")


def _number(value: int) -> str:
    return f"{value:064x}"
