"""The chain's memory: one SQLite database, in a file or in memory, that holds blocks, logs and every state node.

A block is one transaction of the database, on disk before anybody hears of it; nothing must ever be changed or deleted,
so that kill -9 at any moment leaves the chain at the block that was announced last, or one further.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import rlp
from eth.db.backends.base import BaseDB
from eth.vm.forks.prague.blocks import PragueBlockHeader

from phoneagent.dev.chain.records import LogQuery, MinedLog, MinedTransaction, SealedBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from eth.abc import BlockHeaderAPI

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, header BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS transactions (
    hash BLOB PRIMARY KEY, block_number INTEGER NOT NULL, position INTEGER NOT NULL,
    sender BLOB NOT NULL, raw BLOB NOT NULL, is_success INTEGER NOT NULL,
    gas_used INTEGER NOT NULL, cumulative_gas_used INTEGER NOT NULL,
    effective_gas_price TEXT NOT NULL, bloom BLOB NOT NULL, created_address BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS transactions_by_place ON transactions (block_number, position);
CREATE TABLE IF NOT EXISTS logs (
    block_number INTEGER NOT NULL, log_index INTEGER NOT NULL, transaction_hash BLOB NOT NULL,
    transaction_position INTEGER NOT NULL, address BLOB NOT NULL,
    topic0 BLOB, topic1 BLOB, topic2 BLOB, topic3 BLOB, data BLOB NOT NULL, PRIMARY KEY (block_number, log_index)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nodes (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
DATABASE_NAME = "chain.sqlite3"
LOG_COLUMNS = (
    "block_number, log_index, transaction_hash, transaction_position, address, topic0, topic1, topic2, topic3, data"
)
BLOOM_BYTES = 256

TransactionRow = tuple[bytes, int, int, bytes, bytes, int, int, int, str, bytes, bytes | None]
LogRow = tuple[int, int, bytes, int, bytes, bytes | None, bytes | None, bytes | None, bytes | None, bytes]


class ChainInUseError(RuntimeError):
    """Another process has this data directory open."""


class ChainStore:
    """Blocks and state, append-only. Belongs to the thread that opened it."""

    def __init__(self, data_dir: Path | None) -> None:
        self._db = sqlite3.connect(_place(data_dir), isolation_level=None, timeout=0)
        try:
            self._prepare()
        except sqlite3.OperationalError as exc:
            self._db.close()
            if "locked" in str(exc):
                raise ChainInUseError(f"another process has the chain in {data_dir} open") from exc
            raise
        self.nodes = NodeTable(self._db)

    def _prepare(self) -> None:
        # One process owns the file; a second one is turned away instead of forking the chain.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")

    def close(self) -> None:
        """Flush and let go of the file."""
        self._db.close()

    # ------------------------------------------------------------------------------------------------------ writing

    def found(self, block: SealedBlock, owner: bytes) -> None:
        """Write the genesis block of an empty database, and whose token it holds."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT INTO meta VALUES ('owner', ?)", (owner,))
            self._insert(block)

    def append(self, block: SealedBlock) -> None:
        """Write the next block, all of it or nothing; it is durable when this returns."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._insert(block)

    def _insert(self, block: SealedBlock) -> None:
        header = block.header
        self._db.executemany("INSERT OR IGNORE INTO nodes VALUES (?, ?)", block.nodes.items())
        self._db.execute("INSERT INTO blocks VALUES (?, ?, ?)", (header.block_number, header.hash, rlp.encode(header)))
        rows = map(_transaction_row, block.transactions)
        self._db.executemany("INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._db.executemany("INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_log_row, block.logs))

    # ------------------------------------------------------------------------------------------------------ reading

    def owner(self) -> bytes | None:
        """The token owner this chain was founded with; None for an empty database."""
        row = self._db.execute("SELECT value FROM meta WHERE name = 'owner'").fetchone()
        return row[0] if row else None

    def head(self) -> BlockHeaderAPI:
        """The newest block's header; the database must not be empty."""
        row = self._db.execute("SELECT header FROM blocks ORDER BY number DESC LIMIT 1").fetchone()
        return _header(row[0])

    def header_by_number(self, number: int) -> BlockHeaderAPI | None:
        row = self._db.execute("SELECT header FROM blocks WHERE number = ?", (number,)).fetchone()
        return _header(row[0]) if row else None

    def header_by_hash(self, block_hash: bytes) -> BlockHeaderAPI | None:
        row = self._db.execute("SELECT header FROM blocks WHERE hash = ?", (block_hash,)).fetchone()
        return _header(row[0]) if row else None

    def hashes_before(self, number: int) -> Iterator[bytes]:
        """Hashes of the blocks below `number`, newest first."""
        # A generator: the EVM asks for it with every state and reads from it only when a contract uses BLOCKHASH.
        for row in self._db.execute("SELECT hash FROM blocks WHERE number < ? ORDER BY number DESC", (number,)):
            yield row[0]

    def transaction(self, transaction_hash: bytes) -> MinedTransaction | None:
        row = self._db.execute("SELECT * FROM transactions WHERE hash = ?", (transaction_hash,)).fetchone()
        return _transaction(row) if row else None

    def transactions_of(self, number: int) -> list[MinedTransaction]:
        """The block's transactions in order."""
        rows = self._db.execute("SELECT * FROM transactions WHERE block_number = ? ORDER BY position", (number,))
        return [_transaction(row) for row in rows]

    def logs_of(self, transaction: MinedTransaction) -> list[MinedLog]:
        """The transaction's logs in order."""
        rows = self._db.execute(
            f"SELECT {LOG_COLUMNS} FROM logs WHERE block_number = ? AND transaction_position = ? ORDER BY log_index",  # noqa: S608  constant text
            (transaction.block_number, transaction.position),
        )
        return [_log(row) for row in rows]

    def logs(self, query: LogQuery) -> list[MinedLog]:
        """All logs that match, in chain order."""
        conditions = ["block_number BETWEEN ? AND ?"]
        values: list[int | bytes] = [query.first, query.last]
        for column, wanted in _conditions(query):
            conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values += wanted
        rows = self._db.execute(
            f"SELECT {LOG_COLUMNS} FROM logs WHERE {' AND '.join(conditions)} ORDER BY block_number, log_index",  # noqa: S608  columns are ours, values are bound
            values,
        )
        # An extra position asks for a topic to be there, even one whose value does not matter.
        return [log for log in map(_log, rows) if len(log.topics) >= len(query.topics)]


