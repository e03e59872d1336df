"""The relayer's key and what it signs: the token's ``transferWithAuthorization``, built by web3, or nothing at all.

It must never touch the network, and be opened and used in a thread: web3 takes a second to import and 2 ms to sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phoneagent.facilitators.local.gas import TRANSFER_GAS
from phoneagent.x402.erc6492 import inner_signature

if TYPE_CHECKING:
    from phoneagent.core.payment import Payment
    from phoneagent.facilitators.local.gas import Fees
    from phoneagent.x402.eip3009 import Domain

_KEY_BYTES = 32
_SIGNATURE = "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"
_ABI = [
    {
        "type": "function",
        "name": "transferWithAuthorization",
        "stateMutability": "nonpayable",
        "inputs": [
            {"name": "from", "type": "address"},
            {"name": "to", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "validAfter", "type": "uint256"},
            {"name": "validBefore", "type": "uint256"},
            {"name": "nonce", "type": "bytes32"},
            {"name": "signature", "type": "bytes"},
        ],
        "outputs": [],
    }
]


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction. It may be sent any number of times: its hash is its name."""

    tx_hash: str
    raw: str = field(repr=False)


class Wallet:
    """One key on one chain, for one token."""

    def __init__(self, key: bytes, domain: Domain) -> None:
        """Import web3. Raises ValueError unless ``key`` is a private key of 32 bytes."""
        from eth_account.typed_transactions.typed_transaction import (  # noqa: PLC0415  half a second, as web3
            TypedTransaction,
        )
        from hexbytes import HexBytes  # noqa: PLC0415  comes with web3
        from web3 import Web3  # noqa: PLC0415  a second: only who settles pays it, in a thread

        if len(key) != _KEY_BYTES:
            raise ValueError("the relayer's key must be 32 bytes")
        eth = Web3().eth
        contract = eth.contract(Web3.to_checksum_address(domain.token), abi=_ABI)
        self._transfer = contract.get_function_by_signature(_SIGNATURE)
        self._account = eth.account.from_key(key)
        self._to_checksum = Web3.to_checksum_address
        _read: Any = TypedTransaction.from_bytes  # eth-account left it untyped
        self._read: Callable[[str], dict[str, Any]] = lambda raw: _read(HexBytes(raw)).as_dict()
        self._chain_id = domain.chain_id
        self.address = str(self._account.address).lower()

    def sign(self, payment: Payment, nonce: int, gas: int, fees: Fees) -> Signed:
        """Return the transaction that settles a payment."""
        auth = payment.authorization
        transfer = self._transfer(
            self._to_checksum(auth.payer),
            self._to_checksum(auth.payee),
            auth.amount_atomic,
            auth.valid_after,
            auth.valid_before,
            bytes.fromhex(auth.nonce[2:]),
            bytes.fromhex(inner_signature(payment.signature)[2:]),
        )
        return self._sign(transfer.build_transaction(self._frame(nonce, gas, fees)))

    def sign_dearer(self, signed: Signed, fees: Fees) -> Signed:
        """Return the same transaction with another bid."""
        known = self._read(signed.raw)
        same = {name: known[name] for name in ("to", "data")}
        return self._sign({**self._frame(known["nonce"], known["gas"], fees), **same})

    def sign_nothing(self, nonce: int, fees: Fees) -> Signed:
        """Return a transaction that only uses up a nonce: no ether, no data, to ourselves."""
        return self._sign({**self._frame(nonce, TRANSFER_GAS, fees), "to": self._account.address})

    def _frame(self, nonce: int, gas: int, fees: Fees) -> dict[str, Any]:
        return {
            "chainId": self._chain_id,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": fees.max_fee_wei,
            "maxPriorityFeePerGas": fees.tip_wei,
            "value": 0,
        }

    def _sign(self, unsigned: dict[str, Any]) -> Signed:
        signed = self._account.sign_transaction(unsigned)
        return Signed("0x" + signed.hash.hex(), "0x" + signed.raw_transaction.hex())
