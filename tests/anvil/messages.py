"""The four signed messages of the token, and every way to spoil one: field by field, before and after it is signed.

Everything comes as an `Act`; which of them succeed is for the tokens to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from phoneagent.dev.chain import USDC_ADDRESS
from tests.anvil.twins import BLOCKED, DELEGATED, Act, Twins
from tests.dev.chain.driver import (
    AUTHORIZATION,
    CURVE_ORDER,
    DOLLAR,
    DOMAIN,
    FAR_S,
    PAYEE,
    PAYER,
    RELAYER,
    STRANGER,
    TYPES,
    selector,
)

ZERO = "0x" + "00" * 20
ONES = "0x" + "ff" * 20
PRECOMPILE = "0x" + "00" * 19 + "01"
NOBODY = "0x00000000000000000000000000000000000000b0"
MOST = 2**256 - 1
HIGHEST_S = CURVE_ORDER // 2

SELECTOR = 4
"""Bytes in front of the first word of calldata."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One signed message: the function, what is signed, and the types of the function's plain arguments."""

    function: str
    primary_type: str
    types: str

    @property
    def names(self) -> list[str]:
        fields = [one["name"] for one in TYPES[self.primary_type]]
        return [name for name in fields if not (self.function == "permit" and name == "nonce")]


KINDS = {
    "transfer": Kind("transferWithAuthorization", "TransferWithAuthorization", AUTHORIZATION),
    "receive": Kind("receiveWithAuthorization", "ReceiveWithAuthorization", AUTHORIZATION),
    "cancel": Kind("cancelAuthorization", "CancelAuthorization", "address,bytes32"),
    "permit": Kind("permit", "Permit", "address,address,uint256,uint256"),
}
FORMS = ("vrs", "bytes")


@dataclass(frozen=True, slots=True)
class Signed:
    """A message with its signature, in one of the two forms, on its way to the token."""

    kind: Kind
    form: str
    message: dict[str, Any]
    signature: bytes
    sender: LocalAccount | str = RELAYER
    value: int = 0
    tail: Callable[[bytes], bytes] = field(default=lambda data: data)

    def act(self) -> Act:
        """The call that carries it."""
        plain = encode(self.kind.types.split(","), [self.message[name] for name in self.kind.names])
        return Act(self.tail(self._selector() + plain + self._signature_words(len(plain))), self.sender, self.value)

    def _selector(self) -> bytes:
        last = "bytes" if self.form == "bytes" else "uint8,bytes32,bytes32"
        return selector(f"{self.kind.function}({self.kind.types},{last})")

    def _signature_words(self, plain_bytes: int) -> bytes:
        if self.form == "vrs":
            r, s, v = self.signature[:32], self.signature[32:64], self.signature[64]
            return v.to_bytes(32, "big") + r + s
        return (plain_bytes + 32).to_bytes(32, "big") + encode(["bytes"], [self.signature])[32:]


def sign(account: LocalAccount, primary_type: str, message: dict[str, Any], **domain: object) -> bytes:
    """The 65 bytes of an EIP-712 signature; ``domain`` changes members of the token's."""
    made = account.sign_typed_data({**DOMAIN, **domain}, {primary_type: TYPES[primary_type]}, message)
    return bytes(made.signature)


def good(twins: Twins, kind: Kind, form: str, name: str, **changes: Any) -> Signed:  # noqa: ANN401  a message's fields are of many types
    """A message that PAYER signed and that succeeds, unless ``changes`` spoil it. Its nonce belongs to ``name``."""
    message = _plain(twins, kind, form, name) | changes
    signature = sign(PAYER, kind.primary_type, message)
    return Signed(kind, form, message, signature, PAYEE if kind is KINDS["receive"] else RELAYER)


def _plain(twins: Twins, kind: Kind, form: str, name: str) -> dict[str, Any]:
    nonce = keccak(text=f"{kind.function} {form} {name}")
    if kind is KINDS["cancel"]:
        return {"authorizer": PAYER.address, "nonce": nonce}
    if kind is KINDS["permit"]:
        return {
            "owner": PAYER.address,
            "spender": STRANGER.address,
            "value": DOLLAR,
            "nonce": twins.number("nonces(address)", PAYER.address),
            "deadline": FAR_S,
        }
    return {
        "from": PAYER.address,
        "to": PAYEE.address,
        "value": 1,
        "validAfter": 0,
        "validBefore": FAR_S,
        "nonce": nonce,
    }


def spoilt(twins: Twins, kind: Kind, form: str) -> Iterator[tuple[str, Signed]]:
    """Every message to try, by a name of its own. Made one after the other: they look at the chain as it is then."""
    yield "untouched", good(twins, kind, form, "untouched")
    yield "the same again", good(twins, kind, form, "untouched")
    yield from _by_field(twins, kind, form)
    yield from _by_signer(twins, kind, form)
    yield from _by_signature(twins, kind, form)
    yield from _by_sender(twins, kind, form)
    yield from _by_calldata(twins, kind, form)
    yield from _by_wallet(twins, kind, form)


