import base64
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.core.errors import PaymentRefused, RequestInvalid
from phoneagent.x402 import MAX_HEADER_CHARS, DecodedPayment, decode_payment
from phoneagent.x402.decode import MAX_SIGNATURE_BYTES, MAX_TIME_S
from tests.x402.examples import SIGNED, changed
from tests.x402.signing import to_header

PLAIN = {version: decode_payment(to_header(made)) for version, made in SIGNED.items()}


def decode(made: object) -> DecodedPayment:
    return decode_payment(to_header(made))


def refusal(made: object) -> RequestInvalid:
    with pytest.raises(RequestInvalid) as refused:
        decode(made)
    assert refused.value.code == "invalid_payment"
    return refused.value


# ---- one member wrong ----------------------------------------------------------------------------------------------

UINT_REFUSED: list[Any] = [
    "", "-1", "+1", "01", "00", "1.0", "1e6", "0x10", " 1", "1 ", "1_000", "\u0661", "a", None, True, [], {}, -1,
    str(2**256),
]  # fmt: skip
TIME_REFUSED: list[Any] = [*UINT_REFUSED, str(MAX_TIME_S + 1), MAX_TIME_S + 1]
NONCE_REFUSED: list[Any] = [
    "", "0x", "ab" * 32, "0x" + "ab" * 31, "0x" + "ab" * 33, "0x" + "a" * 63, "0x" + "zz" * 32, "0x " + "ab" * 31 + "a",
    "0x" + "ab" * 32 + "\n", "x0" + "ab" * 32, "0x" + "٣" * 64, 5, None, True, [],
]  # fmt: skip
ADDRESS_REFUSED: list[Any] = ["", "0x", "ab" * 20, "0x" + "ab" * 19, "0x" + "ab" * 21, "0x" + "zz" * 20, 1, None, {}]
SIGNATURE_REFUSED: list[Any] = ["", "0x", "0", "0xa", "ab" * 65, "0x" + "zz" * 65, "0x" + "ab" * 4097, 1, None, {}]

IN_BOTH: list[tuple[tuple[str, ...], list[Any]]] = [
    (("x402Version",), [0, 3, -1, "1", "2", None, True, [], 2**53 - 1]),
    (("payload",), ["", None, [], 1]),
    (("payload", "authorization"), ["", None, [], 1]),
    (("payload", "authorization", "from"), ADDRESS_REFUSED),
    (("payload", "authorization", "to"), ADDRESS_REFUSED),
    (("payload", "authorization", "value"), UINT_REFUSED),
    (("payload", "authorization", "validAfter"), TIME_REFUSED),
    (("payload", "authorization", "validBefore"), TIME_REFUSED),
    (("payload", "authorization", "nonce"), NONCE_REFUSED),
    (("payload", "signature"), SIGNATURE_REFUSED),
    (("payload", "permit2Authorization"), [{}, None]),
]
IN_VERSION_1: list[tuple[tuple[str, ...], list[Any]]] = [(("scheme",), [None, 1]), (("network",), [None, 8453])]
IN_VERSION_2: list[tuple[tuple[str, ...], list[Any]]] = [
    (("accepted",), ["", None, [], 1]),
    (("accepted", "scheme"), [None, 1]),
    (("accepted", "network"), [None, 8453]),
    (("accepted", "asset"), ADDRESS_REFUSED),
    (("accepted", "payTo"), ADDRESS_REFUSED),
    (("accepted", "amount"), [*UINT_REFUSED, 1_000_000]),
    (("accepted", "maxTimeoutSeconds"), ["1800", None, True, -1, 2**31]),
    (("accepted", "extra"), [None, [], ""]),
    (("resource",), ["https://api.example.com/rent"]),
    (("extensions",), [[], ""]),
    (("extensions", "payment-identifier"), [None, [], "id"]),
    (("extensions", "payment-identifier", "info"), [None, [], "id"]),
    (("extensions", "payment-identifier", "info", "id"), ["", "x" * 15, "x" * 129, "x" * 16 + "\n", "é" * 16, 5, None]),
]


def named(part: object) -> str:
    return ".".join(part) if isinstance(part, tuple) else repr(part)[:20]


def bad_values() -> Iterator[tuple[int, tuple[str, ...], object]]:
    for versions, table in (((1, 2), IN_BOTH), ((1,), IN_VERSION_1), ((2,), IN_VERSION_2)):
        for version in versions:
            for path, values in table:
                for value in values:
                    yield version, path, value


@pytest.mark.parametrize(("version", "path", "value"), list(bad_values()), ids=named)
def test_a_member_of_the_wrong_kind_is_refused_by_its_name(version: int, path: tuple[str, ...], value: object) -> None:
    refused = refusal(changed(version, *path, value=value))

    assert refused.members["field"] == ".".join(("payment", *path))


OPTIONAL = {("resource",), ("extensions",), ("accepted", "extra")}


