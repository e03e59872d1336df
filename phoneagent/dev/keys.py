"""The development keys: made once, kept in the data directory, worthless anywhere else.

They must never be used outside the embedded chain.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from eth_account import Account


@dataclass(frozen=True, slots=True)
class DevKeys:
    """Private keys as 0x hex, and the secrets of the parts."""

    owner: str
    relayer: str
    wallet: str
    pay_to: str
    smsfast_api_key: str
    hero_api_key: str
    textverified_api_key: str
    token_secret: str


def load_or_make(data_dir: Path | None) -> DevKeys:
    """Return the keys of a data directory, each made at its first use; fresh ones without a directory."""
    path = data_dir / "keys.json" if data_dir is not None else None
    kept = json.loads(path.read_text()) if path is not None and path.exists() else {}
    keys = replace(_made(), **kept)
    if path is not None and asdict(keys) != kept:
        _write(path, json.dumps(asdict(keys), indent=1))
    return keys


def _made() -> DevKeys:
    return DevKeys(
        owner=_private_key(),
        relayer=_private_key(),
        wallet=_private_key(),
        pay_to=address_of(_private_key()),
        smsfast_api_key=secrets.token_hex(16),
        hero_api_key=secrets.token_hex(16),
        textverified_api_key=secrets.token_urlsafe(32),
        token_secret=secrets.token_urlsafe(32),
    )


def address_of(private_key: str) -> str:
    """Return the checksummed address of a private key."""
    return str(Account.from_key(private_key).address)


def _private_key() -> str:
    return "0x" + secrets.token_bytes(32).hex()


def _write(path: Path, text: str) -> None:
    scratch = path.with_suffix(".new")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
