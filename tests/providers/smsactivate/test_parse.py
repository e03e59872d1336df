"""The parser holds against anything a host may send."""

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from phoneagent.providers.smsactivate import parse
from phoneagent.providers.smsactivate.prices import Price, prices


@given(st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b'{"cost":1e99999999999999999999}')
@example(b'{"cost":NaN}')
@example(b'{"title":"' + b"A" * 100_000)
@example(b"\xff\xfe\x00")
def test_no_body_breaks_it_and_none_is_forgotten(body: bytes) -> None:
    reply = parse.parse(body)

    assert reply.text in body.decode("utf-8", "replace")


@given(st.text(min_size=1).filter(lambda text: text.strip(" \t\r\n\0\ufeff:") != ""))
def test_whatever_stands_behind_status_ok_gives_a_text(rest: str) -> None:
    assert parse.sms_text(rest) in rest


@given(st.from_regex(r"[0-9]{4,8}", fullmatch=True), st.text(min_size=1).filter(lambda text: text.strip() == text))
def test_a_code_and_a_text_give_the_text(code: str, text: str) -> None:
    assert parse.sms_text(f"{code}:{text}") == text


def test_money_is_never_a_float() -> None:
    reply = parse.parse(b'{"187":{"go":{"cost":0.31,"count":7}}}')

    assert isinstance(reply, parse.Data)
    assert list(prices(reply.value)) == [Price("187", "go", Decimal("0.31"), 7)]


def test_a_title_that_is_no_word_is_unreadable() -> None:
    assert parse.parse(b'{"title":"Not Found"}') == parse.Unreadable('{"title":"Not Found"}')
