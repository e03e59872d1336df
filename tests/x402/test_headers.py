import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.x402 import headers


@given(st.binary(max_size=64))
def test_a_value_reads_back_as_what_was_written(data: bytes) -> None:
    assert headers.from_base64(headers.base64_of(data).decode()) == data


def test_json_in_a_header_is_compact_padded_base64() -> None:
    assert base64.b64decode(headers.to_header({"a": "é"}), validate=True) == '{"a":"é"}'.encode()


@pytest.mark.parametrize(
    "value",
    ["e30", "e30==", "e3 0=", "e30=\n", "e30=e30=", "=e30", "e30=x", "eyJhIjoi77-9In0=", "é30=", "{}", "\ud800"],
    ids=repr,
)
def test_any_other_spelling_of_base64_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not standard base64 with padding"):
        headers.from_base64(value)
