"""Payment headers that somebody might send: right ones gone wrong in every way that one draw of a seed can think of.

The same seed must always give the same headers; nothing here knows how they are read.
"""

from __future__ import annotations

import base64
import copy
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Payment = dict[str, Any]

NAMES = (
    "x402Version", "scheme", "network", "payload", "signature", "authorization", "from", "to", "value", "validAfter",
    "validBefore", "nonce", "accepted", "asset", "payTo", "amount", "maxTimeoutSeconds", "extra", "name", "version",
    "resource", "url", "extensions", "payment-identifier", "info", "id", "permit2Authorization", "__proto__",
    "X402VERSION", "Payload",
)  # fmt: skip

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 27, 2**31, 2**53 - 1, 2**53, 2**64, 2**256 - 1, 2**256, -(2**63), 0.1, 1e308,
    "", " ", "0", "00", "-0", "+1", "1e6", "1.0", "0x", "0X", "0x0", "null", "base", "eip155:8453", "exact", "solana",
    "0x" + "00" * 20, "0x" + "ff" * 20, "0x" + "00" * 32, "0x" + "ff" * 32, "0x" + "ff" * 65, "0x" + "ab" * 4097,
    "\x00", "\u2028", "\u0660\u0661", "é" * 9, "\U0001f600", "A" * 300, "../../etc/passwd", "%s%n", "${7*7}",
    "' OR 1=1",
    [], [[]], {}, {"": ""}, [0] * 40,
)  # fmt: skip

TOKENS: tuple[bytes, ...] = (
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u0000", b"\\ud800", b"\\u00", b"NaN", b"-Infinity", b"1e999",
    b"-0",
    b"0x1", b"01", b"1.", b"true", b"nul", b"\x00", b"\xff", b"\xc3(", b"\xef\xbb\xbf", b"\n", b"//", b"/**/", b"'",
    b'"x402Version":1', b',"nonce":"0x00"', b"[" * 40, b"9" * 400,
)  # fmt: skip

EXTRA_HEADER_BYTES = b"=+/-_ ,;\t\x00\xff\x80%\"'" + bytes(range(48, 123))


def encoded(value: object) -> bytes:
    """A JSON value as a header."""
    return base64.b64encode(json.dumps(value).encode("utf-8", "surrogatepass"))


class Mutants:
    """An endless supply, drawn from payments that are right."""

    def __init__(self, seed: int, payments: Sequence[Payment]) -> None:
        self._random = random.Random(seed)  # noqa: S311  a reproducible draw, not a secret
        self._payments = payments
        self._kinds: tuple[Callable[[], bytes], ...] = (
            self._spoilt_header,
            self._spoilt_json,
            self._grown,
            self._changed,
            self._changed,
        )

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield self._random.choice(self._kinds)()

    # ---- the four kinds

    def _spoilt_header(self) -> bytes:
        """Bytes of the header itself."""
        return self._spoilt(encoded(self._one()), [bytes((byte,)) for byte in EXTRA_HEADER_BYTES])

    def _spoilt_json(self) -> bytes:
        """Bytes of the JSON inside, correctly encoded again."""
        return base64.b64encode(self._spoilt(json.dumps(self._one()).encode(), TOKENS))

    def _grown(self) -> bytes:
        """JSON that was never a payment, of the words that payments are made of."""
        return encoded({name: self._value(3) for name in self._random.sample(NAMES, self._random.randint(0, 9))})

    def _changed(self) -> bytes:
        """A payment with one to three of its members changed, one way or another."""
        payment = copy.deepcopy(self._one())
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            self._change(payment)
        return encoded(payment)

    # ---- how they are made

    def _one(self) -> Payment:
        return self._random.choice(self._payments)

    def _spoilt(self, data: bytes, pieces: Sequence[bytes]) -> bytes:
        draw, spoilt = self._random, bytearray(data)
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            at = draw.randrange(len(spoilt) + 1)
            match draw.randrange(6):
                case 0:
                    spoilt[at : at + 1] = draw.choice(pieces)
                case 1:
                    spoilt[at:at] = draw.choice(pieces)
                case 2:
                    del spoilt[at : at + draw.choice((1, 1, 4, 60))]
                case 3:
                    spoilt[at:at] = spoilt[at : at + draw.choice((1, 4, 60))]
                case 4:
                    del spoilt[at:]
                case _:
                    spoilt[at : at + 1] = bytes((draw.randrange(256),))
        return bytes(spoilt)

    def _value(self, depth: int) -> Any:  # noqa: ANN401  any JSON value
        draw = self._random
        if depth == 0 or draw.random() < 0.6:
            return draw.choice(HOSTILE)
        if draw.random() < 0.2:
            return [self._value(depth - 1) for _ in range(draw.randint(0, 3))]
        return {name: self._value(depth - 1) for name in draw.sample(NAMES, draw.randint(0, 6))}

    def _change(self, payment: Payment) -> None:
        draw = self._random
        members = list(_members(payment))
        if not members:
            return
        holder, name = draw.choice(members)
        match draw.randrange(7):
            case 0:
                holder.pop(name)
            case 1:
                holder[draw.choice(NAMES)] = holder.pop(name)
            case 2:
                holder[draw.choice((name.upper(), name.title(), name + " ", " " + name))] = holder[name]
            case 3:
                holder[draw.choice(NAMES)] = draw.choice(HOSTILE)
            case 4:
                holder[name] = draw.choice(([holder[name]], {name: holder[name]}, str(holder[name])))
            case 5 if isinstance(holder[name], str) and holder[name]:
                holder[name] = self._respelt(holder[name])
            case _:
                holder[name] = draw.choice(HOSTILE)

    def _respelt(self, text: str) -> str:
        draw, at = self._random, self._random.randrange(len(text))
        digit = draw.choice("0123456789abcdefABCDEFxX ")
        return draw.choice(
            (
                text[:at] + digit + text[at + 1 :],
                text[:at] + text[at + 1 :],
                text.upper(),
                text.swapcase(),
                text + "0",
                "0" + text,
            )
        )


def _members(payment: Payment) -> Iterator[tuple[dict[str, Any], str]]:
    for name, value in payment.items():
        yield payment, name
        if isinstance(value, dict):
            yield from _members(value)
