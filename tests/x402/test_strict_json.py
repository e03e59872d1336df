import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.x402 import strict_json


def _folded(pair: tuple[str, object]) -> str:
    return pair[0].casefold()


names = st.text(max_size=6)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-strict_json.MAX_INTEGER, max_value=strict_json.MAX_INTEGER)
    | st.text(max_size=8)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(st.tuples(names, inner), max_size=4, unique_by=_folded).map(dict)
    ),
    max_leaves=12,
)
objects = st.lists(st.tuples(names, values), max_size=5, unique_by=_folded).map(dict)


@given(objects)
def test_what_is_written_reads_as_the_same_value(value: dict[str, Any]) -> None:
    assert strict_json.read_object(strict_json.write(value)) == value
    assert strict_json.read_object(strict_json.write_canonical(value)) == value


@given(objects, st.sampled_from([{"ensure_ascii": False}, {"indent": 3}, {"separators": (" , ", " : ")}]))
def test_the_canonical_spelling_does_not_depend_on_the_writer(value: dict[str, Any], style: dict[str, Any]) -> None:
    backwards = dict(reversed(value.items()))
    text = json.dumps(backwards, **style)

    read = strict_json.read_object(text.encode())

    assert strict_json.write_canonical(read) == strict_json.write_canonical(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"A":2}',
        '{"payload":1,"\\u0070ayload":2}',
        '{"s":1,"\u017f":2}',  # Go's encoding/json folds the long s and the Kelvin sign
        '{"k":1,"\u212a":2}',
        '{"a":{"b":[{"c":1,"c":2}]}}',
    ],
)
def test_a_member_that_occurs_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a member occurs twice"):
        strict_json.read_object(text.encode())


@pytest.mark.parametrize("number", ["1.0", "1e6", "1E6", "-1.5", "0.01", "1e-2"])
def test_a_number_with_fraction_or_exponent_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="numbers must be integers"):
        strict_json.read_object(f'{{"a":{number}}}'.encode())


@pytest.mark.parametrize("number", ["-0", "9007199254740992", "-9007199254740992", "1" * 5000])
def test_an_integer_that_readers_may_not_agree_on_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        strict_json.read_object(f'{{"a":{number}}}'.encode())


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_are_not_json_are_refused(constant: str) -> None:
    with pytest.raises(ValueError, match="NaN and Infinity"):
        strict_json.read_object(f'{{"a":{constant}}}'.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a":01}',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":1}{"b":2}',
        b'{"a":1}\x00',
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        '{"a":1}'.encode("utf-16"),
    ],
)
def test_what_is_not_json_in_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        strict_json.read_object(data)


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_another_value_than_an_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        strict_json.read_object(data)


def nested(levels: int, opening: bytes, closing: bytes) -> bytes:
    return b'{"a":' + opening * (levels - 1) + b"1" + closing * (levels - 1) + b"}"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("levels", [strict_json.MAX_DEPTH + 1, 900, 100_000])
def test_deep_nesting_is_refused_before_the_parser_recurses(
    monkeypatch: pytest.MonkeyPatch, opening: bytes, closing: bytes, levels: int
) -> None:
    monkeypatch.setattr(strict_json, "_DECODER", None)

    with pytest.raises(ValueError, match="nested too deeply"):
        strict_json.read_object(nested(levels, opening, closing))


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_deepest_allowed_nesting_is_read(opening: bytes, closing: bytes) -> None:
    data = nested(strict_json.MAX_DEPTH, opening, closing)

    assert strict_json.write(strict_json.read_object(data)) == data


@pytest.mark.parametrize("text", ["[[[[", "]]]]", '\\"', "\\\\", "{"])
def test_brackets_in_a_text_do_not_nest(text: str) -> None:
    value = {"a": text * 50, text: [text, text]}

    assert strict_json.read_object(strict_json.write(value)) == value


@pytest.mark.parametrize(
    "data", [b'"' + b'\\"' * 6_000 + b"[" * 40, b"[" * 40 + b'"' * 9_001, b"[" * 40 + b"\\" * 9_001]
)
def test_text_without_an_end_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        strict_json.read_object(data)
