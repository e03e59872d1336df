"""The verbs of a running chain: mint, tick, the switches, and staying up with the clock by itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from phoneagent.dev.chain import USDC_ADDRESS, DevChain, node
from phoneagent.dev.chain.errors import RpcError
from phoneagent.dev.chain.rules import MAX_LAG_S
from tests.dev.chain.driver import DOLLAR, OWNER, PAYEE, PAYER, STRANGER, Clock, calldata, transaction
from tests.dev.chain.live_node import LiveNode


def dollars(live: LiveNode, address: str) -> float:
    data = "0x" + calldata("balanceOf(address)", address).hex()
    return int(live.ask("eth_call", {"to": USDC_ADDRESS, "data": data}), 16) / DOLLAR


def head(live: LiveNode) -> int:
    return int(live.ask("eth_blockNumber"), 16)


def test_importing_the_package_does_not_import_the_evm() -> None:
    code = "import sys, phoneagent.dev.chain; print('eth' in sys.modules)"

    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5)  # noqa: S603  our own command

    assert done.stdout.strip() == "False"


def test_minted_money_is_there_when_mint_returns(live: LiveNode) -> None:
    minted = live.do(live.chain.mint(PAYEE.address, 7 * DOLLAR))

    assert live.ask("eth_getTransactionReceipt", minted)["status"] == "0x1"
    assert dollars(live, PAYEE.address) == 7


def test_money_can_be_minted_while_mining_is_held(live: LiveNode) -> None:
    live.do(live.chain.set_automine(is_on=False))
    waiting = live.ask("eth_sendRawTransaction", "0x" + transaction(STRANGER, 0).hex())

    live.do(live.chain.mint(PAYEE.address, DOLLAR))

    assert dollars(live, PAYEE.address) == 1
    assert live.ask("eth_getTransactionReceipt", waiting) is None


def test_what_the_token_refuses_to_mint_is_an_error(live: LiveNode) -> None:
    with pytest.raises(RpcError, match="refused to mint 0"):
        live.do(live.chain.mint(PAYEE.address, 0))
    with pytest.raises(ValueError, match="not an address"):
        live.do(live.chain.mint("0x1234", 1))


def test_a_tick_seals_one_block_at_the_clocks_time(live: LiveNode) -> None:
    before = head(live)
    live.clock.now += 1500

    live.do(live.chain.tick())

    assert head(live) == before + 1
    assert int(live.ask("eth_getBlockByNumber", "latest")["timestamp"], 16) == live.clock.now


def test_the_switches_reach_the_chain(live: LiveNode) -> None:
    live.do(live.chain.set_automine(is_on=False))
    first, second = (live.ask("eth_sendRawTransaction", "0x" + transaction(STRANGER, nonce).hex()) for nonce in (0, 1))
    live.do(live.chain.set_next_base_fee(123_000_000))

    assert live.do(live.chain.drop_transaction(second)) is True
    live.do(live.chain.mine())

    assert live.ask("eth_getTransactionReceipt", first)["status"] == "0x1"
    assert live.ask("eth_getTransactionByHash", second) is None
    assert int(live.ask("eth_getBlockByNumber", "latest")["baseFeePerGas"], 16) == 123_000_000


async def test_an_idle_chain_seals_blocks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "LOOK_EVERY_S", 0.01)
    clock = Clock()
    sealed = asyncio.Event()
    chain = await DevChain.open(None, accounts={}, owner_key=bytes(OWNER.key), now_s=clock)
    loop = asyncio.get_running_loop()
    evm = chain._chain
    append = evm.store.append

    def seen(block: object) -> None:
        append(block)  # type: ignore[arg-type]  # a broken block is the point
        loop.call_soon_threadsafe(sealed.set)

    monkeypatch.setattr(evm.store, "append", seen)
    clock.now += MAX_LAG_S

    async with asyncio.timeout(5):
        await sealed.wait()

    assert await chain._run(lambda one: one.head.timestamp) == clock.now
    await chain.aclose()
    await chain.aclose()


async def test_a_turn_that_fails_does_not_stop_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "LOOK_EVERY_S", 0.01)
    chain = await DevChain.open(None, accounts={}, owner_key=bytes(OWNER.key), now_s=Clock())
    turns = asyncio.Queue[None]()
    loop = asyncio.get_running_loop()

    def broken() -> None:
        loop.call_soon_threadsafe(turns.put_nowait, None)
        raise OSError("disk full")

    monkeypatch.setattr(chain._chain, "keep_up", broken)

    async with asyncio.timeout(5):
        for _ in range(3):
            await turns.get()
    await chain.aclose()


async def test_an_address_that_is_none_stops_the_founding() -> None:
    with pytest.raises(ValueError, match="not an address"):
        await DevChain.open(None, accounts={PAYER.address[:-2]: 1}, owner_key=bytes(OWNER.key), now_s=Clock())
