"""Two chains with the same people on them, ours with our token and anvil with Circle's, and one act done on both.

Everything that a holder, a relayer or a reader of logs can see of an act is compared; gas is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from phoneagent.dev.chain import CHAIN_ID, USDC_ADDRESS
from phoneagent.dev.chain.errors import RpcError
from phoneagent.facilitators.rpc import NodeError
from tests.anvil import circle
from tests.anvil.node import Anvil, AnvilError
from tests.dev.chain.driver import (
    DOLLAR,
    ETHER,
    GWEI,
    OWNER,
    PAYEE,
    PAYER,
    RELAYER,
    RICH,
    STRANGER,
    Bench,
    Clock,
    calldata,
)

Ask = Callable[..., object]
"""A JSON-RPC method and its parameters in; the result or the node's NodeError out."""

GAS = 400_000
STEP_S = 10

BLOCKED: LocalAccount = Account.from_key(b"\x06" * 32)
DELEGATED: LocalAccount = Account.from_key(b"\x07" * 32)
"""An account with a key that took a contract's code (EIP-7702): the code answers for it."""

KEYED = (PAYER, PAYEE, RELAYER, STRANGER, OWNER, BLOCKED, DELEGATED)
BALANCE = 100 * DOLLAR

ERROR_STRING = "0x08c379a0"
"""Selector of ``Error(string)``."""

MAGIC = "631626ba7e60e01b"
"""EVM code: push what ERC-1271 wants to hear, in the leading four bytes of a word."""

WALLETS = {
    "says yes": MAGIC + "5f5260205ff3",
    "says yes at length": MAGIC + "5f5260605ff3",
    "says yes in four bytes": MAGIC + "5f5260045ff3",
    "says yes and more": MAGIC + "6001175f5260205ff3",
    "says zero": "60205ff3",
    "says nothing": "00",
    "reverts": "5f5ffd",
    "is invalid": "fe",
    "writes, then says yes": "60015f55" + MAGIC + "5f5260205ff3",
    "burns all gas": "5b5f56",
}
"""Contract wallets by what they answer to `isValidSignature`, as runtime code."""


@dataclass(frozen=True, slots=True)
class Act:
    """A call by somebody; ``to`` is the token unless told. Without a key it is tried and not sent."""

    data: bytes
    sender: LocalAccount | str = RELAYER
    value: int = 0
    to: str = USDC_ADDRESS

    @property
    def sender_address(self) -> str:
        return self.sender if isinstance(self.sender, str) else self.sender.address


@dataclass(frozen=True, slots=True)
class Seen:
    """What could be seen of an act: what a try gives, then status and logs of the transaction if one was sent."""

    tried: str
    status: str | None = None
    logs: tuple[tuple[str, tuple[str, ...], str], ...] = ()


