"""Compiles `token.vy` into `token.json`: `python -m phoneagent.dev.chain.token_build`, with Vyper installed.

It must never run in the product: the artifact is committed, and a test compiles again and compares byte for byte.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("token.vy")
ARTIFACT = Path(__file__).with_name("token.json")

ABI_NAMES = {"sender": "from", "receiver": "to", "amount": "value"}
"""`from` and `value` are taken in Vyper; clients expect the names of the original."""

VRS = ("v", "r", "s")


def compile_token() -> dict[str, Any]:
    """The artifact as it must stand in `token.json`."""
    import vyper  # noqa: PLC0415  a development dependency, absent from an installed product

    outputs = vyper.compile_code(SOURCE.read_text(), output_formats=["abi", "bytecode", "bytecode_runtime", "layout"])
    return {
        "compiler": f"vyper {vyper.__long_version__}",
        "abi": _published_abi(outputs["abi"]),
        "bytecode": outputs["bytecode"],
        "bytecode_runtime": outputs["bytecode_runtime"],
        "slots": {name: entry["slot"] for name, entry in outputs["layout"]["storage_layout"].items()},
    }


def rendered() -> str:
    """The text of `token.json`."""
    return json.dumps(compile_token(), indent=1) + "\n"


def _published_abi(abi: list[dict[str, Any]]) -> list[dict[str, Any]]:
    entries = [_renamed(entry) for entry in abi if entry["type"] in {"function", "event"}]
    return entries + [_with_bytes_signature(entry) for entry in entries if _ends_in_vrs(entry)]


def _renamed(entry: dict[str, Any]) -> dict[str, Any]:
    # Mint's field is called `amount` in the original too.
    names = {} if entry["name"] == "Mint" else ABI_NAMES
    return entry | {"inputs": [{**one, "name": names.get(one["name"], one["name"])} for one in entry["inputs"]]}


def _ends_in_vrs(entry: dict[str, Any]) -> bool:
    return tuple(one["name"] for one in entry["inputs"])[-3:] == VRS


def _with_bytes_signature(entry: dict[str, Any]) -> dict[str, Any]:
    """The overload that `__default__` serves."""
    return entry | {"inputs": [*entry["inputs"][:-3], {"name": "signature", "type": "bytes"}]}


if __name__ == "__main__":
    ARTIFACT.write_text(rendered())
