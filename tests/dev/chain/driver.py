"""Hands for the chain's tests: people with keys, signed messages, calldata, and a chain that is driven without HTTP.

Signatures come from eth-account and calldata from eth-abi, so that the chain never checks itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eth_abi.abi import encode
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from phoneagent.dev.chain import CHAIN_ID, USDC_ADDRESS
from phoneagent.dev.chain.chain import EvmChain, Genesis
from phoneagent.dev.chain.errors import RpcError
from phoneagent.dev.chain.methods import dispatch

if TYPE_CHECKING:
    from pathlib import Path

    from eth_account.signers.local import LocalAccount

Json = Any
"""What JSON or the ABI can hold: tests look inside without asking first."""

ETHER = 10**18
DOLLAR = 1_000_000
GWEI = 10**9
START_S = 1_800_000_000
FAR_S = 4_000_000_000

OWNER: LocalAccount = Account.from_key(b"\x01" * 32)
PAYER: LocalAccount = Account.from_key(b"\x02" * 32)
PAYEE: LocalAccount = Account.from_key(b"\x03" * 32)
RELAYER: LocalAccount = Account.from_key(b"\x04" * 32)
STRANGER: LocalAccount = Account.from_key(b"\x05" * 32)
RICH = (PAYER, PAYEE, RELAYER, STRANGER)

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

AUTHORIZATION_FIELDS = [
    {"name": "from", "type": "address"},
    {"name": "to", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "validAfter", "type": "uint256"},
    {"name": "validBefore", "type": "uint256"},
    {"name": "nonce", "type": "bytes32"},
]
TYPES = {
    "TransferWithAuthorization": AUTHORIZATION_FIELDS,
    "ReceiveWithAuthorization": AUTHORIZATION_FIELDS,
    "CancelAuthorization": [{"name": "authorizer", "type": "address"}, {"name": "nonce", "type": "bytes32"}],
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ],
}
DOMAIN = {"name": "USD Coin", "version": "2", "chainId": CHAIN_ID, "verifyingContract": USDC_ADDRESS}

AUTHORIZATION = "address,address,uint256,uint256,uint256,bytes32"
VRS = "uint8,bytes32,bytes32"


class Clock:
    """UTC seconds that move only when told."""

    def __init__(self) -> None:
        self.now = START_S

    def __call__(self) -> int:
        return self.now


def selector(signature: str) -> bytes:
    return keccak(text=signature)[:4]


def calldata(signature: str, *values: Json) -> bytes:
    """ABI-encoded call of a function given as `name(type,type)`."""
    types = [one for one in signature[signature.index("(") + 1 : -1].split(",") if one]
    return selector(signature) + encode(types, values)


def sign_message(account: LocalAccount, primary_type: str, message: dict[str, Any]) -> bytes:
    """The 65-byte EIP-712 signature over one of the token's messages."""
    signed = account.sign_typed_data(DOMAIN, {primary_type: TYPES[primary_type]}, message)
    return bytes(signed.signature)


def authorization(**changes: Json) -> dict[str, Any]:
    """A dollar from PAYER to PAYEE, valid since ever and for long."""
    return {
        "from": PAYER.address,
        "to": PAYEE.address,
        "value": DOLLAR,
        "validAfter": 0,
        "validBefore": FAR_S,
        "nonce": b"\x11" * 32,
    } | changes


def with_vrs(function: str, message: dict[str, Any], signature: bytes, types: str = AUTHORIZATION) -> bytes:
    r, s, v = signature[:32], signature[32:64], signature[64]
    return calldata(f"{function}({types},{VRS})", *message.values(), v, r, s)


def with_bytes(function: str, message: dict[str, Any], signature: bytes, types: str = AUTHORIZATION) -> bytes:
    return calldata(f"{function}({types},bytes)", *message.values(), signature)


def transaction(account: LocalAccount, nonce: int, **changes: Json) -> bytes:
    """A signed EIP-1559 payment of one wei to PAYEE, unless changed."""
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": nonce,
        "gas": 21_000,
        "maxFeePerGas": GWEI,
        "maxPriorityFeePerGas": GWEI // 1000,
        "to": PAYEE.address,
        "value": 1,
        "data": b"",
    }
    fields |= changes
    # eth-account wants a checksum, or no member at all for a new contract.
    to = fields.pop("to")
    if to is not None:
        fields["to"] = to_checksum_address(to)
    return bytes(account.sign_transaction(fields).raw_transaction)


class Bench:
    """A chain in this process, asked through the same method table that HTTP uses."""

    def __init__(self, data_dir: Path | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        balances = {bytes.fromhex(one.address[2:]): 100 * ETHER for one in RICH}
        self.chain = EvmChain(data_dir, Genesis(balances, bytes(OWNER.key)), self.clock)

    def ask(self, method: str, *params: Json) -> Json:
        return dispatch(self.chain, method, list(params))

    def refusal(self, method: str, *params: Json) -> RpcError:
        """The error that the method answers with."""
        try:
            answer = self.ask(method, *params)
        except RpcError as exc:
            return exc
        raise AssertionError(f"{method} answered {answer}")

    def hold(self) -> None:
        """Keep sent transactions in the pool."""
        self.chain.set_automine(is_on=False)

    def go_on(self) -> None:
        """Mine what was held, and every transaction from now on."""
        self.chain.set_automine(is_on=True)

    def nonce(self, account: LocalAccount) -> int:
        return int(self.ask("eth_getTransactionCount", account.address, "pending"), 16)

    def send(self, account: LocalAccount, data: bytes, to: str | None = USDC_ADDRESS) -> dict[str, Any]:
        """Send a call in a transaction and return the receipt."""
        raw = transaction(account, self.nonce(account), to=to, data=data, value=0, gas=5_000_000)
        receipt = self.ask("eth_getTransactionReceipt", self.submit(raw))
        assert isinstance(receipt, dict)
        return receipt

    def submit(self, raw: bytes) -> str:
        return str(self.ask("eth_sendRawTransaction", "0x" + raw.hex()))

    def submit_refusal(self, raw: bytes) -> str:
        return self.refusal("eth_sendRawTransaction", "0x" + raw.hex()).message

    def read(self, signature: str, *values: Json, block: Json = "latest") -> bytes:
        """The token's answer."""
        request = {"to": USDC_ADDRESS, "data": "0x" + calldata(signature, *values).hex()}
        return bytes.fromhex(self.ask("eth_call", request, block)[2:])

    def number(self, signature: str, *values: Json, block: Json = "latest") -> int:
        return int.from_bytes(self.read(signature, *values, block=block), "big")

    def dollars(self, account: LocalAccount | str, block: Json = "latest") -> float:
        address = account if isinstance(account, str) else account.address
        return self.number("balanceOf(address)", address, block=block) / DOLLAR

    def revert(self, account: LocalAccount, data: bytes) -> str:
        """The reason the token gives for refusing this call."""
        error = self.refusal("eth_call", {"from": account.address, "to": USDC_ADDRESS, "data": "0x" + data.hex()})
        assert error.code == 3
        return error.message.removeprefix("execution reverted").removeprefix(": ")

    def deploy(self, runtime: bytes) -> str:
        """Put this runtime code on the chain; returns its address."""
        size = len(runtime).to_bytes(2, "big").hex()
        init = bytes.fromhex(f"61{size}600c5f3961{size}5ff3") + runtime
        return str(self.send(STRANGER, init, to=None)["contractAddress"])
