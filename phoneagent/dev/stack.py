"""The development composition: an embedded store, the outside world beside it, and the settings that join them.

Everything listens on loopback and ends with this process; a data directory keeps it all across kill -9.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from phoneagent.dev import keys as dev_keys
from phoneagent.dev.chain import CHAIN_ID, USDC_ADDRESS
from phoneagent.dev.infra import TEXTVERIFIED_USERNAME, Addresses, Orders
from phoneagent.dev.keys import DevKeys, address_of
from phoneagent.dev.simulators.smsactivate import HANDLER_PATH
from phoneagent.dev.tether import spawn_tethered
from phoneagent.dev.valkey import EmbeddedValkey
from phoneagent.x402 import checksum_address

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
EMBEDDED = "phoneagent.dev.infra"
"""The module whose ``main`` is the outside world. Tests name another one, on another chain."""


class InfraError(RuntimeError):
    """The outside world did not start, or ended."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The running parts and what a client or another process needs to know of them."""

    redis_url: str
    addresses: Addresses
    keys: DevKeys
    child: Popen[bytes]

    def env(self) -> dict[str, str]:
        """Return the settings with which `serve`, `work` and `audit` join these parts. Limits are wide."""
        return {
            "PHONEAGENT_REDIS_URL": self.redis_url,
            "PHONEAGENT_RPC_URL": self.addresses.rpc_url,
            "PHONEAGENT_CHAIN_ID": str(CHAIN_ID),
            "PHONEAGENT_PAY_TO": self.keys.pay_to,
            "PHONEAGENT_FACILITATOR": "http",
            "PHONEAGENT_FACILITATOR_URL": self.addresses.facilitator_url,
            "PHONEAGENT_SMSFAST_API_KEY": self.keys.smsfast_api_key,
            "PHONEAGENT_SMSFAST_URL": self.addresses.simulators["smsactivate"] + HANDLER_PATH,
            "PHONEAGENT_HERO_API_KEY": self.keys.hero_api_key,
            "PHONEAGENT_HERO_URL": self.addresses.simulators["hero"] + HANDLER_PATH,
            "PHONEAGENT_TEXTVERIFIED_API_KEY": self.keys.textverified_api_key,
            "PHONEAGENT_TEXTVERIFIED_USERNAME": TEXTVERIFIED_USERNAME,
            "PHONEAGENT_TEXTVERIFIED_URL": self.addresses.simulators["textverified"],
            "PHONEAGENT_TOKEN_SECRET": self.keys.token_secret,
            "PHONEAGENT_MAX_OPEN_HOLDS": "500",
            "PHONEAGENT_MAX_OPEN_ATOMIC": str(10**12),
            "PHONEAGENT_MAX_CLAIMS_PER_HOUR": "100000",
            "PHONEAGENT_MAX_OPEN_HOLDS_PER_ADDRESS": "100000",
            "PHONEAGENT_MAX_OPEN_ATOMIC_PER_ADDRESS": str(10**12),
            "PHONEAGENT_MAX_CLAIMS_PER_HOUR_PER_ADDRESS": "1000000",
            "PHONEAGENT_SILENT_COOLDOWN_S": "0",
            "PHONEAGENT_REQUESTS_PER_S": "150",
            "PHONEAGENT_REQUESTS_BURST": "5000",
            "PHONEAGENT_FREE_REQUESTS_PER_S": "1000000",
            "PHONEAGENT_FREE_REQUESTS_BURST": "1000000",
            "PHONEAGENT_UNPROVEN_PER_MINUTE": "9000",
            "PHONEAGENT_MAX_WAITERS_PER_RENTAL": "8",
            "PHONEAGENT_MAX_WAITERS_PER_ADDRESS": "2500",
            "PHONEAGENT_POLL_ATTENDED_MS": "500",
            "PHONEAGENT_POLL_YOUNG_MS": "500",
            "PHONEAGENT_POLL_OLD_MS": "1000",
            "PHONEAGENT_SMSFAST_CALLS_PER_S": "100000",
            "PHONEAGENT_HERO_CALLS_PER_S": "100000",
            "PHONEAGENT_TEXTVERIFIED_CALLS_PER_S": "100000",
            "PHONEAGENT_REFRESH_S": "10",
            "PHONEAGENT_REGULATED_SERVICES": "pm",
            "PHONEAGENT_SANCTIONED_COUNTRIES": "BY",
            "PHONEAGENT_ABUSE_EMAIL": "abuse@phoneagent.example",
            "PHONEAGENT_BREAKER_OPEN_S": "2",
            # Whoever plays with dev leaves most rentals silent, and wants the next one where the last one was.
            "PHONEAGENT_DELIVERY_PRIOR": "1000000",
            "PHONEAGENT_DRY_S": "2",
            "PHONEAGENT_DEV_CLOCK": "1",
        }

    def announcement(self, base_url: str | None) -> dict[str, Any]:
        """Return what `phoneagent dev` prints; members of parts that are not built are null."""
        return {
            "base_url": base_url,
            "console_url": None,
            "admin_token": None,
            "redis_url": self.redis_url,
            "rpc_url": self.addresses.rpc_url,
            "chain_id": CHAIN_ID,
            "usdc": checksum_address(USDC_ADDRESS),
            "pay_to": self.keys.pay_to,
            "facilitator_url": self.addresses.facilitator_url,
            "simulators": self.addresses.simulators,
            "simulator_keys": {
                "smsactivate": self.keys.smsfast_api_key,
                "hero": self.keys.hero_api_key,
                "textverified": {
                    "api_key": self.keys.textverified_api_key,
                    "api_username": TEXTVERIFIED_USERNAME,
                },
            },
            "wallet": {"address": address_of(self.keys.wallet), "private_key": self.keys.wallet},
            "api_key": None,
            "test_api_key": None,
            "env": self.env(),
        }


@contextlib.asynccontextmanager
async def open_stack(data_dir: Path | None, infra: str = EMBEDDED) -> AsyncIterator[Stack]:
    """Start store and outside world; stop both in the end. Raises InfraError, ValkeyError."""
    with contextlib.ExitStack() as cleanup:
        home = data_dir or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="phoneagent-dev-")))
        home.mkdir(parents=True, exist_ok=True)
        keys = dev_keys.load_or_make(home)
        async with await EmbeddedValkey.start(home / "valkey") as valkey:
            child, addresses = await _start_infra(infra, Orders(valkey.url, keys, str(home) if data_dir else None))
            try:
                yield Stack(valkey.url, addresses, keys, child)
            finally:
                await asyncio.to_thread(_stop, child)


async def _start_infra(infra: str, orders: Orders) -> tuple[Popen[bytes], Addresses]:
    orders_read, orders_write = os.pipe()
    tell_read, tell_write = os.pipe()
    errors = os.dup(sys.stderr.fileno())
    fds = (orders_read, tell_write, errors)
    program = [sys.executable, "-m", infra, *map(str, fds)]
    child = spawn_tethered(program, pass_fds=fds)
    for fd in fds:
        os.close(fd)
    with os.fdopen(orders_write, "w") as pipe:
        json.dump(asdict(orders), pipe)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            text = await asyncio.to_thread(_read_all, tell_read)
    except TimeoutError:
        text = ""
    if not text:
        await asyncio.to_thread(_stop, child)
        raise InfraError("the development chain and simulators did not start; see the log above")
    return child, Addresses(**json.loads(text))


def _read_all(fd: int) -> str:
    with os.fdopen(fd) as pipe:
        return pipe.read()


def _stop(child: Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT_S)
    except TimeoutExpired:
        child.kill()
        child.wait()
