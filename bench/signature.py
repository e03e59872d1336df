"""What the check of one EIP-3009 signature costs: ours, and eth-account's as its documentation shows it.

Both recover with libsecp256k1; it must never be compared with the pure-Python fallback, a hundred times slower.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time_ns
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data

from bench.agent import Signed, signed
from bench.figures import Figure, at_least, middle, no_more_than
from bench.length import Length
from bench.processes import BenchError
from phoneagent.x402 import is_signed_by_payer, require_fast_crypto

CALLS = 200
_PAYEE = "0x" + "22" * 20
_FIELDS = (
    ("from", "address"),
    ("to", "address"),
    ("value", "uint256"),
    ("validAfter", "uint256"),
    ("validBefore", "uint256"),
    ("nonce", "bytes32"),
)


def measure(length: Length) -> list[Figure]:
    """Return our check beside eth-account's, in alternating rounds."""
    require_fast_crypto()
    payment = signed(_PAYEE)
    ours_us: list[float] = []
    theirs_us: list[float] = []
    for _ in range(length.rounds + 2):
        ours_us.append(_time_us(lambda: _ours(payment)))
        theirs_us.append(_time_us(lambda: _theirs(payment)))
    ours, theirs = middle(ours_us), middle(theirs_us)
    return [
        Figure("signature check", f"{ours:.0f} µs", "", ours, no_more_than(80, " µs")),
        Figure("signature check", f"{ours:.0f} µs", f"eth-account: {theirs:.0f} µs", theirs / ours, at_least(4)),
    ]


def _time_us(check: Callable[[], bool]) -> float:
    started_ns = process_time_ns()
    for _ in range(CALLS):
        if not check():
            raise BenchError("a good signature was not recognized")
    return (process_time_ns() - started_ns) / CALLS / 1000


def _ours(payment: Signed) -> bool:
    return is_signed_by_payer(payment.authorization, payment.signature, payment.domain)


def _theirs(payment: Signed) -> bool:
    domain, auth = payment.domain, payment.authorization
    message: dict[str, Any] = {
        "from": auth.payer,
        "to": auth.payee,
        "value": auth.amount_atomic,
        "validAfter": auth.valid_after,
        "validBefore": auth.valid_before,
        "nonce": auth.nonce,
    }
    named = {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "verifyingContract": domain.token,
    }
    types = {"TransferWithAuthorization": [{"name": name, "type": kind} for name, kind in _FIELDS]}
    encoded = encode_typed_data(named, types, message)
    return str(Account.recover_message(encoded, signature=payment.signature)).lower() == auth.payer
