"""Who is asked for a number, and in which order: a pure function of offers, deliveries and breakers."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from phoneagent.core.breaker import Breaker, Trouble
from phoneagent.core.routing import Source, Wanted, ranked

NOW = 1_800_000_000_000
WANTED = Wanted("US", "go", 600_000, NOW)
OPEN = Breaker(Trouble.AUTH, NOW + 1, 1)
HALF_OPEN = Breaker(Trouble.AUTH, NOW, 1)


def source(name: str, cost_atomic: int = 300_000, count: int = 10, delivered: int = 0, ended: int = 0) -> Source:
    return Source(name, cost_atomic, count, NOW, delivered, ended)


def test_the_cheapest_comes_first_and_equals_keep_their_order() -> None:
    assert ranked(WANTED, [source("a", 300_000), source("b", 200_000), source("c", 200_000)], {}) == ["b", "c", "a"]


def test_nobody_above_the_ceiling_without_stock_or_with_an_open_breaker_is_asked() -> None:
    sources = [source("dear", 600_001), source("dry", count=0), source("open"), source("good", 600_000)]
    assert ranked(WANTED, sources, {"open": OPEN}) == ["good"]


def test_who_waits_for_a_probe_comes_after_the_healthy_and_whoever_was_dry_after_those_who_were_not() -> None:
    sources = [source("half", 1), source("dry", 2), source("dear", 600_000)]
    assert ranked(WANTED, sources, {"half": HALF_OPEN}, frozenset({"dry"})) == ["dear", "dry", "half"]


def test_a_good_delivery_rate_outweighs_a_lower_cost_once_there_are_enough_samples() -> None:
    cheap, sure = source("cheap", 200_000, delivered=20, ended=100), source("sure", 400_000, delivered=95, ended=100)
    assert ranked(WANTED, [cheap, sure], {}) == ["sure", "cheap"]


def test_one_silent_rental_does_not_make_a_provider_dearer_than_one_twice_its_cost() -> None:
    unlucky, dear = source("unlucky", 200_000, delivered=0, ended=1), source("dear", 400_000)
    assert ranked(WANTED, [dear, unlucky], {}) == ["unlucky", "dear"]


_SOURCES = st.lists(
    st.builds(
        source,
        st.sampled_from("abcdef"),
        st.integers(0, 1_000_000),
        st.integers(-1, 3),
        st.integers(0, 50),
        st.integers(50, 100),
    ),
    unique_by=lambda one: one.provider,
)
_BREAKERS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([Breaker(), OPEN, HALF_OPEN]))


@given(_SOURCES, _BREAKERS)
def test_whatever_is_offered_only_the_able_are_named_each_once(
    sources: list[Source], breakers: dict[str, Breaker]
) -> None:
    named = ranked(WANTED, sources, breakers)
    able = {one.provider for one in sources if one.count > 0 and one.cost_atomic <= 600_000}
    assert sorted(named) == sorted(able - {name for name, one in breakers.items() if one == OPEN})


@given(_SOURCES)
def test_more_deliveries_never_put_a_provider_further_back(sources: list[Source]) -> None:
    for number, one in enumerate(sources):
        better = [*sources]
        better[number] = replace(one, delivered=one.ended)
        named, before = ranked(WANTED, better, {}), ranked(WANTED, sources, {})
        if one.provider in before:
            assert named.index(one.provider) <= before.index(one.provider)
