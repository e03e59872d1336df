"""Countries and services are known by many names; each means one code, and what is not known is never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoneagent.core.catalog import COUNTRIES, SERVICES
from phoneagent.core.spellings import ALPHA3, COUNTRY_SPELLINGS, LONGEST_CHARS, MOST_SUGGESTIONS, SERVICE_SPELLINGS

ALL = [(COUNTRY_SPELLINGS, code, name) for code, name in COUNTRIES.items()]
ALL += [(SERVICE_SPELLINGS, code, name) for code, name in SERVICES.items()]


def _spelled(name: str) -> st.SearchStrategy[str]:
    """A name in any letter case, with blanks and points strewn in."""
    cased = st.sampled_from([str.upper, str.lower, str.title, str])
    return st.builds(lambda case, glue: glue.join(case(name).split(" ")), cased, st.sampled_from([" ", "_", "-", ". "]))


@given(st.data())
def test_every_code_and_every_name_on_sale_is_understood_however_it_is_typed(data: st.DataObject) -> None:
    spellings, code, name = data.draw(st.sampled_from(ALL))
    for text in (code, name):
        assert spellings.find(data.draw(_spelled(text))) == code
        assert spellings.find(f"  {text}. ") == code


def test_every_country_has_its_alpha_3() -> None:
    assert list(ALPHA3) == list(COUNTRIES)
    assert len(set(ALPHA3.values())) == len(COUNTRIES)
    assert all(COUNTRY_SPELLINGS.find(alpha3) == code for code, alpha3 in ALPHA3.items())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("USA", "US"),
        ("u.s.a.", "US"),
        ("United States of America", "US"),
        ("the United States", "US"),
        ("UK", "GB"),
        ("great britain", "GB"),
        ("Holland", "NL"),
        ("The Netherlands", "NL"),
        ("Republic of Korea", "KR"),
        ("Korea, South", "KR"),
        ("Viet Nam", "VN"),
        ("México", "MX"),
        ("UAE", "AE"),
        ("Taiwan, Province of China", "TW"),
    ],
)
def test_common_other_names_of_countries_are_understood(text: str, code: str) -> None:
    assert COUNTRY_SPELLINGS.find(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("telegram", "tg"),
        ("What's App", "wa"),
        ("Gmail", "go"),
        ("google", "go"),
        ("Twitter", "tw"),
        ("X", "tw"),
        ("iCloud", "wx"),
        ("Pay-Pal", "pm"),
        ("OTHER", "other"),
    ],
)
def test_common_other_names_of_services_are_understood(text: str, code: str) -> None:
    assert SERVICE_SPELLINGS.find(text) == code


@pytest.mark.parametrize("text", ["", " ", ".", "the", "XX", "Niger", "Russia", "US" * 40, "\ud800", "🇺🇸"])
def test_what_is_not_on_the_list_is_not_guessed(text: str) -> None:
    assert COUNTRY_SPELLINGS.find(text) is None


@pytest.mark.parametrize(
    ("text", "first"),
    [("Untied States", "US"), ("Germny", "DE"), ("Niger", "NG"), ("Phillipines", "PH"), ("Unted Kingdom", "GB")],
)
def test_the_nearest_country_is_suggested(text: str, first: str) -> None:
    assert COUNTRY_SPELLINGS.nearest(text)[0] == first


@pytest.mark.parametrize(("text", "first"), [("telegrm", "tg"), ("whatsup", "wa"), ("Gogle", "go"), ("twiter", "tw")])
def test_the_nearest_service_is_suggested(text: str, first: str) -> None:
    assert SERVICE_SPELLINGS.nearest(text)[0] == first


@pytest.mark.parametrize("text", ["", "qqq", "x" * (LONGEST_CHARS + 1)])
def test_what_is_like_nothing_gets_no_suggestion(text: str) -> None:
    assert COUNTRY_SPELLINGS.nearest(text) == ()


@given(st.text(max_size=80))
def test_any_text_has_at_most_three_suggestions_all_of_them_on_sale(text: str) -> None:
    near = COUNTRY_SPELLINGS.nearest(text)
    assert len(set(near)) == len(near) <= MOST_SUGGESTIONS
    assert set(near) <= COUNTRIES.keys()
