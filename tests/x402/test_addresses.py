import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.x402 import checksum_address, lower_address


@given(st.binary(min_size=20, max_size=20))
def test_a_checksum_is_what_eth_utils_writes(raw: bytes) -> None:
    assert checksum_address("0x" + raw.hex()) == to_checksum_address(raw)


@given(st.binary(min_size=20, max_size=20), st.lists(st.booleans(), min_size=41, max_size=41))
def test_letter_case_does_not_change_an_address(raw: bytes, uppers: list[bool]) -> None:
    spelled = "0" + "".join(
        letter.upper() if upper else letter for letter, upper in zip("x" + raw.hex(), uppers, strict=True)
    )

    assert lower_address(spelled) == "0x" + raw.hex()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "ab" * 20,
        "0x" + "ab" * 19,
        "0x" + "ab" * 21,
        "0x" + "gg" * 20,
        "0x" + "ab" * 20 + "\n",
        "0x" + "٣" * 40,
    ],
)
def test_anything_but_twenty_prefixed_bytes_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="an address is 0x and 40 hex digits"):
        lower_address(text)
