"""Payments as strangers send them: right ones, and ones with a single thing changed, drawn by Hypothesis.

Each mutation has one name and one verdict, whatever it draws; it must never use phoneagent.x402 to make a payment.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.x402.signing import payment_object, sign_authorization

Draw = Callable[[st.SearchStrategy[Any]], Any]

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_ORDER = 2 * _HALF_ORDER + 1
_GUARD_S = 10
"""Verdicts near an edge of the window depend on whose clock is asked; nothing is drawn closer than this."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Who pays what: the offers as the service made them, and payers in the states that matter."""

    offers: Mapping[int, Mapping[str, Any]]
    now_s: int
    rich: str
    poor: str
    used_nonces: Mapping[int, str]
    wallet_contract: str
    closed_contract: str

    def chosen(self, version: int) -> Mapping[str, Any]:
        """The one entry of `accepts`."""
        entry: Mapping[str, Any] = self.offers[version]["accepts"][0]
        return entry


@dataclass
class Draft:
    """A payment being made. ``text`` stands in for ``made`` where no JSON value says what is to be sent."""

    scene: Scene
    version: int
    draw: Draw
    made: dict[str, Any] = field(default_factory=dict)
    text: str | None = None

    def __post_init__(self) -> None:
        """Start from a right payment with a nonce of its own."""
        self.sign()

    @property
    def auth(self) -> dict[str, Any]:
        """The authorization, to be changed in place."""
        found: dict[str, Any] = self.made["payload"]["authorization"]
        return found

    @property
    def payload(self) -> dict[str, Any]:
        """The scheme's own part, to be changed in place."""
        found: dict[str, Any] = self.made["payload"]
        return found

    def sign(self, key: str | None = None, **overrides: object) -> None:
        """Make the payment anew, members of the authorization replaced before it is signed."""
        nonce = str(overrides.pop("nonce", "")) or "0x" + self.draw(st.binary(min_size=31, max_size=31)).hex() + "5a"
        self.made = payment_object(
            key or self.scene.rich,
            offer=self.scene.offers[self.version],
            now_s=self.scene.now_s,
            version=self.version,
            nonce=nonce,
            **overrides,
        )

    def sign_under(self, **changed: object) -> None:
        """Sign the same authorization under another EIP-712 domain."""
        chosen = copy.deepcopy(dict(self.scene.chosen(self.version)))
        for name, value in changed.items():
            (chosen["extra"] if name in {"name", "version"} else chosen)[name] = value
        self.payload["signature"] = sign_authorization(self.scene.rich, self.auth, chosen)

    def signature_bytes(self) -> bytearray:
        """The signature as bytes."""
        return bytearray.fromhex(self.payload["signature"][2:])

    def write_signature(self, raw: bytes | bytearray) -> None:
        """Put bytes in the signature's place."""
        self.payload["signature"] = "0x" + raw.hex()

    def said(self) -> str:
        """The JSON text that is sent."""
        return self.text if self.text is not None else json.dumps(self.made)


Mutation = Callable[[Draft], None]
MUTATIONS: dict[str, Mutation] = {}
V2_ONLY: set[str] = set()


def mutation(act: Mutation) -> Mutation:
    """Register under the function's name."""
    MUTATIONS[act.__name__] = act
    return act


def v2_mutation(act: Mutation) -> Mutation:
    """Register for version 2 only: version 1 has no such member."""
    V2_ONLY.add(act.__name__)
    return mutation(act)


# ---- right, and differently spelled ---------------------------------------------------------------------------------


@mutation
def right(draft: Draft) -> None:
    assert draft.made


@mutation
def right_window(draft: Draft) -> None:
    begin = draft.draw(st.integers(0, draft.scene.now_s - _GUARD_S))
    lasts = draft.draw(st.integers(1500, 1800))
    draft.sign(validAfter=str(begin), validBefore=str(draft.scene.now_s + lasts))


@mutation
def addresses_in_another_letter_case(draft: Draft) -> None:
    for name in draft.draw(st.sampled_from([("from",), ("to",), ("from", "to")])):
        digits = draft.auth[name][2:]
        draft.auth[name] = "0x" + draft.draw(st.sampled_from([digits.lower(), digits.upper(), digits.swapcase()]))


