"""The words facilitators use for "no", and which of them name the payer, leave the outcome open, or are ours.

It must never call an unknown word the payer's fault: payers are blocked on what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping

INSUFFICIENT_FUNDS = "insufficient_funds"
INVALID_SIGNATURE = "invalid_exact_evm_payload_signature"
NONCE_USED = "invalid_exact_evm_nonce_already_used"
TOO_LATE = "invalid_exact_evm_payload_authorization_valid_before"
TOO_EARLY = "invalid_exact_evm_payload_authorization_valid_after"
WRONG_AMOUNT = "invalid_exact_evm_payload_authorization_value_mismatch"
WRONG_RECIPIENT = "invalid_exact_evm_payload_recipient_mismatch"
WRONG_TOKEN_NAME = "invalid_exact_evm_token_name_mismatch"  # noqa: S105  a reason, no secret
WRONG_TOKEN_VERSION = "invalid_exact_evm_token_version_mismatch"  # noqa: S105  a reason, no secret
SIMULATION_FAILED = "invalid_exact_evm_transaction_simulation_failed"
INVALID_NETWORK = "invalid_network"
INVALID_PAYLOAD = "invalid_payload"
INVALID_REQUIREMENTS = "invalid_payment_requirements"
INVALID_SCHEME = "invalid_scheme"
INVALID_VERSION = "invalid_x402_version"
PENDING = "settlement_pending"
TRANSACTION_FAILED = "transaction_failed"

TOKEN_PAUSED = "token_paused"  # noqa: S105  a reason, no secret
ACCOUNT_BLACKLISTED = "account_blacklisted"
RELAYER_WITHOUT_GAS = "relayer_without_gas"
TOO_MUCH_GAS = "transfer_needs_too_much_gas"
GAS_TOO_DEAR = "gas_is_dearer_than_the_relayers_cap"
UNDEPLOYED_WALLET = "invalid_exact_evm_payload_undeployed_smart_wallet"

PAYER_FAULTS = frozenset(
    {
        INSUFFICIENT_FUNDS,
        "invalid_exact_evm_insufficient_balance",
        INVALID_SIGNATURE,
        UNDEPLOYED_WALLET,
        SIMULATION_FAILED,
        TOO_MUCH_GAS,
    }
)
"""Reasons that name the payer's balance or a transfer the token refuses (x402.md §2.1; PyPI x402 2.25 constants)."""

NOT_A_VERDICT = frozenset(
    {
        PENDING,
        TRANSACTION_FAILED,
        "duplicate_settlement",
        "invalid_exact_evm_failed_to_execute_transfer",
        "invalid_exact_evm_transfer_event_mismatch",
        "settle_exact_failed_onchain",
        "settle_exact_node_failure",
        "settle_exact_evm_transaction_confirmation_timed_out",
        "unexpected_error",
        "unexpected_settle_error",
        "unexpected_verify_error",
        "invalid_exact_evm_failed_to_verify_signature",
        "invalid_exact_evm_failed_to_get_asset_info",
        "invalid_exact_evm_failed_to_get_network_config",
    }
)
"""Reasons that say "I do not know", "I am broken" or "something was sent" (same sources): the payment may be good, or
even settled."""

ANOTHER_MAY_SETTLE = frozenset(
    {
        RELAYER_WITHOUT_GAS,
        GAS_TOO_DEAR,
        INVALID_NETWORK,
        INVALID_PAYLOAD,
        INVALID_REQUIREMENTS,
        INVALID_SCHEME,
        INVALID_VERSION,
        UNDEPLOYED_WALLET,
        "amount_too_low",
        "asset_not_deployed_contract",
        "eip6492_factory_not_allowed",
        "invalid_bazaar_extension",
        "invalid_exact_evm_eip3009_not_supported",
        "missing_eip712_domain",
        "network_mismatch",
        "unsupported_scheme",
    }
)
"""Refusals that say what *this* facilitator cannot do (same sources): another may. Screening (``kyt_…``,
``request_blocked_by_location``) is not among them: nobody is asked until somebody looks away. Nor is a word we do not
know."""

_REVERTS: Mapping[str, str] = {
    "transfer amount exceeds balance": INSUFFICIENT_FUNDS,
    "authorization is used or canceled": NONCE_USED,
    "authorization is expired": TOO_LATE,
    "authorization is not yet valid": TOO_EARLY,
    "invalid signature": INVALID_SIGNATURE,
    "Pausable: paused": TOKEN_PAUSED,
    "Blacklistable: account is blacklisted": ACCOUNT_BLACKLISTED,
}
"""What the token's revert strings (chain.md §2) contain → the facilitator's reason. Pause and blacklist are Circle's
doing, or the payee's: they must not be counted against the payer."""


def of_revert(refusal: str) -> str:
    """Return the reason that says the same as a token's revert string."""
    return next((reason for text, reason in _REVERTS.items() if text in refusal), SIMULATION_FAILED)


_BURNS_GAS = ("out of gas", "gas required exceeds allowance")
"""How a node words a wallet contract that spends more on a signature than we allow."""


def blames_payer(refusal: str) -> bool:
    """Tell whether a simulated transfer's refusal is the payer's own doing. A word that we do not know is nobody's."""
    return of_revert(refusal) in {INSUFFICIENT_FUNDS, INVALID_SIGNATURE} or refusal.startswith(_BURNS_GAS)
