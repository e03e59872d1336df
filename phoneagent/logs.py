"""Logging: one JSON line per event on standard error, with allow-listed fields only.

Codes, numbers, tokens, keys, signatures and URLs with queries must never reach a log: an unlisted field is dropped.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

FIELDS = frozenset(
    {
        "activation_id",
        "attempts",
        "base_fee_wei",
        "bids",
        "by",
        "code",
        "cost_atomic",
        "detail",
        "end",
        "facilitator",
        "job",
        "loops",
        "max_cost_atomic",
        "method",
        "node",
        "order",
        "owner",
        "port",
        "problem",
        "provider",
        "raw",
        "reason",
        "relayer",
        "rental_id",
        "said",
        "setting",
        "state",
        "switch",
        "tx_hash",
        "verb",
        "wei",
    }
)

QUIETED = ("httpx", "httpcore", "uvicorn.access")
"""Libraries that log URLs, and with them keys and tokens: only their warnings are written."""


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, message and the allowed fields; a traceback where there is one."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line.update({name: value for name, value in vars(record).items() if name in FIELDS})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up(level: str = "INFO") -> None:
    """Send every logger's lines to standard error; quiet the libraries that log URLs.

    Raises ValueError for a level that is not one of LEVELS.
    """
    if level not in LEVELS:
        raise ValueError(f"no such level: {level}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIETED:
        logging.getLogger(name).setLevel(logging.WARNING)
