"""What three witnesses tell of every sale: the store, the chain and the provider, read side by side.

It reads the store through the service's own key table and codec; it must never write, and never ask a running service.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from redis.asyncio import Redis

from phoneagent.core.events import EventType, LedgerEntry, LedgerKind
from phoneagent.core.rental import Job, Rental
from phoneagent.facilitators import abi
from phoneagent.store import codec, keys

AskChain = Callable[..., Awaitable[Any]]
"""JSON-RPC: method and parameters in, result out."""

DUE_JOBS = tuple(Job)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that reached us on chain; ``nonce`` names the authorization right in front of it, if there is one."""

    tx_hash: str
    payer: str
    amount_atomic: int
    nonce: str | None


@dataclass(frozen=True, slots=True)
class SoldNumber:
    """What the provider says of one number it sold us."""

    activation_id: str
    status: str


@dataclass(slots=True)
class Memory:
    """What the store holds, of one payer or of all; ``strays`` says of activations how they ended, or "open"."""

    rentals: dict[str, Rental] = field(default_factory=dict)
    ledger: defaultdict[str, list[LedgerEntry]] = field(default_factory=lambda: defaultdict(list))
    events: defaultdict[str, list[EventType]] = field(default_factory=lambda: defaultdict(list))
    due: dict[Job, frozenset[str]] = field(default_factory=dict)
    claims: dict[str, str] = field(default_factory=dict)
    payers: dict[str, dict[str, str]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    strays: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Three witnesses."""

    memory: Memory
    transfers: Sequence[Transfer]
    numbers: Sequence[SoldNumber]


async def read_evidence(
    redis: Redis,
    ask: AskChain,
    *,
    token: str,
    pay_to: str,
    activations: Iterable[dict[str, Any]],
    payer: str | None = None,
    since_block: int = 0,
) -> Evidence:
    """Read the store through its own key table and codec, the chain's logs, and the provider's list."""
    return Evidence(
        await read_memory(redis, payer),
        await read_transfers(ask, token, pay_to, payer, since_block),
        [SoldNumber(row["activation_id"], row["status"]) for row in activations],
    )


async def read_memory(redis: Redis, payer: str | None = None) -> Memory:
    """Read every slot."""
    memory = Memory()
    for number in range(int(await redis.get(keys.SHARDS) or 1)):
        await _read_slot(redis, f"s{number:02d}", payer, memory)
    async for key in redis.scan_iter(match="*:activation:*", count=1000):
        owner = str(await redis.get(key))
        if owner in memory.rentals:
            memory.owners[str(key).rpartition(":")[2]] = owner
    async for key in redis.scan_iter(match="*:stray:*", count=1000):
        memory.strays[str(key).rpartition(":")[2]] = str(await redis.hget(key, "ended_as") or "open")
    return memory


async def _read_slot(redis: Redis, slot: str, payer: str | None, memory: Memory) -> None:
    prefix = keys.rental_prefix(slot)
    rental_keys = [key async for key in redis.scan_iter(match=f"{prefix}*", count=1000)]
    pipe = redis.pipeline(transaction=False)
    for key in rental_keys:
        pipe.hgetall(key)
    for fields in await pipe.execute():
        rental = codec.decode(fields)
        if payer in {None, rental.payment.authorization.payer}:
            memory.rentals[rental.id] = rental
    for _, row in cast("list[tuple[str, dict[str, str]]]", await redis.xrange(keys.ledger(slot))):
        _note_entry(json.loads(row["entry"]), memory)
    for _, row in cast("list[tuple[str, dict[str, str]]]", await redis.xrange(keys.events(slot))):
        told = json.loads(row["event"])
        if told["rental_id"] in memory.rentals:
            memory.events[told["rental_id"]].append(EventType(told["type"]))
    for job in DUE_JOBS:
        members = frozenset(str(member) for member in await redis.zrange(keys.due(slot, job), 0, -1))
        memory.due[job] = memory.due.get(job, frozenset()) | (members & memory.rentals.keys())
    await _read_accounts(redis, slot, memory)


async def _read_accounts(redis: Redis, slot: str, memory: Memory) -> None:
    for rental in memory.rentals.values():
        if keys.slot_of_rental(rental.id) != slot:
            continue
        address, claim_key = rental.payment.authorization.payer, rental.payment.claim_key
        memory.payers[address] = cast("dict[str, str]", await redis.hgetall(keys.payer(slot, address)))
        owner = await redis.get(keys.claim(slot, claim_key))
        if owner is not None:
            memory.claims[claim_key] = str(owner)


def _note_entry(told: dict[str, Any], memory: Memory) -> None:
    if told["rental_id"] in memory.rentals:
        entry = LedgerEntry(LedgerKind(told["kind"]), int(told["amount_atomic"]), told["at_ms"], told["reference"])
        memory.ledger[told["rental_id"]].append(entry)


async def read_transfers(ask: AskChain, token: str, pay_to: str, payer: str | None, since_block: int) -> list[Transfer]:
    """Read every transfer of the token to us, each with the authorization that moved it."""
    topics = [[abi.TRANSFER, abi.AUTHORIZATION_USED]]
    wanted = {"address": token, "topics": topics, "fromBlock": hex(since_block), "toBlock": "latest"}
    logs = {(log["transactionHash"], int(log["logIndex"], 16)): log for log in await ask("eth_getLogs", wanted)}
    ours = f"0x{abi.address_word(pay_to.lower())}"
    found = []
    for (tx_hash, index), log in logs.items():
        if log["topics"][0] != abi.TRANSFER or log["topics"][2].lower() != ours:
            continue
        sender = f"0x{log['topics'][1][-40:]}".lower()
        if payer in {None, sender}:
            nonce = _nonce_of(logs.get((tx_hash, index - 1)))
            found.append(Transfer(tx_hash.lower(), sender, int(log["data"], 16), nonce))
    return found


def _nonce_of(log: dict[str, Any] | None) -> str | None:
    is_used = log is not None and log["topics"][0] == abi.AUTHORIZATION_USED
    return log["topics"][2].lower() if log is not None and is_used else None
