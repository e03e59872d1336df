"""A token opens its own rental and no other, also while keys rotate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.core.tokens import TokenSigner

OLD = TokenSigner("a", {"a": b"first secret"})
BOTH = TokenSigner("b", {"a": b"first secret", "b": b"second secret"})
NEW = TokenSigner("b", {"b": b"second secret"})


def test_a_token_names_its_key_and_carries_192_bits() -> None:
    token = OLD.token("r_00abc")

    assert token.startswith("tok_a_")
    assert len(token.removeprefix("tok_a_")) == 32


def test_a_token_is_derived_and_not_drawn() -> None:
    assert OLD.token("r_00abc") == TokenSigner("a", {"a": b"first secret"}).token("r_00abc")
    assert OLD.token("r_00abc") != OLD.token("r_00abd")
    assert OLD.token("r_00abc") != TokenSigner("a", {"a": b"other secret"}).token("r_00abc")


def test_both_keys_are_good_during_a_rotation_and_the_new_one_signs() -> None:
    assert BOTH.token("r_1") == NEW.token("r_1")
    assert BOTH.accepts("r_1", OLD.token("r_1"))
    assert BOTH.accepts("r_1", NEW.token("r_1"))
    assert BOTH.token("r_1", "a") == OLD.token("r_1")


def test_a_retired_key_opens_nothing() -> None:
    assert not NEW.accepts("r_1", OLD.token("r_1"))


def test_a_token_of_another_rental_opens_nothing() -> None:
    assert not OLD.accepts("r_2", OLD.token("r_1"))


def test_a_tag_under_another_keys_name_opens_nothing() -> None:
    assert not BOTH.accepts("r_1", OLD.token("r_1").replace("tok_a_", "tok_b_"))


@pytest.mark.parametrize("cut", [0, 1, -1])
def test_a_piece_of_a_token_opens_nothing(cut: int) -> None:
    token = OLD.token("r_1")

    assert not OLD.accepts("r_1", token[:cut])


@given(st.text() | st.text(st.characters(categories=["Cs"]), min_size=1))
def test_any_other_text_opens_nothing_and_breaks_nothing(text: str) -> None:
    assert not BOTH.accepts("r_1", text)


def test_a_secret_has_a_short_public_name_that_does_not_give_it_away() -> None:
    name = TokenSigner.key_id(b"first secret")

    assert name == TokenSigner.key_id(b"first secret") != TokenSigner.key_id(b"second secret")
    assert len(name) == 4
