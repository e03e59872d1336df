"""Two calls in one simulation, without any contract for it: first one that may fail, then one whose word counts.

The pair is the creation code of a contract that is never created: an `eth_call` without a recipient runs it. It must
never be sent as a transaction.
"""

from __future__ import annotations

_PUSH1_0 = "6000"
_PUSH4, _PUSH20 = "63", "73"
_CODECOPY, _CALL, _POP, _GAS = "39", "f1", "50", "5a"
_ZEROS_THEN = _PUSH1_0 * 2

_END = "57" + "3d" + _PUSH1_0 * 2 + "3e" + "3d" + _PUSH1_0 + "fd" + "5b" + "00"
"""Jump if the second call went well; else revert with its own words; a jump target that stops."""


def first_then(first: tuple[str, bytes], then: tuple[str, bytes]) -> str:
    """Return data for an ``eth_call`` without ``to``: each call is a recipient (0x hex) and its calldata.

    What the first does is seen by the second. The whole reverts, with its reason, exactly if the second does.
    """
    end = "60{:02x}" + _END
    sizes = [len(_call(target, 0, len(data))) // 2 for target, data in (first, then)]
    code_size = sizes[0] + 1 + sizes[1] + 2 + len(_END) // 2
    jump_to = code_size - 2
    code = _call(first[0], code_size, len(first[1])) + _POP
    code += _call(then[0], code_size + len(first[1]), len(then[1]))
    return f"0x{code}{end.format(jump_to)}{first[1].hex()}{then[1].hex()}"


def _call(target: str, offset: int, size: int) -> str:
    """Copy calldata out of our own code to memory 0 and call with it; leaves 1 or 0 on the stack."""
    copied = f"{_PUSH4}{size:08x}{_PUSH4}{offset:08x}{_PUSH1_0}{_CODECOPY}"
    called = f"{_ZEROS_THEN}{_PUSH4}{size:08x}{_ZEROS_THEN}{_PUSH20}{target[2:]}{_GAS}{_CALL}"
    return copied + called
