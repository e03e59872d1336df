"""A record reads back as it was written: no field is dropped, whatever it holds."""

from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.core.hold import Hold
from phoneagent.core.order import Order
from phoneagent.core.payment import Authorization, Payment
from phoneagent.core.rental import Message, Rental, RentRequest
from phoneagent.core.transitions import Activation
from phoneagent.store import codec
from tests.core.stories import STORIES

UNSTORED = {"contradiction"}
"""A contradicting payment is refused with the terms and never claimed (core.payment)."""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(0, 2**53)


def values(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any value of a record's class, field by field, so that a field added later is drawn too."""
    hints = get_type_hints(kind)
    stored = {field.name: _of(hints[field.name]) for field in fields(kind) if field.name not in UNSTORED}
    return st.builds(kind, **stored)


def _of(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 -- a type hint has no type of its own
    parts = getattr(hint, "__args__", ())
    if parts and parts[-1] is type(None):
        return st.none() | _of(parts[0])
    if parts and parts[-1] is Ellipsis:
        return st.lists(_of(parts[0]), max_size=3).map(tuple)
    if is_dataclass(hint):
        return values(hint) if isinstance(hint, type) else st.nothing()
    if issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    simple = {int: numbers, str: texts, bool: st.booleans(), bytes: texts.map(str.encode)}
    return simple[hint]


@given(values(Rental))
def test_any_record_reads_back_as_it_was_written(rental: Rental) -> None:
    assert codec.decode(codec.encode(rental)) == rental


@given(values(Rental), values(Rental), st.sets(st.sampled_from([field.name for field in fields(Rental)])))
def test_the_difference_of_two_records_turns_one_into_the_other(before: Rental, other: Rental, kept: set[str]) -> None:
    after = replace(other, **{name: getattr(before, name) for name in kept})
    written, gone = codec.difference(before, after)

    stored = {**codec.encode(before), **dict(zip(written[::2], written[1::2], strict=True))}
    assert {name: value for name, value in stored.items() if name not in gone} == codec.encode(after)


def test_what_stays_as_it_is_is_not_written_again() -> None:
    before = STORIES["created"]

    assert codec.difference(before, replace(before, rev=before.rev + 1)) == (["rev", str(before.rev + 1)], [])


@pytest.mark.parametrize("story", STORIES)
def test_every_story_reads_back_as_it_was_written(story: str) -> None:
    assert codec.decode(codec.encode(STORIES[story])) == STORIES[story]


def test_every_field_of_a_record_is_drawn() -> None:
    drawn = {field.name for kind in (Rental, Payment, Authorization, Hold, Order) for field in fields(kind)}

    assert {"claim_is_free", "hold", "evidence", "nonce", "idempotency_key"} <= drawn
    assert all(is_dataclass(kind) for kind in (Message, RentRequest))


@given(values(Rental), st.integers(1, 9))
def test_the_fields_of_a_lease_are_passed_over(rental: Rental, fence: int) -> None:
    lease = dict.fromkeys(codec.LEASE_FIELDS, str(fence))

    assert codec.decode({**codec.encode(rental), **lease}) == rental
    assert codec.LEASE_FIELDS.isdisjoint(codec.encode(rental))


def test_nothing_is_written_for_what_is_not_known() -> None:
    written = codec.encode(STORIES["created"])

    assert not any(name.startswith(("hold_", "order_")) for name in written)
    assert {"expires_at_ms", "messages", "claim_is_free", "is_retired", "release_code"}.isdisjoint(written)
    assert all(isinstance(value, str) for value in written.values())


@given(values(Activation))
def test_any_activation_reads_back_as_it_was_written(activation: Activation) -> None:
    assert codec.activation_of(codec.activation_text(activation)) == activation
