"""The methods that look things up: blocks, transactions, receipts, logs.

They answer null for what is unknown, as the protocol wants it, and must never answer with a block that was not sealed,
except to a caller who asks for the pending one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phoneagent.dev.chain import params, wire
from phoneagent.dev.chain.chain import Tag
from phoneagent.dev.chain.errors import invalid_params, refused
from phoneagent.dev.chain.records import LogQuery
from phoneagent.dev.chain.transactions import decode_mined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eth.abc import BlockHeaderAPI

    from phoneagent.dev.chain.chain import BlockSelector, EvmChain, View
    from phoneagent.dev.chain.params import Params
    from phoneagent.dev.chain.records import MinedTransaction
    from phoneagent.dev.chain.wire import Json


def block_by_number(chain: EvmChain, given: Params) -> Json | None:
    """eth_getBlockByNumber."""
    return _block(chain, given.block(0), is_full=given.flag(1))


def block_by_hash(chain: EvmChain, given: Params) -> Json | None:
    """eth_getBlockByHash."""
    return _block(chain, given.hash(0), is_full=given.flag(1))


def transaction_count_by_number(chain: EvmChain, given: Params) -> str | None:
    """eth_getBlockTransactionCountByNumber."""
    return _count(chain, given.block(0))


def transaction_count_by_hash(chain: EvmChain, given: Params) -> str | None:
    """eth_getBlockTransactionCountByHash."""
    return _count(chain, given.hash(0))


def block_receipts(chain: EvmChain, given: Params) -> list[Json] | None:
    """eth_getBlockReceipts."""
    view = chain.find(given.block(0))
    return None if view is None else [_receipt(chain, one, view.header) for one in _mined(chain, view)]


def transaction_by_hash(chain: EvmChain, given: Params) -> Json | None:
    """eth_getTransactionByHash."""
    wanted = given.hash(0)
    mined = chain.store.transaction(wanted)
    if mined is not None:
        return _transaction(mined, _header(chain, mined.block_number))
    waiting = chain.pool.get(wanted)
    return None if waiting is None else wire.transaction(waiting, waiting.sender)


def transaction_by_number_and_index(chain: EvmChain, given: Params) -> Json | None:
    """eth_getTransactionByBlockNumberAndIndex."""
    return _nth(chain, given.block(0), given.quantity(1))


def transaction_by_hash_and_index(chain: EvmChain, given: Params) -> Json | None:
    """eth_getTransactionByBlockHashAndIndex."""
    return _nth(chain, given.hash(0), given.quantity(1))


def receipt(chain: EvmChain, given: Params) -> Json | None:
    """eth_getTransactionReceipt."""
    mined = chain.store.transaction(given.hash(0))
    return None if mined is None else _receipt(chain, mined, _header(chain, mined.block_number))


def logs(chain: EvmChain, given: Params) -> list[Json]:
    """eth_getLogs."""
    query = _log_query(chain, given.required(0))
    if query is None:
        return []
    headers: dict[int, BlockHeaderAPI] = {}
    rendered: list[Json] = []
    for one in chain.store.logs(query):
        if one.block_number not in headers:
            headers[one.block_number] = _header(chain, one.block_number)
        rendered.append(wire.log(one, headers[one.block_number]))
    return rendered


def _block(chain: EvmChain, selector: BlockSelector, *, is_full: bool) -> Json | None:
    view = chain.find(selector)
    if view is None:
        return None
    mined = _mined(chain, view)
    shown: Sequence[str | Json] = [_transaction(one, view.header) if is_full else wire.data(one.hash) for one in mined]
    render = wire.block if view.pending is None else wire.pending_block
    return render(view.header, shown, sum(len(one.raw) for one in mined))


def _count(chain: EvmChain, selector: BlockSelector) -> str | None:
    view = chain.find(selector)
    return None if view is None else wire.quantity(len(_mined(chain, view)))


def _nth(chain: EvmChain, selector: BlockSelector, position: int) -> Json | None:
    view = chain.find(selector)
    mined = [] if view is None else _mined(chain, view)
    return _transaction(mined[position], view.header) if view is not None and position < len(mined) else None


def _mined(chain: EvmChain, view: View) -> Sequence[MinedTransaction]:
    if view.pending is not None:
        return view.pending.transactions
    return chain.store.transactions_of(view.header.block_number)


def _header(chain: EvmChain, number: int) -> BlockHeaderAPI:
    return chain.view(number).header


def _transaction(mined: MinedTransaction, header: BlockHeaderAPI) -> Json:
    return wire.mined_transaction(decode_mined(mined.raw), mined, header.hash)


def _receipt(chain: EvmChain, mined: MinedTransaction, header: BlockHeaderAPI) -> Json:
    return wire.receipt(decode_mined(mined.raw), mined, chain.store.logs_of(mined), header)


def _log_query(chain: EvmChain, wanted: object) -> LogQuery | None:
    """The query that is meant; None if it lies wholly beyond the newest block."""
    if not isinstance(wanted, dict):
        raise invalid_params("filter object expected")
    first, last = _range(chain, wanted)
    if first > chain.head.block_number:
        return None
    return LogQuery(
        first=first,
        last=min(last, chain.head.block_number),
        addresses=params.log_addresses(wanted.get("address")),
        topics=params.log_topics(wanted.get("topics")),
    )


def _range(chain: EvmChain, wanted: dict[str, object]) -> tuple[int, int]:
    if wanted.get("blockHash") is not None:
        if wanted.get("fromBlock") is not None or wanted.get("toBlock") is not None:
            raise invalid_params("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
        view = chain.find(params.octets(wanted["blockHash"], params.HASH_BYTES))
        if view is None:
            raise refused("unknown block")
        return view.header.block_number, view.header.block_number
    first, last = (_number(chain, params.block_selector(wanted.get(name))) for name in ("fromBlock", "toBlock"))
    if first > last:
        raise refused("invalid block range params")
    return first, last


def _number(chain: EvmChain, selector: BlockSelector) -> int:
    if isinstance(selector, int):
        return selector
    # Logs of waiting transactions do not exist yet, so "pending" ends at the newest block.
    return chain.view(Tag.LATEST if selector is Tag.PENDING else selector).header.block_number