class NodeTable(BaseDB):
    """State nodes and contract code by hash, read-only for the EVM: a block's nodes are written with the block."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __getitem__(self, key: bytes) -> bytes:
        row = self._db.execute("SELECT value FROM nodes WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

    def _exists(self, key: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM nodes WHERE key = ?", (key,)).fetchone() is not None

    def __setitem__(self, key: bytes, value: bytes) -> None:
        raise TypeError("state is written with its block")

    def __delitem__(self, key: bytes) -> None:
        raise TypeError("state is never deleted")


def _place(data_dir: Path | None) -> str:
    if data_dir is None:
        return ":memory:"
    data_dir.mkdir(parents=True, exist_ok=True)
    return str(data_dir / DATABASE_NAME)


def _header(encoded: bytes) -> BlockHeaderAPI:
    header: BlockHeaderAPI = rlp.decode(encoded, PragueBlockHeader)
    return header


def _conditions(query: LogQuery) -> Iterable[tuple[str, tuple[bytes, ...]]]:
    if query.addresses:
        yield "address", query.addresses
    for position, wanted in enumerate(query.topics):
        if wanted is not None:
            yield f"topic{position}", wanted


def _transaction_row(mined: MinedTransaction) -> tuple[object, ...]:
    return (
        mined.hash,
        mined.block_number,
        mined.position,
        mined.sender,
        mined.raw,
        mined.is_success,
        mined.gas_used,
        mined.cumulative_gas_used,
        str(mined.effective_gas_price),  # SQLite's integers end at 64 bits
        mined.bloom.to_bytes(BLOOM_BYTES, "big"),
        mined.created_address,
    )


def _transaction(row: TransactionRow) -> MinedTransaction:
    return MinedTransaction(
        hash=row[0],
        block_number=row[1],
        position=row[2],
        sender=row[3],
        raw=row[4],
        is_success=bool(row[5]),
        gas_used=row[6],
        cumulative_gas_used=row[7],
        effective_gas_price=int(row[8]),
        bloom=int.from_bytes(row[9], "big"),
        created_address=row[10],
    )


def _log_row(log: MinedLog) -> tuple[object, ...]:
    topics: list[bytes | None] = [*log.topics, None, None, None, None][:4]
    place = (log.block_number, log.log_index, log.transaction_hash, log.transaction_position)
    return (*place, log.address, *topics, log.data)


def _log(row: LogRow) -> MinedLog:
    return MinedLog(
        block_number=row[0],
        log_index=row[1],
        transaction_hash=row[2],
        transaction_position=row[3],
        address=row[4],
        topics=tuple(topic for topic in row[5:9] if topic is not None),
        data=row[9],
    )
