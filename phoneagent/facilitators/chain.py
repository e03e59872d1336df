"""The chain as a witness: what a payer holds right now, and whether an authorization was settled or never can be.

It must never mix blocks within one reading, and never take a missing log for a missing payment.
"""

from __future__ import annotations

from phoneagent.core.payment import Payment
from phoneagent.core.ports import Dead, DeadReason, Paid, PayerReading, SettlementProof, Undecided
from phoneagent.facilitators import abi, reasons
from phoneagent.facilitators.deployless import first_then
from phoneagent.facilitators.nodes import Nodes, NotHere
from phoneagent.facilitators.proofs import ENDINGS, Log, ending_of, judge, parse_logs
from phoneagent.facilitators.rpc import Call, NodeError, Rpc, as_bytes, as_int, as_object, as_word, understood
from phoneagent.x402.eip3009 import Domain
from phoneagent.x402.erc6492 import Wrapped, unwrap

SIMULATION_GAS = 500_000
"""Gas for the simulated transfer: what x402's reference facilitators send with, and a bound on what a wallet contract
may burn (x402.md §5, chain.md §4)."""

LOG_CHUNK_BLOCKS = 1_000
"""Widest eth_getLogs range to begin with (chain.md §5). A node that takes less refuses, and is asked for less."""

LEAST_CHUNK_BLOCKS = 5
"""The narrowest range that a free plan of a public node allows; a node that refuses it too is away."""

_NARROWER = 4

DEPLOYMENT_GAS = 1_000_000
"""Gas for a simulated transfer that deploys the payer's wallet first: 290,000 measured for Coinbase's (chain.md §4)."""

REORG_MARGIN_BLOCKS = 64
"""How far before the claim's block the search begins: a reorganisation may have moved the payment there."""


