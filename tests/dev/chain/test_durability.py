"""What was announced survives: closing, kill -9, and a second process that wants the same directory."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from phoneagent.dev.chain import USDC_ADDRESS, DevChain
from phoneagent.dev.chain.chain import EvmChain, Genesis
from phoneagent.dev.chain.store import ChainInUseError
from tests.dev.chain.driver import (
    DOLLAR,
    OWNER,
    PAYEE,
    PAYER,
    STRANGER,
    Bench,
    Clock,
    Json,
    calldata,
    transaction,
)

BOUND_S = 10

CHILD = """
import asyncio, socket, sys
from pathlib import Path
import uvicorn
from phoneagent.dev.chain import DevChain
from tests.dev.chain.driver import DOLLAR, ETHER, OWNER, PAYER, RICH, Clock

async def main():
    accounts = {one.address: 100 * ETHER for one in RICH}
    chain = await DevChain.open(Path(sys.argv[1]), accounts=accounts, owner_key=bytes(OWNER.key), now_s=Clock())
    await chain.mint(PAYER.address, 100 * DOLLAR)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    await uvicorn.Server(uvicorn.Config(chain.app, log_config=None, ws="none", lifespan="off")).serve([listener])

asyncio.run(main())
"""

QUESTIONS: list[tuple[str, list[Any]]] = [
    ("eth_blockNumber", []),
    ("eth_getBlockByNumber", ["latest", True]),
    ("eth_getBlockByNumber", ["0x0", False]),
    ("eth_getBalance", [STRANGER.address, "latest"]),
    ("eth_getBalance", [STRANGER.address, "0x2"]),
    ("eth_getTransactionCount", [PAYER.address, "pending"]),
    ("eth_getLogs", [{"fromBlock": "0x0"}]),
    ("eth_getBlockReceipts", ["latest"]),
    ("eth_call", [{"to": USDC_ADDRESS, "data": "0x" + calldata("balanceOf(address)", PAYEE.address).hex()}, "latest"]),
    ("eth_call", [{"to": USDC_ADDRESS, "data": "0x" + calldata("balanceOf(address)", PAYEE.address).hex()}, "0x2"]),
]


def payment(nonce: int) -> bytes:
    data = calldata("transfer(address,uint256)", PAYEE.address, DOLLAR)
    return transaction(PAYER, nonce, to=USDC_ADDRESS, gas=100_000, data=data, value=0)


def test_a_killed_chain_comes_back_as_it_was_announced(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  our own command
    assert child.stdout is not None
    with child, httpx.Client(timeout=BOUND_S) as client:
        url = f"http://127.0.0.1:{child.stdout.readline().strip()}"

        def ask(method: str, params: list[Any]) -> Json:
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            return client.post(url, json=request).json()["result"]

        sent = [ask("eth_sendRawTransaction", ["0x" + payment(nonce).hex()]) for nonce in range(5)]
        told = [ask(method, params) for method, params in QUESTIONS]
        told_receipts = [ask("eth_getTransactionReceipt", [one]) for one in sent]
        child.send_signal(signal.SIGKILL)
        child.wait(BOUND_S)

    bench = Bench(tmp_path)
    assert [bench.ask(method, *params) for method, params in QUESTIONS] == told
    assert [bench.ask("eth_getTransactionReceipt", one) for one in sent] == told_receipts
    assert bench.dollars(PAYEE) == 5
    assert bench.send(PAYER, calldata("transfer(address,uint256)", PAYEE.address, DOLLAR))["status"] == "0x1"
    assert bench.dollars(PAYEE) == 6
    bench.chain.close()


def test_a_reopened_chain_goes_on_from_its_last_block(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.submit(transaction(STRANGER, 0))
    newest = first.ask("eth_getBlockByNumber", "latest")
    first.chain.close()

    second = Bench(tmp_path)
    second.submit(transaction(STRANGER, 1))

    assert second.ask("eth_getBlockByNumber", "latest")["parentHash"] == newest["hash"]
    second.chain.close()


def test_accounts_named_later_do_not_change_an_existing_chain(tmp_path: Path) -> None:
    Bench(tmp_path).chain.close()
    late = Account.from_key(b"\x66" * 32)

    chain = EvmChain(tmp_path, Genesis({bytes.fromhex(late.address[2:]): 5}, bytes(OWNER.key)), Clock())

    assert chain.state(chain.view(0)).get_balance(bytes.fromhex(late.address[2:])) == 0  # type: ignore[arg-type]  # py-evm types an address as its own bytes
    chain.close()


def test_a_directory_has_one_process_at_a_time(tmp_path: Path) -> None:
    first = Bench(tmp_path)

    with pytest.raises(ChainInUseError, match="another process"):
        Bench(tmp_path)

    first.chain.close()
    Bench(tmp_path).chain.close()


async def test_a_directory_belongs_to_the_owner_who_founded_it(tmp_path: Path) -> None:
    Bench(tmp_path).chain.close()

    with pytest.raises(ValueError, match="another owner key"):
        await DevChain.open(tmp_path, accounts={}, owner_key=bytes(STRANGER.key), now_s=Clock())


def test_what_cannot_be_written_is_not_announced(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    before = bench.ask("eth_getBlockByNumber", "latest")
    bench.chain.store._db.execute("CREATE TRIGGER full BEFORE INSERT ON logs BEGIN SELECT RAISE(ABORT, 'full'); END")

    with pytest.raises(Exception, match="full"):
        bench.chain.mint(bytes.fromhex(PAYER.address[2:]), DOLLAR)

    assert bench.ask("eth_getBlockByNumber", "latest") == before
    assert bench.chain.store.head().hash.hex() == before["hash"][2:]
    bench.chain.store._db.execute("DROP TRIGGER full")
    bench.chain.mint(bytes.fromhex(PAYER.address[2:]), DOLLAR)
    assert bench.dollars(PAYER) == 1
    bench.chain.close()
