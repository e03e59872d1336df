"""Circle's FiatTokenV2_2 behind Circle's proxy, put onto a node at Base's USDC address and made ready to use.

The compiled code comes from npm at test time and must never be committed.
"""

from __future__ import annotations

import json
import time
from typing import Any

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from phoneagent.dev.chain import USDC_ADDRESS
from tests.anvil.node import CHAIN_ID, Anvil
from tests.anvil.packages import CIRCLE

SIGNATURE_CHECKER = "0x00000000000000000000000000000000000051c0"
IMPLEMENTATION = "0x2ce6311ddae708829bc0784c967b7d77d19fd779"
"""FiatTokenV2_2 on Base, although any address would do."""

PROXY_ADMIN = "0x000000000000000000000000000000000000a11c"
LOST_AND_FOUND = "0x000000000000000000000000000000000000dEaD"
IMPLEMENTATION_SLOT = "0x" + keccak(text="org.zeppelinos.proxy.implementation").hex()
ADMIN_SLOT = "0x" + keccak(text="org.zeppelinos.proxy.admin").hex()

ETHER = 10**18
GAS = 3_000_000
MAX_FEE_WEI = 10**10
MINED_MOST_S = 5.0
LOOK_S = 0.005
UNLIMITED = 2**256 - 1


def artifact(path: str) -> dict[str, Any]:
    """Return a compiled contract, named as in the package: ``v2/FiatTokenV2_2``."""
    name = path.rpartition("/")[2]
    return json.loads((CIRCLE / f"{path}.sol" / f"{name}.json").read_text())  # type: ignore[no-any-return]  # foreign JSON


def deploy(node: Anvil, owner: LocalAccount) -> None:
    """Put proxy, implementation and library in place and initialise them; ``owner`` holds every role and may mint."""
    node.ask("anvil_setCode", SIGNATURE_CHECKER, artifact("util/SignatureChecker")["deployedBytecode"])
    node.ask("anvil_setCode", IMPLEMENTATION, _linked(artifact("v2/FiatTokenV2_2")))
    node.ask("anvil_setCode", USDC_ADDRESS, artifact("v1/FiatTokenProxy")["deployedBytecode"])
    node.ask("anvil_setStorageAt", USDC_ADDRESS, IMPLEMENTATION_SLOT, _word(IMPLEMENTATION))
    node.ask("anvil_setStorageAt", USDC_ADDRESS, ADMIN_SLOT, _word(PROXY_ADMIN))
    fund(node, owner.address, 1_000 * ETHER)
    roles = (owner.address,) * 4
    text, address = "string", "address"
    initialize = (text, text, text, "uint8", *(address,) * 4)
    for data in (
        _call("initialize", initialize, "USD Coin", "USDC", "USD", 6, *roles),
        _call("initializeV2", (text,), "USD Coin"),
        _call("initializeV2_1", (address,), LOST_AND_FOUND),
        _call("initializeV2_2", ("address[]", text), [], "USDC"),
        _call("updateRescuer", (address,), owner.address),
        _call("configureMinter", (address, "uint256"), owner.address, UNLIMITED),
    ):
        transact(node, owner, data)


def mint(node: Anvil, owner: LocalAccount, to: str, amount_atomic: int) -> None:
    """Create USDC for an address."""
    transact(node, owner, _call("mint", ("address", "uint256"), to, amount_atomic))


def fund(node: Anvil, address: str, wei: int) -> None:
    """Give an address this much ether."""
    node.ask("anvil_setBalance", address, hex(wei))


def transact(node: Anvil, sender: LocalAccount, data: bytes) -> None:
    """Send a call of the token in a signed transaction and wait until it is mined. AssertionError if it reverts."""
    transaction: dict[str, Any] = {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": int(node.ask("eth_getTransactionCount", sender.address, "pending"), 16),
        "gas": GAS,
        "maxFeePerGas": MAX_FEE_WEI,
        "maxPriorityFeePerGas": 1,
        "to": to_checksum_address(USDC_ADDRESS),
        "value": 0,
        "data": data,
    }
    raw = sender.sign_transaction(transaction).raw_transaction
    receipt = await_receipt(node, node.ask("eth_sendRawTransaction", "0x" + raw.hex()))
    assert receipt["status"] == "0x1", f"the token refused {data[:4].hex()}"


def await_receipt(node: Anvil, transaction_hash: str) -> dict[str, Any]:
    """Return the receipt: a node may answer before it has it."""
    until = time.monotonic() + MINED_MOST_S
    while time.monotonic() < until:
        if (receipt := node.ask("eth_getTransactionReceipt", transaction_hash)) is not None:
            return dict(receipt)
        time.sleep(LOOK_S)
    raise TimeoutError(f"{transaction_hash} was not mined")


def _linked(compiled: dict[str, Any]) -> str:
    code: str = compiled["deployedBytecode"]
    sites = compiled["deployedLinkReferences"]["contracts/util/SignatureChecker.sol"]["SignatureChecker"]
    for site in sites:
        start, end = 2 + 2 * site["start"], 2 + 2 * (site["start"] + site["length"])
        code = code[:start] + SIGNATURE_CHECKER[2:] + code[end:]
    return code


def _call(name: str, types: tuple[str, ...], *values: object) -> bytes:
    return keccak(text=f"{name}({','.join(types)})")[:4] + encode(types, values)


def _word(address: str) -> str:
    return "0x" + address[2:].rjust(64, "0")