@mutation
def address_with_upper_case_prefix(draft: Draft) -> None:
    name = draft.draw(st.sampled_from(["from", "to"]))
    draft.auth[name] = "0X" + draft.auth[name][2:]


@mutation
def address_without_prefix(draft: Draft) -> None:
    name = draft.draw(st.sampled_from(["from", "to"]))
    draft.auth[name] = draft.auth[name][2:]


@mutation
def hex_in_upper_case(draft: Draft) -> None:
    name = draft.draw(st.sampled_from(["signature", "nonce", "both"]))
    if name != "nonce":
        draft.payload["signature"] = "0x" + draft.payload["signature"][2:].upper()
    if name != "signature":
        draft.auth["nonce"] = "0x" + draft.auth["nonce"][2:].upper()


@mutation
def hex_with_upper_case_prefix(draft: Draft) -> None:
    if draft.draw(st.booleans()):
        draft.payload["signature"] = "0X" + draft.payload["signature"][2:]
    else:
        draft.auth["nonce"] = "0X" + draft.auth["nonce"][2:]


@mutation
def hex_without_prefix(draft: Draft) -> None:
    if draft.draw(st.booleans()):
        draft.payload["signature"] = draft.payload["signature"][2:]
    else:
        draft.auth["nonce"] = draft.auth["nonce"][2:]


@mutation
def hex_with_spaces(draft: Draft) -> None:
    nonce = draft.auth["nonce"]
    draft.auth["nonce"] = nonce[:10] + " " + nonce[10:]


@mutation
def number_as_json_integer(draft: Draft) -> None:
    name = draft.draw(_NUMBERS)
    draft.auth[name] = int(draft.auth[name])


@mutation
def number_spelled_otherwise(draft: Draft) -> None:
    name = draft.draw(st.sampled_from(["value", "validBefore"]))
    spelled = draft.draw(st.sampled_from(["0{}", "+{}", " {}", "{} ", "{}\n", "_{}"]))
    digits = draft.auth[name]
    draft.auth[name] = f"{digits[0]}_{digits[1:]}" if spelled == "_{}" else spelled.format(digits)


@mutation
def number_in_foreign_digits(draft: Draft) -> None:
    draft.auth["value"] = "".join(chr(0x660 + int(digit)) for digit in draft.auth["value"])


@mutation
def number_as_json_float(draft: Draft) -> None:
    draft.auth["value"] = float(draft.auth["value"])


@mutation
def number_not_decimal(draft: Draft) -> None:
    name = draft.draw(_NUMBERS)
    draft.auth[name] = draft.draw(st.sampled_from([hex(int(draft.auth[name])), "1e6", "1000000.0", "", "-1", "ten"]))


@mutation
def extra_members(draft: Draft) -> None:
    places = [draft.made, draft.payload, draft.auth] + ([draft.made["accepted"]] if draft.version == 2 else [])
    place = draft.draw(st.sampled_from(places))
    place["note"] = draft.draw(st.sampled_from([None, 1, "text", ["list"], {"an": "object"}]))


@v2_mutation
def without_resource_and_extensions(draft: Draft) -> None:
    draft.made.pop("resource", None)
    draft.made.pop("extensions", None)


@v2_mutation
def optional_member_null(draft: Draft) -> None:
    for name in draft.draw(st.sampled_from([("resource", "extensions"), ("resource",), ("extensions",)])):
        draft.made[name] = None


@v2_mutation
def resource_of_another_route(draft: Draft) -> None:
    draft.made["resource"]["url"] += draft.draw(st.sampled_from(["/other", "?a=b"]))


# ---- signature ------------------------------------------------------------------------------------------------------


@mutation
def signature_with_a_flipped_bit(draft: Draft) -> None:
    raw = draft.signature_bytes()
    raw[draft.draw(st.integers(0, 63))] ^= 1 << draft.draw(st.integers(0, 7))
    draft.write_signature(raw)


@mutation
def signature_of_another_length(draft: Draft) -> None:
    raw = bytes(draft.signature_bytes())
    draft.write_signature(draft.draw(st.sampled_from([raw[:64], raw[:1], raw + b"\0", raw * 2, raw[1:]])))


