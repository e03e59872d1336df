"""Errors are a closed set of codes in one tree; a code that nobody wrote down cannot be raised."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from phoneagent.core import errors
from phoneagent.core.errors import MEANINGS, PhoneAgentError, RetryAction

ROOT = Path(__file__).parents[2] / "phoneagent"
BRANCH = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+)", re.MULTILINE)


def family() -> dict[str, type[PhoneAgentError]]:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    return {kind.__name__: kind for kind in classes if issubclass(kind, PhoneAgentError)}


def drawn_parents() -> dict[str, str]:
    """Child → parent, as the tree at the top of the module draws it."""
    path = {-1: "PhoneAgentError"}
    parents = {}
    for branch in BRANCH.finditer(errors.__doc__ or ""):
        depth = len(branch["indent"]) // 4
        parents[branch["name"]] = path[depth - 1]
        path[depth] = branch["name"]
    return parents


def test_the_tree_is_drawn_as_it_is() -> None:
    real = {name: kind.__bases__[0].__name__ for name, kind in family().items() if kind is not PhoneAgentError}

    assert drawn_parents() == real


def test_a_code_that_is_not_in_the_table_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        PhoneAgentError("no_such_code")


def test_an_error_says_its_code_its_detail_and_its_members() -> None:
    error = errors.RequestInvalid("invalid_request", "country is missing", field="country")

    assert (error.code, error.detail, error.members) == ("invalid_request", "country is missing", {"field": "country"})
    assert str(error) == "invalid_request: country is missing"
    assert error.meaning.retry_action is RetryAction.CHANGE_REQUEST


def test_an_error_without_detail_speaks_by_its_title() -> None:
    assert errors.Unavailable("no_inventory").detail == MEANINGS["no_inventory"].title


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PaymentBound(), "payment_bound_elsewhere"),
        (errors.KeyBound(), "key_bound_elsewhere"),
        (errors.NotFound(), "not_found"),
        (errors.IllegalTransition("a → b"), "illegal_transition"),
        (errors.LeaseLost("r_1"), "lease_lost"),
    ],
)
def test_an_error_of_one_meaning_knows_its_code(error: PhoneAgentError, code: str) -> None:
    assert error.code == code


def test_an_unknown_rental_and_a_wrong_token_are_one_text() -> None:
    assert str(errors.NotFound()) == str(errors.NotFound())
    assert inspect.signature(errors.NotFound).parameters == {}


def test_codes_are_snake_case_and_titles_are_for_people() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in MEANINGS)
    assert all(meaning.title[0].isupper() and not meaning.title.endswith(".") for meaning in MEANINGS.values())


def test_only_codes_that_say_wait_name_a_time() -> None:
    timed = {code for code, meaning in MEANINGS.items() if meaning.retry_after_s is not None}
    waiting = {RetryAction.WAIT_AND_RETRY, RetryAction.RETRY_SAME_PAYMENT, RetryAction.POLL}

    assert all(MEANINGS[code].retry_action in waiting for code in timed)
    assert all((MEANINGS[code].retry_after_s or 0) > 0 for code in timed)


CODED = {name for name in family() if "code" in inspect.signature(family()[name]).parameters}


def codes_in(path: Path) -> set[str]:
    """The codes written out where an error of the family is made."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and node.args]
    made = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in CODED]
    return {arg.value for arg in made if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}


def test_every_code_written_in_the_product_is_in_the_table() -> None:
    used = {code for path in ROOT.rglob("*.py") for code in codes_in(path)}

    assert used
    assert used - set(MEANINGS) == set()
