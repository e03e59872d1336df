"""The one error of the chain, worded and numbered as geth words and numbers it, because clients match on both.

It must never carry anything about this process: what is raised here goes to whoever called.
"""

from __future__ import annotations

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_ERROR = -32000
REVERTED = 3
"""geth's code for a reverted call; the revert data travels in `data`."""


class RpcError(Exception):
    """A JSON-RPC error object: `code`, `message` and, for a revert, `data` as 0x-hex."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, object]:
        """The member `error` of a JSON-RPC response."""
        return {"code": self.code, "message": self.message} | ({} if self.data is None else {"data": self.data})


def refused(message: str) -> RpcError:
    """The node understood and says no (-32000)."""
    return RpcError(SERVER_ERROR, message)


def invalid_params(message: str) -> RpcError:
    """The call itself is malformed (-32602)."""
    return RpcError(INVALID_PARAMS, message)