def _values_of(twins: Twins, name: str) -> dict[str, object]:
    """What is tried in a field."""
    match name:
        case "from" | "to" | "owner" | "spender" | "authorizer":
            accounts = {"payer": PAYER, "payee": PAYEE, "relayer": RELAYER, "blocked": BLOCKED, "delegated": DELEGATED}
            return {
                **{who: account.address for who, account in accounts.items()},
                "zero": ZERO,
                "ones": ONES,
                "token": USDC_ADDRESS,
                "precompile": PRECOMPILE,
                "nobody": NOBODY,
                "wallet": twins.wallets["says yes"],
            }
        case "value":
            balance = twins.number("balanceOf(address)", PAYER.address)
            return {
                "0": 0,
                "1": 1,
                "all": balance,
                "all and one": balance + 1,
                "2^255-1": 2**255 - 1,
                "2^255": 2**255,
                "2^256-1": MOST,
            }
        case "validAfter" | "validBefore" | "deadline":
            edges = {f"{offset:+d}": twins.now + offset for offset in (-1, 0, 1, 2)}
            return {**edges, "0": 0, "2^64": 2**64, "2^256-1": MOST}
        case "nonce":
            return {"zero": bytes(32), "ones": b"\xff" * 32, "one bit": bytes(31) + b"\x01"}
        case _:
            raise AssertionError(name)


def _by_field(twins: Twins, kind: Kind, form: str) -> Iterator[tuple[str, Signed]]:
    for name in kind.names:
        for label in _values_of(twins, name):
            case = f"{name} signed as {label}"
            changed = {name: _values_of(twins, name)[label]}
            yield case, good(twins, kind, form, case, **changed)
            yield f"{case}, again", good(twins, kind, form, case, **changed)
            twins.refill()
            case = f"{name} changed to {label}"
            untouched = good(twins, kind, form, case)
            yield case, replace(untouched, message=untouched.message | {name: _values_of(twins, name)[label]})


def _by_signer(twins: Twins, kind: Kind, form: str) -> Iterator[tuple[str, Signed]]:
    payer = kind.names[0]
    for who, account in {"stranger": STRANGER, "blocked": BLOCKED, "delegated": DELEGATED, "payee": PAYEE}.items():
        case = f"signed by {who}"
        made = good(twins, kind, form, case)
        yield case, replace(made, signature=sign(account, kind.primary_type, made.message))
        case = f"from {who}, signed by it"
        own = good(twins, kind, form, case, **{payer: account.address})
        if kind is KINDS["permit"]:
            own.message["nonce"] = twins.number("nonces(address)", account.address)
        yield case, replace(own, signature=sign(account, kind.primary_type, own.message))
        yield f"{case}, again", replace(own, signature=sign(account, kind.primary_type, own.message))
    domains: dict[str, object] = {
        "name": "USDC",
        "version": "1",
        "chainId": 1,
        "verifyingContract": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
    }
    for member, other in domains.items():
        made = good(twins, kind, form, f"domain {member}")
        yield (
            f"domain {member}",
            replace(made, signature=sign(PAYER, kind.primary_type, made.message, **{member: other})),
        )
    for other_kind in KINDS.values():
        if other_kind is not kind and set(other_kind.names) == set(kind.names):
            made = good(twins, kind, form, f"as {other_kind.function}")
            yield (
                f"as {other_kind.function}",
                replace(made, signature=sign(PAYER, other_kind.primary_type, made.message)),
            )


def _by_signature(twins: Twins, kind: Kind, form: str) -> Iterator[tuple[str, Signed]]:
    def made(case: str) -> tuple[Signed, bytes, int, int]:
        one = good(twins, kind, form, case)
        return (
            one,
            one.signature,
            int.from_bytes(one.signature[:32], "big"),
            int.from_bytes(one.signature[32:64], "big"),
        )

    for v in (0, 1, 2, 26, 27, 28, 29, 127, 255):
        one, signature, _, _ = made(f"v {v}")
        yield f"v {v}", replace(one, signature=signature[:64] + bytes([v]))
    for name, r in {"0": 0, "1": 1, "order": CURVE_ORDER, "ones": MOST}.items():
        one, signature, _, _ = made(f"r {name}")
        yield f"r {name}", replace(one, signature=r.to_bytes(32, "big") + signature[32:])
    for name, s in {"0": 0, "1": 1, "half": HIGHEST_S, "half+1": HIGHEST_S + 1, "ones": MOST}.items():
        one, signature, _, _ = made(f"s {name}")
        yield f"s {name}", replace(one, signature=signature[:32] + s.to_bytes(32, "big") + signature[64:])
    one, signature, _, s = made("its mirror")
    mirror = signature[:32] + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - signature[64]])
    yield "its mirror", replace(one, signature=mirror)
    for bit in (0, 255, 256, 511):
        one, signature, _, _ = made(f"bit {bit}")
        yield f"bit {bit}", replace(one, signature=_flipped(signature, bit))
    yield "all zero", replace(made("all zero")[0], signature=bytes(65))
    if form == "bytes":
        for length in (0, 1, 32, 64, 66, 96, 97, 224, 640, 2048):
            one, signature, _, _ = made(f"{length} bytes")
            yield f"{length} bytes", replace(one, signature=(signature * 40)[:length])


