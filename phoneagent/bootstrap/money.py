"""The money side of a process: nodes of the chain and facilitators, chosen by the settings and asked before the start.

It must never show an address or a key: they name the operator's accounts.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from redis.asyncio import Redis

from phoneagent.core.errors import PhoneAgentError, Unavailable
from phoneagent.core.ports import Clock, Facilitator
from phoneagent.facilitators import (
    CDP_URL,
    CdpSigner,
    FacilitatorList,
    HttpFacilitator,
    LocalFacilitator,
    Member,
    Nodes,
    Relayer,
    Rpc,
    RpcChain,
)
from phoneagent.settings import Settings
from phoneagent.store.assignments import RedisAssignments
from phoneagent.store.outbox import RedisOutbox
from phoneagent.store.scripts import Scripts
from phoneagent.x402 import V1, V2, network_of

logger = logging.getLogger(__name__)

VERSIONS = (V1, V2)
"""Of x402, in which we offer."""

_DIGEST_CHARS = 8


class MoneyRefused(Exception):
    """The settings name a money side that must not be used; the message says why, one reason a line."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the money side stands on. Each side has a client of its own: who hangs must not hold the other's sockets."""

    settings: Settings
    to_nodes: httpx.AsyncClient
    to_facilitators: httpx.AsyncClient
    clock: Clock
    redis: Redis
    scripts: Scripts
    shards: int


@dataclass(frozen=True, slots=True)
class Money:
    """Chain and facilitators of a process. ``relayer`` is our own, if it is one of them: its gas has to be watched."""

    chain: RpcChain
    facilitator: Facilitator
    relayer: LocalFacilitator | None


async def open_money(ground: Ground) -> Money:
    """Choose, connect and check. Who is away only earns a warning. Raises MoneyRefused for what is unfit."""
    settings = ground.settings
    nodes = Nodes([Rpc(ground.to_nodes, url) for url in settings.rpc_urls], ground.clock.monotonic_s)
    chain = RpcChain(nodes, confirmations=settings.confirmations, factories=settings.factories)
    members = [member for kind in settings.facilitators for member in await _members(kind, ground, nodes)]
    refusals = [*await _faults_of_nodes(nodes, settings), *await _faults_of_facilitators(members, settings)]
    if refusals:
        raise MoneyRefused("\n".join(refusals))
    relayer = next((one.facilitator for one in members if isinstance(one.facilitator, LocalFacilitator)), None)
    if relayer is not None:
        await _look_at_gas(relayer)
    return Money(chain, _together(members, chain, ground), relayer)


def _together(members: Sequence[Member], chain: RpcChain, ground: Ground) -> Facilitator:
    if len(members) == 1:
        return members[0].facilitator
    assignments = RedisAssignments(ground.scripts, ground.shards)
    return FacilitatorList(members, assignments, chain, ground.clock.monotonic_s)


async def _members(kind: str, ground: Ground, nodes: Nodes) -> list[Member]:
    settings, http = ground.settings, ground.to_facilitators
    if kind == "local":
        return [Member("local", await _local(ground, nodes))]
    if kind == "cdp":
        signed = HttpFacilitator(http, settings.cdp_url or CDP_URL, auth_headers=_cdp_signer(settings, ground.clock))
        return [Member("cdp", signed)]
    return [Member(_name_of(url), HttpFacilitator(http, url)) for url in settings.facilitator_urls]


def _cdp_signer(settings: Settings, clock: Clock) -> CdpSigner:
    secret = settings.cdp_api_key_secret.get_secret_value() if settings.cdp_api_key_secret else ""
    try:
        # CDP judges by real time, also where dev time is ahead of it.
        return CdpSigner(settings.cdp_api_key_id or "", secret, lambda: clock.now_ms() // 1000 - clock.lag_s())
    except ValueError as exc:
        raise MoneyRefused(f"PHONEAGENT_CDP_API_KEY_SECRET: {exc}") from None


async def _local(ground: Ground, nodes: Nodes) -> LocalFacilitator:
    settings, clock = ground.settings, ground.clock
    secret = settings.relayer_private_key.get_secret_value() if settings.relayer_private_key else ""
    domain = network_of(settings.chain_id).usdc

    def now_s() -> int:
        return clock.now_ms() // 1000

    relayer = await Relayer.open(
        bytes.fromhex(secret.removeprefix("0x")),
        domain,
        lambda address: RedisOutbox(ground.redis, ground.scripts, address),
        now_s,
        max_fee_wei=settings.relayer_max_fee_wei,
    )
    return LocalFacilitator(nodes, relayer, domain, now_s, floor_wei=settings.relayer_floor_wei)


def _name_of(url: str) -> str:
    """Return a name that tells facilitators apart, the same after every restart, and gives no path away."""
    return f"{urlsplit(url).hostname}-{hashlib.sha256(url.encode()).hexdigest()[:_DIGEST_CHARS]}"


# ---- checks ----------------------------------------------------------------------------------------------------------


async def _faults_of_nodes(nodes: Nodes, settings: Settings) -> list[str]:
    """Say which node is on a wrong chain or shows another token; each is asked by itself."""
    found = await asyncio.gather(*(_fault_of_node(rpc, settings) for rpc in nodes.all))
    return [fault for fault in found if fault is not None]


async def _fault_of_node(rpc: Rpc, settings: Settings) -> str | None:
    node = RpcChain(Nodes.only(rpc))
    try:
        chain_id = await node.chain_id()
        is_our_token = await node.judges_by(network_of(settings.chain_id).usdc)
    except PhoneAgentError as exc:
        logger.warning("the chain was not checked", extra={"code": exc.code})
        return None
    if chain_id != settings.chain_id:
        return f"PHONEAGENT_RPC_URL answers for chain {chain_id}, not {settings.chain_id}"
    return None if is_our_token else "the token at the USDC address signs under another EIP-712 domain"


async def _faults_of_facilitators(members: Sequence[Member], settings: Settings) -> list[str]:
    """Say which facilitator would settle nothing that we offer."""
    found = await asyncio.gather(*(_fault_of_facilitator(member, settings) for member in members))
    return [fault for fault in found if fault is not None]


async def _fault_of_facilitator(member: Member, settings: Settings) -> str | None:
    if not isinstance(member.facilitator, HttpFacilitator):
        return None
    network = network_of(settings.chain_id)
    try:
        support = await member.facilitator.supported()
    except Unavailable as exc:
        logger.warning("a facilitator was not checked", extra={"facilitator": member.name, "reason": exc.detail})
        return None
    lacking = support.lacks(network)
    if len(lacking) == len(VERSIONS):
        return f"facilitator {member.name} does not settle exact payments on {network.caip2}"
    for version in lacking:
        logger.warning(
            "a facilitator does not settle one version of x402",
            extra={"facilitator": member.name, "reason": f"version {version}"},
        )
    return None


async def _look_at_gas(relayer: LocalFacilitator) -> None:
    try:
        await relayer.tank()
    except Unavailable as exc:
        logger.warning("the relayer's gas was not read", extra={"code": exc.code})
