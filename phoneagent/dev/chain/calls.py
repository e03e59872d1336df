"""Calls that are tried out and not sent: what is asked, what came of it, and the error it is answered with.

Pure values and wording; running them is the EVM's business.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth.exceptions import InvalidInstruction, OutOfGas, Revert, VMError

from phoneagent.dev.chain.errors import REVERTED, RpcError, refused

ERROR_STRING_SELECTOR = bytes.fromhex("08c379a0")
"""Selector of Solidity's `Error(string)`."""


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call to try; `to` None creates a contract, `gas` None means as much as the node gives."""

    sender: bytes
    to: bytes | None
    data: bytes
    value: int
    gas: int | None
    max_fee_per_gas: int


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What the call did: `gas_spent` is before refunds, `error` is None after success."""

    output: bytes
    gas_used: int
    gas_spent: int
    error: VMError | None

    def as_error(self) -> RpcError:
        """The error with which geth answers a call that failed."""
        if not isinstance(self.error, Revert):
            return refused(_halt_reason(self.error))
        reason = _reason(self.output)
        message = "execution reverted" if reason is None else f"execution reverted: {reason}"
        return RpcError(REVERTED, message, "0x" + self.output.hex())


def _reason(output: bytes) -> str | None:
    """The text in `Error(string)`, if that is what the revert data holds."""
    if output[:4] != ERROR_STRING_SELECTOR:
        return None
    length = int.from_bytes(output[36:68], "big")
    return output[68 : 68 + length].decode("utf-8", "replace")


def _halt_reason(error: VMError | None) -> str:
    match error:
        case OutOfGas():
            return "out of gas"
        case InvalidInstruction():
            return "invalid opcode"
        case _:
            return f"execution failed: {type(error).__name__}"
