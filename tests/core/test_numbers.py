"""Numbers in the books: found by who has number and key, and by nobody else."""

import pytest

from phoneagent.core.numbers import NumberHasher, digits

OLD, NEW = b"an old secret of tests" * 2, b"a new secret of tests" * 2
NUMBER = "14155550100"


@pytest.mark.parametrize("spelling", ["+14155550100", "+1 (415) 555-0100", "0014155550100", "14155550100"])
def test_a_number_is_the_same_however_it_is_written(spelling: str) -> None:
    hasher = NumberHasher([NEW])
    assert digits(spelling) == NUMBER
    assert hasher.hash(spelling) == hasher.hash(NUMBER)


@pytest.mark.parametrize("text", ["", "+", "four one five", "1234", "1" * 16, "14155550100x"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a phone number"):
        digits(text)


def test_a_hash_depends_on_number_and_key_and_shows_neither() -> None:
    hashed = NumberHasher([NEW]).hash(NUMBER)
    assert hashed != NumberHasher([OLD]).hash(NUMBER)
    assert hashed != NumberHasher([NEW]).hash("14155550101")
    assert NUMBER not in hashed
    assert NEW.hex() not in hashed


def test_after_a_rotation_both_hashes_are_looked_for_and_new_ones_are_made_under_the_new_key() -> None:
    before, after = NumberHasher([OLD]), NumberHasher([NEW, OLD])
    assert after.all(NUMBER) == {before.hash(NUMBER), NumberHasher([NEW]).hash(NUMBER)}
    assert after.hash(NUMBER) == NumberHasher([NEW]).hash(NUMBER)
    assert after.knows(before.hash(NUMBER))
    assert not before.knows(after.hash(NUMBER))
