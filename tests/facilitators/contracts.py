"""Contracts that stand in for a payer's smart wallet and for its factory, compiled when a test wants them."""

from __future__ import annotations

from functools import cache

import vyper
from eth_utils.crypto import keccak

WALLET = """
# pragma version 0.4.3
owner: public(address)

@external
def hand_over(to: address):
    assert self.owner == empty(address) or self.owner == msg.sender, "not the owner"
    self.owner = to

@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[2048]) -> bytes4:
    r: uint256 = convert(slice(signature, 32, 32), uint256)
    s: uint256 = convert(slice(signature, 64, 32), uint256)
    v: uint256 = convert(slice(signature, 96, 1), uint256)
    assert ecrecover(digest, v, r, s) == self.owner
    return 0x1626ba7e
"""
FACTORY = """
# pragma version 0.4.3
interface Wallet:
    def hand_over(to: address): nonpayable

wallet: immutable(address)

@deploy
def __init__(_wallet: address):
    wallet = _wallet

@external
def create(owner: address) -> address:
    made: address = create_minimal_proxy_to(wallet, salt=convert(owner, bytes32))
    extcall Wallet(made).hand_over(owner)
    return made
"""


@cache
def code(source: str) -> bytes:
    return bytes.fromhex(vyper.compile_code(source)["bytecode"][2:])


def selector(signature: str) -> bytes:
    return bytes(keccak(text=signature)[:4])