def members(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            yield from members(inner, (*path, name))


def all_members() -> list[tuple[int, tuple[str, ...]]]:
    return [(version, path) for version, made in SIGNED.items() for path in members(made)]


def required_members() -> Iterator[tuple[int, tuple[str, ...]]]:
    for version, path in all_members():
        if not any(path[: len(optional)] == optional for optional in OPTIONAL):
            yield version, path


@pytest.mark.parametrize(("version", "path"), list(required_members()), ids=named)
def test_a_missing_member_is_refused_by_its_name(version: int, path: tuple[str, ...]) -> None:
    made = copy.deepcopy(SIGNED[version])
    place = made
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]

    assert refusal(made).members["field"] == ".".join(("payment", *path))


@pytest.mark.parametrize("path", sorted(OPTIONAL))
def test_a_version_2_payment_may_leave_out_what_it_need_not_echo(path: tuple[str, ...]) -> None:
    made = copy.deepcopy(SIGNED[2])
    place = made if len(path) == 1 else made[path[0]]
    del place[path[-1]]

    assert decode(made).authorization == PLAIN[2].authorization


@pytest.mark.parametrize(("version", "path"), all_members(), ids=named)
def test_every_change_of_one_value_is_refused_or_shows_in_the_bytes(version: int, path: tuple[str, ...]) -> None:
    values: list[object] = ["", "x", "1", 7, None, [], {}, True]
    for value in values:
        made = changed(version, *path, value=value)
        try:
            found = decode(made)
        except (RequestInvalid, PaymentRefused):
            continue
        assert found.canonical != PLAIN[version].canonical
        assert json.loads(found.canonical) != json.loads(PLAIN[version].canonical)


# ---- one text, one reading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "path"), all_members(), ids=named)
@pytest.mark.parametrize("respell", [str, str.upper, str.capitalize])
def test_a_member_given_twice_is_refused_at_every_level(
    version: int, path: tuple[str, ...], respell: Callable[[str], str]
) -> None:
    marked = json.dumps(changed(version, *path, value="MARK"))
    name = json.dumps(path[-1])
    doubled = marked.replace(f'{name}: "MARK"', f'{name}: "a", {json.dumps(respell(path[-1]))}: "b"')

    with pytest.raises(RequestInvalid, match="a member occurs twice"):
        decode_payment(base64.b64encode(doubled.encode()).decode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{} {}",
        b'{"x402Version":1e0}',
        b'{"x402Version":NaN}',
        b"\xff",
        b'"\\ud800"',
        b"[" * 9_000,
        b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
        b'{"a":"\\ud800"}',
        b"9" * 9_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_what_is_not_one_plain_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(RequestInvalid) as refused:
        decode_payment(base64.b64encode(text).decode())

    assert (refused.value.code, refused.value.members["field"]) == ("invalid_payment", "payment")


@pytest.mark.parametrize("spoil", ["{}", " {}", "{}\n", "{}=", "{}!", "{}====", "\u00e9{}"])
def test_what_is_not_padded_standard_base64_is_refused(spoil: str) -> None:
    header = to_header(SIGNED[1])
    spoiled = header.rstrip("=")[:-1] if spoil == "{}" else spoil.format(header)

    with pytest.raises(RequestInvalid, match=r"not standard base64 with padding"):
        decode_payment(spoiled)


def test_a_header_at_the_size_limit_is_read_and_one_beyond_it_is_not() -> None:
    made = copy.deepcopy(SIGNED[1])
    spare = MAX_HEADER_CHARS // 4 * 3 - len(json.dumps({**made, "memo": ""}))

    assert decode({**made, "memo": "x" * spare}).authorization == PLAIN[1].authorization
    with pytest.raises(RequestInvalid, match="longer than 16384 characters"):
        decode({**made, "memo": "x" * (spare + 1)})


def test_a_smart_wallets_signature_is_read_up_to_the_limit() -> None:
    signature = "0x" + "ab" * MAX_SIGNATURE_BYTES

    assert decode(changed(2, "payload", "signature", value=signature)).signature == signature


def test_a_refusal_quotes_nothing_of_the_payment() -> None:
    signature = SIGNED[1]["payload"]["signature"]
    broken = json.dumps(SIGNED[1])[:-1]

    refused = [refusal(changed(1, "payload", "signature", value=signature + "zz"))]
    with pytest.raises(RequestInvalid) as unread:
        decode_payment(base64.b64encode(broken.encode()).decode())

    assert all(signature[2:] not in str(each) for each in (*refused, unread.value))


@given(st.binary(max_size=300))
def test_no_bytes_lead_to_another_error_than_a_refusal(data: bytes) -> None:
    with pytest.raises(RequestInvalid):
        decode_payment(base64.b64encode(data).decode())


@given(st.text(max_size=300))
def test_no_text_leads_to_another_error_than_a_refusal(text: str) -> None:
    with pytest.raises(RequestInvalid):
        decode_payment(text)


@given(st.sampled_from([1, 2]), st.data())
def test_a_flipped_byte_leads_to_no_other_error_than_a_refusal(version: int, data: st.DataObject) -> None:
    raw = bytearray(json.dumps(SIGNED[version]).encode())
    raw[data.draw(st.integers(min_value=0, max_value=len(raw) - 1))] = data.draw(st.integers(0, 255))

    try:
        found = decode_payment(base64.b64encode(raw).decode())
    except (RequestInvalid, PaymentRefused):
        return
    assert decode_payment(base64.b64encode(found.canonical).decode()) == found