class RpcChain:
    """The Chain port over nodes. ``confirmations`` 1 means that the newest block counts."""

    def __init__(
        self,
        nodes: Nodes,
        *,
        confirmations: int = 1,
        log_chunk_blocks: int = LOG_CHUNK_BLOCKS,
        factories: frozenset[str] = frozenset(),
    ) -> None:
        """Raise ValueError for a depth that would count blocks that do not exist yet.

        ``factories`` may deploy the wallet of a payer that has none yet (ERC-6492), in lower case; others may not.
        """
        if confirmations < 1:
            raise ValueError("confirmations must be 1 or more")
        self._nodes = nodes
        self._behind = confirmations - 1
        self._chunk = log_chunk_blocks
        self._narrow: dict[Rpc, int] = {}
        """The widest range that a node is known to take, where that is not all we want."""
        self._factories = factories

    async def read_payer(self, payment: Payment) -> PayerReading:
        return await self._nodes.attempt(lambda rpc: self._read_payer(rpc, payment))

    async def find_settlement(self, payment: Payment, from_block: int, hint: str | None = None) -> SettlementProof:
        """See the port. A node without the log of a used authorization is no proof: the others are asked too."""
        try:
            return await self._nodes.attempt(lambda rpc: self._find_settlement(rpc, payment, from_block, hint))
        except NotHere:
            return Undecided(is_used=True)

    async def head(self) -> int:
        """Return the newest block's number."""
        return await self._nodes.attempt(_head)

    async def chain_id(self) -> int:
        """Return the id of the chain the node is on."""
        return as_int(await self._nodes.attempt(lambda rpc: rpc.read("eth_chainId")))

    async def judges_by(self, domain: Domain) -> bool:
        """Tell whether the token's DOMAIN_SEPARATOR() is the domain's: else no signature we accept can be settled."""
        wanted = {"to": domain.token, "data": abi.domain_separator()}
        answer = await self._nodes.attempt(lambda rpc: rpc.read("eth_call", wanted, "latest"))
        return as_bytes(answer) == domain.separator

    async def _read_payer(self, rpc: Rpc, payment: Payment) -> PayerReading:
        block = await _head(rpc)
        auth = payment.authorization
        transfer = abi.transfer_with_authorization(auth, payment.signature)
        calls = [
            _call(payment.token, abi.balance_of(auth.payer), block),
            _call(payment.token, abi.authorization_state(auth.payer, auth.nonce), block),
            _call(payment.token, transfer, block, gas=SIMULATION_GAS),
            Call("eth_getCode", (auth.payer, hex(block))),
        ]
        wrapped = self._deployable(payment)
        if wrapped is not None:
            calls.append(_deploying(payment.token, transfer, wrapped, block))
        balance, used, simulated, code, *deploying = await rpc.batch(calls)
        has_code = as_bytes(code) != b""
        refusal = refusal_in(simulated if has_code or wrapped is None else deploying[0])
        return PayerReading(
            block=block,
            balance_atomic=as_word(balance),
            is_authorization_used=as_word(used) != 0,
            payer_has_code=has_code or wrapped is not None,
            refusal=refusal,
            refusal_is_payers=refusal is not None and reasons.blames_payer(refusal),
        )

    async def _find_settlement(self, rpc: Rpc, payment: Payment, from_block: int, hint: str | None) -> SettlementProof:
        newest = await _head(rpc)
        block = max(newest - self._behind, 0)
        is_used_now, is_used, time_s = await _nonce_state(rpc, payment, newest, block)
        if is_used:
            hinted = None if hint is None else await _proof_in_receipt(rpc, payment, hint, block)
            return hinted or await self._proof_in_logs(rpc, payment, max(from_block - REORG_MARGIN_BLOCKS, 0), block)
        if time_s > payment.authorization.valid_before:
            return Dead(DeadReason.EXPIRED, block)
        return Undecided(is_used_now)

    def _deployable(self, payment: Payment) -> Wrapped | None:
        """Return the deployment that a signature asks for, if its factory is one that the operator allows."""
        wrapped = unwrap(payment.signature)
        return wrapped if wrapped is not None and wrapped.factory in self._factories else None

    async def _proof_in_logs(self, rpc: Rpc, payment: Payment, first: int, last: int) -> SettlementProof:
        ending = await self._find_ending(rpc, payment, first, last)
        if ending is None:
            raise NotHere("the node has no log of a used authorization")
        receipt = await rpc.read("eth_getTransactionReceipt", ending.tx_hash)
        logs = parse_logs(as_object(receipt).get("logs")) if receipt is not None else []
        proof = judge(payment, ending, logs)
        if proof is None:
            raise NotHere("the node has no receipt of a transaction that it logged")
        return proof

    async def _find_ending(self, rpc: Rpc, payment: Payment, first: int, last: int) -> Log | None:
        """Search from the newest block back, since what is looked for mostly happened a moment ago."""
        width, end = self._narrow.get(rpc, self._chunk), last
        while end >= first:
            start = max(end - width + 1, first)
            answer = await rpc.ask("eth_getLogs", _endings_between(payment, start, end))
            if isinstance(answer, NodeError) and width > LEAST_CHUNK_BLOCKS:
                width = max(width // _NARROWER, LEAST_CHUNK_BLOCKS)
                continue
            logs = parse_logs(understood(answer))
            if width < self._chunk:
                self._narrow[rpc] = width
            ending = ending_of(payment, (log for log in logs if start <= log.block <= end))
            if ending is not None:
                return ending
            end = start - 1
        return None


async def _proof_in_receipt(rpc: Rpc, payment: Payment, tx_hash: str, last: int) -> Paid | Dead | None:
    """Return what the transaction that we were told of proves, None when it is another one or not deep enough."""
    receipt = await rpc.read("eth_getTransactionReceipt", tx_hash)
    logs = parse_logs(as_object(receipt).get("logs")) if receipt is not None else []
    ending = ending_of(payment, (log for log in logs if log.block <= last))
    return None if ending is None else judge(payment, ending, logs)


async def _head(rpc: Rpc) -> int:
    return as_int(await rpc.read("eth_blockNumber"))


async def _nonce_state(rpc: Rpc, payment: Payment, newest: int, block: int) -> tuple[bool, bool, int]:
    auth = payment.authorization
    state = abi.authorization_state(auth.payer, auth.nonce)
    now, then, header = await rpc.batch(
        [
            _call(payment.token, state, newest),
            _call(payment.token, state, block),
            Call("eth_getBlockByNumber", (hex(block), False)),
        ]
    )
    return as_word(now) != 0, as_word(then) != 0, as_int(as_object(header).get("timestamp"))


def refusal_in(simulated: object) -> str | None:
    """Return why a simulated call was refused, None if it went through; raises ChainAway if that is not known."""
    reason = simulated.revert_reason if isinstance(simulated, NodeError) else None
    if reason is None:
        understood(simulated)
    return reason


def _call(token: str, data: str, block: int, *, gas: int | None = None) -> Call:
    request = {"to": token, "data": data} if gas is None else {"to": token, "data": data, "gas": hex(gas)}
    return Call("eth_call", (request, hex(block)))


def _deploying(token: str, transfer: str, wrapped: Wrapped, block: int) -> Call:
    """Simulate the transfer right behind the call that deploys the wallet."""
    both = first_then((wrapped.factory, wrapped.factory_calldata), (token, bytes.fromhex(transfer[2:])))
    return Call("eth_call", ({"data": both, "gas": hex(DEPLOYMENT_GAS)}, hex(block)))


def _endings_between(payment: Payment, start: int, end: int) -> dict[str, object]:
    auth = payment.authorization
    topics = [list(ENDINGS), f"0x{abi.address_word(auth.payer)}", auth.nonce]
    return {"address": payment.token, "topics": topics, "fromBlock": hex(start), "toBlock": hex(end)}