def _flipped(signature: bytes, bit: int) -> bytes:
    changed = bytearray(signature)
    changed[bit // 8] ^= 0x80 >> (bit % 8)
    return bytes(changed)


def _by_sender(twins: Twins, kind: Kind, form: str) -> Iterator[tuple[str, Signed]]:
    senders: dict[str, LocalAccount | str] = {
        "relayer": RELAYER,
        "payer": PAYER,
        "payee": PAYEE,
        "blocked": BLOCKED,
        "nobody": NOBODY,
        "token": USDC_ADDRESS,
        "zero": ZERO,
    }
    for who, sender in senders.items():
        yield f"sent by {who}", replace(good(twins, kind, form, f"sent by {who}"), sender=sender)
    yield "with ether", replace(good(twins, kind, form, "with ether"), value=1)


def _by_calldata(twins: Twins, kind: Kind, form: str) -> Iterator[tuple[str, Signed]]:
    def bent(case: str, tail: Callable[[bytes], bytes]) -> tuple[str, Signed]:
        return case, replace(good(twins, kind, form, case), tail=tail)

    plain_words = len(kind.names)
    yield bent("trailing byte", lambda data: data + b"\x01")
    yield bent("trailing words", lambda data: data + b"\x5a" * 64)
    yield bent("one byte short", lambda data: data[:-1])
    yield bent("one word short", lambda data: data[:-32])
    yield bent("half an argument", lambda data: data[: SELECTOR + 40])
    yield bent("selector alone", lambda data: data[:SELECTOR])
    yield bent("half a selector", lambda data: data[:3])
    for at, type_name in enumerate(kind.types.split(",")):
        if type_name == "address":
            yield bent(f"dirty {kind.names[at]}", partial(_with_byte, word=at, byte=0))
    if form == "vrs":
        yield bent("dirty v", partial(_with_byte, word=plain_words, byte=30))
        return
    offset = 32 * (plain_words + 1)
    yield bent("offset one word on", lambda data: _moved(data, plain_words, offset + 32, b"\x5a" * 32))
    yield bent("offset one byte on", lambda data: _moved(data, plain_words, offset + 1, b"\x5a"))
    yield bent("offset zero", lambda data: _with_word(data, plain_words, 0))
    yield bent("offset 2^64", lambda data: _with_word(data, plain_words, 2**64))
    yield bent("offset 2^256-1", lambda data: _with_word(data, plain_words, MOST))
    yield bent("offset past the end", lambda data: _with_word(data, plain_words, offset + 4096))
    yield bent("length 2^64", lambda data: _with_word(data, plain_words + 1, 2**64))
    yield bent("length 2^256-1", lambda data: _with_word(data, plain_words + 1, MOST))
    yield bent("length past the end", lambda data: _with_word(data, plain_words + 1, 97))
    yield bent("length into the padding", lambda data: _with_word(data, plain_words + 1, 96))
    yield bent("no padding", lambda data: data[: -(96 - 65)])
    yield bent("dirty padding", lambda data: data[:-1] + b"\xff")


def _with_word(data: bytes, at: int, value: int) -> bytes:
    start = SELECTOR + 32 * at
    return data[:start] + value.to_bytes(32, "big") + data[start + 32 :]


def _with_byte(data: bytes, word: int, byte: int) -> bytes:
    at = SELECTOR + 32 * word + byte
    return data[:at] + b"\x01" + data[at + 1 :]


def _moved(data: bytes, word: int, offset: int, filling: bytes) -> bytes:
    start = SELECTOR + 32 * (word + 1)
    return _with_word(data[:start] + filling + data[start:], word, offset)


def _by_wallet(twins: Twins, kind: Kind, form: str) -> Iterator[tuple[str, Signed]]:
    for name, address in twins.wallets.items():
        for length in (65,) if form == "vrs" else (0, 65, 700):
            case = f"a wallet that {name}, {length} bytes"
            made = good(twins, kind, form, case, **{kind.names[0]: address})
            signature = (made.signature * 11)[:length]
            yield case, replace(made, signature=signature)
            yield f"{case}, again", replace(made, signature=signature)