@mutation
def signature_with_v_0_or_1(draft: Draft) -> None:
    raw = draft.signature_bytes()
    raw[64] -= 27
    draft.write_signature(raw)


@mutation
def signature_with_another_v(draft: Draft) -> None:
    raw = draft.signature_bytes()
    raw[64] = draft.draw(st.sampled_from([55 - raw[64], 2, 26, 29, 30, 35, 255]))
    draft.write_signature(raw)


@mutation
def signature_with_high_s(draft: Draft) -> None:
    raw = draft.signature_bytes()
    raw[32:64] = (_ORDER - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big")
    raw[64] = 55 - raw[64]
    draft.write_signature(raw)


@mutation
def signature_with_r_or_s_out_of_range(draft: Draft) -> None:
    raw = draft.signature_bytes()
    start = draft.draw(st.sampled_from([0, 32]))
    raw[start : start + 32] = draft.draw(st.sampled_from([bytes(32), b"\xff" * 32, _ORDER.to_bytes(32, "big")]))
    draft.write_signature(raw)


@mutation
def signature_by_another_key(draft: Draft) -> None:
    other = "0x" + draft.draw(st.integers(1, 2**250)).to_bytes(32, "big").hex()
    draft.payload["signature"] = sign_authorization(other, draft.auth, draft.scene.chosen(draft.version))


@mutation
def signature_not_hex(draft: Draft) -> None:
    value = draft.draw(st.sampled_from(["", "0x", "0xzz", "0x0", "signed", None, 1, ["0x"], {"r": "0x"}, True]))
    draft.payload["signature"] = value


@mutation
def signature_with_a_factory_for_a_wallet(draft: Draft) -> None:
    raw = bytes(draft.signature_bytes())
    words = [b"\x11".rjust(32, b"\0"), (96).to_bytes(32, "big"), (128).to_bytes(32, "big"), bytes(32)]
    tail = len(raw).to_bytes(32, "big") + raw.ljust(96, b"\0")
    draft.write_signature(b"".join(words) + tail + bytes.fromhex("6492" * 16))


# ---- domain ---------------------------------------------------------------------------------------------------------


@mutation
def domain_of_another_name(draft: Draft) -> None:
    draft.sign_under(name=draft.draw(st.sampled_from(["USDC", "USD coin", "USD Coin ", ""])))


@mutation
def domain_of_another_version(draft: Draft) -> None:
    draft.sign_under(version=draft.draw(st.sampled_from(["1", "02", "2.0", ""])))


@mutation
def domain_of_another_chain(draft: Draft) -> None:
    draft.sign_under(network="base-sepolia" if draft.version == 1 else "eip155:84532")


@mutation
def domain_of_another_token(draft: Draft) -> None:
    draft.sign_under(asset="0x" + draft.draw(st.binary(min_size=20, max_size=20)).hex())


# ---- money ----------------------------------------------------------------------------------------------------------


@mutation
def value_changed_after_signing(draft: Draft) -> None:
    draft.auth["value"] = str(draft.draw(_OTHER_SUMS))


@mutation
def another_price_signed(draft: Draft) -> None:
    draft.sign(value=str(draft.draw(_OTHER_SUMS)))


@mutation
def more_than_a_word_signed_for(draft: Draft) -> None:
    name = draft.draw(st.sampled_from(["value", "validBefore"]))
    draft.auth[name] = str(2**256 + draft.draw(st.integers(0, 10**9)))


@mutation
def payee_changed_after_signing(draft: Draft) -> None:
    draft.auth["to"] = _address(draft)


@mutation
def another_payee_signed(draft: Draft) -> None:
    draft.sign(to=_address(draft))


@mutation
def another_payer_named(draft: Draft) -> None:
    draft.auth["from"] = _address(draft)


@mutation
def address_of_another_length(draft: Draft) -> None:
    name = draft.draw(st.sampled_from(["from", "to"]))
    right = draft.auth[name]
    draft.auth[name] = draft.draw(st.sampled_from([right[:-1], right[:-2], right + "0", right + "00", "0x", ""]))


@mutation
def payer_without_money(draft: Draft) -> None:
    draft.sign(draft.scene.poor)


# ---- nonce ----------------------------------------------------------------------------------------------------------


@mutation
def nonce_already_used(draft: Draft) -> None:
    draft.sign(nonce=draft.scene.used_nonces[draft.version])


@mutation
def nonce_changed_after_signing(draft: Draft) -> None:
    draft.auth["nonce"] = "0x" + draft.draw(st.binary(min_size=31, max_size=31)).hex() + "a5"


@mutation
def nonce_of_another_length(draft: Draft) -> None:
    right = draft.auth["nonce"]
    draft.auth["nonce"] = draft.draw(st.sampled_from([right[:-2], right[:-1], right + "00", "0x", ""]))


# ---- window ---------------------------------------------------------------------------------------------------------


@mutation
def over(draft: Draft) -> None:
    draft.sign(validBefore=str(draft.scene.now_s - draft.draw(st.integers(_GUARD_S, 10**6))))


@mutation
def not_yet(draft: Draft) -> None:
    begins = draft.scene.now_s + draft.draw(st.integers(120, 600))
    draft.sign(validAfter=str(begins), validBefore=str(begins + 1000))


@mutation
def ends_before_a_rental_does(draft: Draft) -> None:
    draft.sign(validBefore=str(draft.scene.now_s + draft.draw(st.integers(120, 600))))


@mutation
def ends_long_after_what_was_offered(draft: Draft) -> None:
    draft.sign(validBefore=str(draft.scene.now_s + draft.draw(st.integers(2500, 10**8))))


@mutation
def ends_never(draft: Draft) -> None:
    draft.sign(validBefore=str(2**256 - 1 - draft.draw(st.integers(0, 10**6))))


@mutation
def window_changed_after_signing(draft: Draft) -> None:
    name = draft.draw(st.sampled_from(["validAfter", "validBefore"]))
    draft.auth[name] = str(int(draft.auth[name]) + draft.draw(st.integers(1, 5)))


# ---- what surrounds the authorization -------------------------------------------------------------------------------


@mutation
def another_scheme(draft: Draft) -> None:
    _rail(draft)["scheme"] = draft.draw(st.sampled_from(["upto", "Exact", "exact ", "", None, 1]))


@mutation
def another_network(draft: Draft) -> None:
    names = ["base-sepolia", "eip155:84532", "eip155:1", "ethereum", "BASE", "eip155:08453", "", None, 8453]
    names.append("eip155:8453" if draft.version == 1 else "base")
    _rail(draft)["network"] = draft.draw(st.sampled_from(names))


@mutation
def another_protocol_version(draft: Draft) -> None:
    draft.made["x402Version"] = draft.draw(st.sampled_from([0, 3, -1]))


@mutation
def protocol_version_of_the_other_shape(draft: Draft) -> None:
    draft.made["x402Version"] = 3 - draft.version


@mutation
def protocol_version_no_number(draft: Draft) -> None:
    draft.made["x402Version"] = draft.draw(st.sampled_from([None, "two", [], {}, 1.5]))


@mutation
def protocol_version_of_another_type(draft: Draft) -> None:
    draft.made["x402Version"] = str(draft.version)


@mutation
def protocol_version_missing(draft: Draft) -> None:
    del draft.made["x402Version"]


@mutation
def member_of_the_authorization_missing(draft: Draft) -> None:
    del draft.auth[draft.draw(st.sampled_from(sorted(draft.auth)))]


@mutation
def member_of_the_payload_missing(draft: Draft) -> None:
    del draft.payload[draft.draw(st.sampled_from(["signature", "authorization"]))]


@mutation
def payload_missing(draft: Draft) -> None:
    del draft.made["payload"]


@mutation
def member_of_the_authorization_of_another_type(draft: Draft) -> None:
    value = draft.draw(st.sampled_from([None, [], {}, ["1"], {"value": "1"}]))
    draft.auth[draft.draw(st.sampled_from(sorted(draft.auth)))] = value


@mutation
def boolean_for_a_number(draft: Draft) -> None:
    draft.auth[draft.draw(_NUMBERS)] = draft.draw(st.booleans())


@mutation
def authorization_of_another_type(draft: Draft) -> None:
    draft.payload["authorization"] = draft.draw(st.sampled_from([None, [], "0x", 1, True]))


@mutation
def payload_of_another_type(draft: Draft) -> None:
    draft.made["payload"] = draft.draw(st.sampled_from([None, [], "0x", 1, True]))


@mutation
def permit2_beside_it(draft: Draft) -> None:
    draft.payload["permit2Authorization"] = draft.draw(st.sampled_from([{}, {"from": draft.auth["from"]}]))


@mutation
def member_twice(draft: Draft) -> None:
    name = draft.draw(st.sampled_from(["value", "to", "nonce"]))
    twice = json.dumps({name: draft.auth[name]})[1:-1]
    draft.text = json.dumps(draft.made).replace(twice, f"{twice}, {twice}")


@mutation
def member_twice_but_for_its_case(draft: Draft) -> None:
    draft.auth[draft.draw(st.sampled_from(["Value", "TO", "Nonce"]))] = "1"


@v2_mutation
def accepted_names_another_sum(draft: Draft) -> None:
    draft.made["accepted"]["amount"] = str(draft.draw(_OTHER_SUMS))


@v2_mutation
def accepted_names_another_payee(draft: Draft) -> None:
    draft.made["accepted"]["payTo"] = _address(draft)


@v2_mutation
def accepted_names_another_token(draft: Draft) -> None:
    draft.made["accepted"]["asset"] = _address(draft)


@v2_mutation
def accepted_names_another_timeout(draft: Draft) -> None:
    draft.made["accepted"]["maxTimeoutSeconds"] = draft.draw(st.integers(0, 10**6))


@v2_mutation
def accepted_names_another_domain(draft: Draft) -> None:
    draft.made["accepted"]["extra"] = draft.draw(st.sampled_from([{}, {"name": "USDC", "version": "2"}]))


@v2_mutation
def accepted_in_another_letter_case(draft: Draft) -> None:
    name = draft.draw(st.sampled_from(["asset", "payTo"]))
    digits = draft.made["accepted"][name][2:]
    draft.made["accepted"][name] = "0x" + draft.draw(st.sampled_from([digits.lower(), digits.upper()]))


@v2_mutation
def member_of_accepted_missing(draft: Draft) -> None:
    names = ["scheme", "network", "asset", "amount", "payTo", "maxTimeoutSeconds"]
    del draft.made["accepted"][draft.draw(st.sampled_from(names))]


@v2_mutation
def member_of_accepted_of_another_type(draft: Draft) -> None:
    name = draft.draw(st.sampled_from(["asset", "amount", "payTo"]))
    draft.made["accepted"][name] = draft.draw(st.sampled_from([None, 1_000_000, [], {}]))


@v2_mutation
def extra_of_accepted_null(draft: Draft) -> None:
    draft.made["accepted"]["extra"] = None


@v2_mutation
def timeout_of_accepted_of_another_type(draft: Draft) -> None:
    accepted = draft.made["accepted"]
    accepted["maxTimeoutSeconds"] = str(accepted["maxTimeoutSeconds"])


@v2_mutation
def accepted_missing(draft: Draft) -> None:
    del draft.made["accepted"]


# ---- payers that are contracts --------------------------------------------------------------------------------------


@mutation
def contract_that_agrees(draft: Draft) -> None:
    draft.sign(**{"from": draft.scene.wallet_contract})
    draft.write_signature(draft.draw(st.binary(min_size=66, max_size=300)))


@mutation
def contract_that_agrees_to_65_bytes(draft: Draft) -> None:
    draft.sign(**{"from": draft.scene.wallet_contract})


@mutation
def contract_that_refuses(draft: Draft) -> None:
    draft.sign(**{"from": draft.scene.closed_contract})
    if draft.draw(st.booleans()):
        draft.write_signature(draft.draw(st.binary(min_size=1, max_size=300)))


_NUMBERS = st.sampled_from(["value", "validAfter", "validBefore"])
_OTHER_SUMS = st.integers(0, 10**9).filter(lambda value: value not in {1_000_000, 2_000_000})


def _address(draft: Draft) -> str:
    drawn: bytes = draft.draw(st.binary(min_size=19, max_size=19))
    return f"0x{drawn.hex()}77"


def _rail(draft: Draft) -> dict[str, Any]:
    rail: dict[str, Any] = draft.made if draft.version == 1 else draft.made["accepted"]
    return rail