class Side:
    """One node, driven by the methods that both know."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def ask(self, method: str, *params: object) -> Any:  # noqa: ANN401  JSON may be anything
        """The result. AssertionError for a refusal."""
        answer = self._ask(method, *params)
        assert not isinstance(answer, NodeError), (method, answer)
        return answer

    def mine_at(self, now: int) -> None:
        self.ask("evm_mine", hex(now))

    def tried(self, act: Act) -> str:
        """What `eth_call` says on top of the newest block: returned bytes, or the reason and bytes of a revert."""
        answer = self._called(act)
        if not isinstance(answer, NodeError):
            return f"returns {answer}"
        # The reason is read by the product's own eyes; a node's words for an end without revert are its own.
        return f"reverts: {answer.revert_reason} {without_dirt(answer.data or '0x')}" if answer.code == 3 else "halts"

    def revert_data(self, act: Act) -> str:
        """The bytes of a revert as they came."""
        answer = self._called(act)
        assert isinstance(answer, NodeError)
        assert answer.data is not None
        return answer.data

    def _called(self, act: Act) -> object:
        request = {
            "from": act.sender_address,
            "to": act.to,
            "data": "0x" + act.data.hex(),
            "value": hex(act.value),
            "gas": hex(GAS),
        }
        return self._ask("eth_call", request, "latest")

    def sent(self, sender: LocalAccount, now: int, **fields: object) -> dict[str, Any]:
        """The receipt of a transaction in a block of its own at this very time."""
        nonce = int(self.ask("eth_getTransactionCount", sender.address, "latest"), 16)
        sent = self.ask("eth_sendRawTransaction", "0x" + _signed(sender, nonce, fields).hex())
        self.mine_at(now)
        receipt: dict[str, Any] = self.ask("eth_getTransactionReceipt", sent)
        assert receipt is not None
        return receipt


@dataclass
class Twins:
    """Both sides at one time, and every act that they answered differently."""

    ours: Side
    theirs: Side
    clock: Clock
    wallets: dict[str, str] = field(default_factory=dict)
    differences: dict[str, tuple[Seen, Seen]] = field(default_factory=dict)

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.ours, self.theirs

    @property
    def now(self) -> int:
        """The time of the newest block on both sides: a try sees it, a transaction sees the second after it."""
        return self.clock.now

    def pass_time(self) -> None:
        """Let some seconds pass on both sides."""
        self.clock.now += STEP_S
        for side in self.sides:
            side.mine_at(self.now)

    def compare(self, name: str, act: Act) -> Seen:
        """Try the act on both sides and send it if both succeed; note a difference. Returns what ours showed."""
        tries = [side.tried(act) for side in self.sides]
        seen = [Seen(tried) for tried in tries]
        if isinstance(act.sender, LocalAccount) and all(tried.startswith("returns") for tried in tries):
            seen = self._sent(act, act.sender, tries)
        if seen[0] != seen[1]:
            self.differences[name] = (seen[0], seen[1])
        return seen[0]

    def do(self, sender: LocalAccount, signature: str, *values: object) -> None:
        """Carry out a call that succeeds on both sides alike; for setting a stage."""
        seen = self.compare("stage", Act(calldata(signature, *values), sender))
        assert seen.status == "0x1", seen
        assert "stage" not in self.differences, self.differences

    def refill(self) -> None:
        """Give PAYER its dollars back if it spent half of them."""
        missing = BALANCE - self.number("balanceOf(address)", PAYER.address)
        if missing > BALANCE // 2:
            self.do(OWNER, "mint(address,uint256)", PAYER.address, missing)

    def compare_reads(self, prefix: str, addresses: list[str]) -> None:
        """Compare everything that both tokens know of these addresses and of the token itself."""
        for getter in PLAIN_GETTERS:
            self._compare_read(f"{prefix}: {getter}", calldata(getter))
        for address in addresses:
            for getter in ADDRESS_GETTERS:
                self._compare_read(f"{prefix}: {getter} of {address}", calldata(getter, address))
            for other in addresses:
                self._compare_read(
                    f"{prefix}: allowance of {address} for {other}",
                    calldata("allowance(address,address)", address, other),
                )

    def _compare_read(self, name: str, data: bytes) -> None:
        ours, theirs = (Seen(side.tried(Act(data))) for side in self.sides)
        if ours != theirs:
            self.differences[name] = (ours, theirs)

    def number(self, signature: str, *values: object) -> int:
        """What theirs reads, which is the quicker to ask."""
        return int(self.theirs.tried(Act(calldata(signature, *values))).removeprefix("returns "), 16)

    def _sent(self, act: Act, sender: LocalAccount, tries: list[str]) -> list[Seen]:
        self.clock.now += 1
        to = to_checksum_address(act.to)
        receipts = [side.sent(sender, self.now, to=to, value=act.value, data=act.data) for side in self.sides]
        return [
            Seen(tried, receipt["status"], tuple(_log(one) for one in receipt["logs"]))
            for tried, receipt in zip(tries, receipts, strict=True)
        ]


PLAIN_GETTERS = (
    *("name()", "symbol()", "currency()", "version()", "decimals()", "totalSupply()", "DOMAIN_SEPARATOR()"),
    *("paused()", "owner()", "pauser()", "blacklister()", "masterMinter()"),
    *("TRANSFER_WITH_AUTHORIZATION_TYPEHASH()", "RECEIVE_WITH_AUTHORIZATION_TYPEHASH()"),
    *("CANCEL_AUTHORIZATION_TYPEHASH()", "PERMIT_TYPEHASH()"),
)
ADDRESS_GETTERS = (
    *("balanceOf(address)", "isBlacklisted(address)", "nonces(address)"),
    *("isMinter(address)", "minterAllowance(address)"),
)


def _signed(account: LocalAccount, nonce: int, changes: dict[str, Any]) -> bytes:
    """A transaction with room for everything here."""
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": nonce,
        "gas": GAS,
        "maxFeePerGas": GWEI,
        "maxPriorityFeePerGas": GWEI // 1000,
        "value": 0,
        "data": b"",
        **changes,
    }
    return bytes(account.sign_transaction(fields).raw_transaction)


def our_side(bench: Bench) -> Side:
    """The embedded chain, through the method table that HTTP uses."""

    def ask(method: str, *params: object) -> object:
        try:
            return bench.ask(method, *params)
        except RpcError as refusal:
            return NodeError(refusal.code, refusal.message, refusal.data)

    return Side(ask)


def their_side(node: Anvil) -> Side:
    """Anvil over HTTP."""

    def ask(method: str, *params: object) -> object:
        try:
            return node.ask(method, *params)
        except AnvilError as refusal:
            return NodeError(refusal.code, refusal.message, refusal.data)

    return Side(ask)


def set_stage(bench: Bench, node: Anvil) -> Twins:
    """People with ether and dollars, one of them blacklisted, one with code, and the wallets, alike on both sides."""
    twins = Twins(our_side(bench), their_side(node), bench.clock)
    for side in twins.sides:
        side.ask("evm_setAutomine", False)  # noqa: FBT003  the protocol's own flag
    twins.pass_time()
    for account in (*RICH, BLOCKED, DELEGATED):
        circle.fund(node, account.address, 10 * ETHER)
        twins.clock.now += 1
        twins.ours.sent(OWNER, twins.now, to=account.address, value=10 * ETHER)
        twins.do(OWNER, "mint(address,uint256)", account.address, BALANCE)
    for name, code in WALLETS.items():
        twins.wallets[name] = place(twins, bytes.fromhex(code))
        twins.do(OWNER, "mint(address,uint256)", twins.wallets[name], BALANCE)
    _delegate(twins, twins.wallets["says yes"])
    twins.do(OWNER, "blacklist(address)", BLOCKED.address)
    return twins


def place(twins: Twins, runtime: bytes) -> str:
    """Put a contract with this code on both chains, at the same address."""
    size = len(runtime).to_bytes(2, "big").hex()
    init = bytes.fromhex(f"61{size}600c5f3961{size}5ff3") + runtime
    twins.clock.now += 1
    placed = {str(side.sent(STRANGER, twins.now, data=init)["contractAddress"]).lower() for side in twins.sides}
    (address,) = placed
    return address


def _delegate(twins: Twins, to: str) -> None:
    nonce = 0
    consent = DELEGATED.sign_authorization(
        {"chainId": CHAIN_ID, "address": to_checksum_address(to), "nonce": nonce + 1}
    )
    twins.clock.now += 1
    for side in twins.sides:
        side.sent(DELEGATED, twins.now, type=4, to=DELEGATED.address, authorizationList=[consent])
        assert side.ask("eth_getCode", DELEGATED.address, "latest") == "0xef0100" + to[2:]


def without_dirt(revert_data: str) -> str:
    """Revert data with zeros behind a reason's text: Circle's compiler leaves there what the memory held before."""
    if not revert_data.startswith(ERROR_STRING):
        return revert_data
    start = len(ERROR_STRING) + 2 * 64
    text_chars = 2 * int(revert_data[start - 64 : start], 16)
    return revert_data[: start + text_chars].ljust(len(revert_data), "0")


def _log(log: dict[str, Any]) -> tuple[str, tuple[str, ...], str]:
    return log["address"].lower(), tuple(log["topics"]), log["data"]
