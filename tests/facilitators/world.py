"""A payer, a shop, a relayer and the development chain between them, the chain behind a node on loopback HTTP.

Everything on chain is done by real transactions on the real token; nothing here is mocked.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from eth_account import Account
from web3 import Web3

from phoneagent.core.payment import Payment
from phoneagent.core.ports import Outbox
from phoneagent.dev.chain import DevChain, token_abi
from phoneagent.facilitators import LocalFacilitator, MemoryOutbox, Nodes, Relayer, Rpc, RpcChain
from phoneagent.facilitators.local.gas import FLOOR_WEI, MAX_FEE_WEI
from phoneagent.facilitators.rpc import as_int, as_object
from phoneagent.x402 import BASE
from tests.facilitators.meddling import MeddlingNode
from tests.facilitators.payments import (
    MULE,
    MULE_KEY,
    NOW_S,
    OWNER_KEY,
    PAYER,
    PAYER_KEY,
    PRICE,
    RELAYER,
    RELAYER_KEY,
    address,
)
from tests.facilitators.serving import served

ETHER = 10**18
USDC = BASE.usdc.token
TOKEN = Web3().eth.contract(Web3.to_checksum_address(USDC), abi=token_abi())


@dataclass
class Clock:
    """The development clock of one test: it stands still until it is moved."""

    chain: DevChain | None = None
    now: int = NOW_S

    def now_s(self) -> int:
        return self.now

    def now_ms(self) -> int:
        return self.now * 1000

    def monotonic_s(self) -> float:
        return float(self.now)

    async def advance(self, seconds: float) -> int:
        self.now += round(seconds)
        if self.chain is not None:
            await self.chain.tick()
        return self.now_ms()


@dataclass
class World:
    """Everything one test needs, ready: the payer has five dollars, payer, mule and relayer have ether."""

    chain: DevChain
    node: MeddlingNode
    clock: Clock
    http: httpx.AsyncClient
    node_url: str
    rpc: Rpc = field(init=False)

    def __post_init__(self) -> None:
        self.rpc = Rpc(self.http, self.node_url)

    def witness(self, *, confirmations: int = 1) -> RpcChain:
        return RpcChain(Nodes.only(self.rpc), confirmations=confirmations)

    async def local(
        self,
        *,
        key: bytes = RELAYER_KEY,
        receipt_wait_s: float = 4.0,
        node_timeout_s: float = 4.0,
        outbox: Outbox | None = None,
        node_urls: Sequence[str] = (),
        http: httpx.AsyncClient | None = None,
        max_fee_wei: int = MAX_FEE_WEI,
        floor_wei: int = FLOOR_WEI,
    ) -> LocalFacilitator:
        """Our relayer. A node that is meant to be silent deserves less patience."""
        urls = node_urls or (self.node_url,)
        nodes = Nodes([Rpc(http or self.http, url, timeout_s=node_timeout_s) for url in urls], self.clock.monotonic_s)
        keeps = outbox or MemoryOutbox("")
        now_s = self.clock.now_s
        relayer = await Relayer.open(key, BASE.usdc, lambda _: keeps, now_s, max_fee_wei=max_fee_wei)
        return LocalFacilitator(nodes, relayer, BASE.usdc, now_s, receipt_wait_s=receipt_wait_s, floor_wei=floor_wei)

    async def receipt(self, tx_hash: str | None) -> dict[str, Any]:
        return as_object(await self.rpc.read("eth_getTransactionReceipt", tx_hash))

    async def head(self) -> int:
        return as_int(await self.rpc.read("eth_blockNumber"))

    async def balance(self, owner: str) -> int:
        data = TOKEN.encode_abi("balanceOf", [checksum(owner)])
        return as_int(await self.rpc.read("eth_call", {"to": USDC, "data": data}, "latest"))

    async def nonce(self, owner: str, tag: str = "latest") -> int:
        """How many transactions of `owner` were mined, or with `pending` are mined or wait."""
        return as_int(await self.rpc.read("eth_getTransactionCount", owner, tag))

    async def blocks(self, count: int) -> None:
        for _ in range(count):
            await self.chain.mine()

    async def act(self, key: str | bytes, function: str, *arguments: object, nonce: int | None = None) -> str:
        """Send a transaction to the token, the function named by its signature; returns the transaction's hash."""
        unsigned = {
            "to": TOKEN.address,
            "data": TOKEN.get_function_by_signature(function)(*arguments)._encode_transaction_data(),
            "nonce": await self.nonce(address(key), "pending") if nonce is None else nonce,
            "gas": 300_000,
            "maxFeePerGas": 10**9,
            "maxPriorityFeePerGas": 10**8,
            "chainId": BASE.chain_id,
            "value": 0,
        }
        raw = Account.from_key(key).sign_transaction(unsigned).raw_transaction
        return str(await self.rpc.read("eth_sendRawTransaction", "0x" + raw.hex()))

    async def submit(self, payment: Payment, *, by: str | bytes = MULE_KEY) -> str:
        """Anybody may submit an authorization: so does `by`."""
        auth = payment.authorization
        return await self.act(
            by,
            "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
            checksum(auth.payer),
            checksum(auth.payee),
            auth.amount_atomic,
            auth.valid_after,
            auth.valid_before,
            bytes.fromhex(auth.nonce[2:]),
            bytes.fromhex(payment.signature[2:]),
        )

    async def cancel(self, payment: Payment) -> str:
        """The payer cancels its authorization, for which anybody may send the transaction."""
        nonce = bytes.fromhex(payment.authorization.nonce[2:])
        payer = checksum(payment.authorization.payer)
        made = Account.sign_typed_data(
            PAYER_KEY,
            domain_data={"name": "USD Coin", "version": "2", "chainId": 8453, "verifyingContract": TOKEN.address},
            message_types={
                "CancelAuthorization": [
                    {"name": "authorizer", "type": "address"},
                    {"name": "nonce", "type": "bytes32"},
                ]
            },
            message_data={"authorizer": payer, "nonce": nonce},
        )
        return await self.act(
            MULE_KEY, "cancelAuthorization(address,bytes32,bytes)", payer, nonce, bytes(made.signature)
        )

    async def drain(self) -> str:
        """The payer moves its dollars away."""
        return await self.act(PAYER_KEY, "transfer(address,uint256)", checksum(MULE), await self.balance(PAYER))


@contextlib.asynccontextmanager
async def opened_world() -> AsyncIterator[World]:
    clock = Clock()
    accounts = dict.fromkeys((PAYER, MULE, RELAYER), ETHER)
    chain = await DevChain.open(None, accounts=accounts, owner_key=OWNER_KEY, now_s=clock.now_s)
    clock.chain = chain
    node = MeddlingNode(chain.app)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(chain.aclose)
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        url = await stack.enter_async_context(served(node))
        await chain.mint(PAYER, 5 * PRICE)
        yield World(chain, node, clock, http, url)


def checksum(owner: str) -> str:
    return str(Web3.to_checksum_address(owner))
