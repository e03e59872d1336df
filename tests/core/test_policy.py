"""What is sold under which policy and switches: defaults, lists, classes, and that a verdict always has a reason."""

import pytest

from phoneagent.core import catalog, policy
from phoneagent.core.catalog import COUNTRIES, SERVICES
from phoneagent.core.policy import (
    CLASSES,
    EVERYTHING,
    REGULATED,
    SANCTIONED,
    Allowed,
    Denied,
    Policy,
    Reason,
    Rules,
    Switch,
    SwitchKind,
)

PAIRS = [(country, service) for country in COUNTRIES for service in SERVICES]
DEFAULT = Rules(Policy())


def test_by_default_paypal_and_belarus_are_off_and_all_else_is_sold() -> None:
    denied = {pair for pair in PAIRS if not isinstance(DEFAULT.verdict(*pair), Allowed)}
    assert denied == {pair for pair in PAIRS if pair[1] == "pm" or pair[0] == "BY"}


def test_every_service_on_sale_has_a_class() -> None:
    assert set(CLASSES) == set(SERVICES)
    assert {code for code, kind in CLASSES.items() if kind in REGULATED} == {"pm"}


def test_a_service_that_nobody_has_classed_is_not_sold() -> None:
    assert DEFAULT.verdict("US", "brand_new") == Denied(Reason.SERVICE_REGULATED, "service")


def test_every_sanction_names_its_source_and_its_day() -> None:
    assert {"CU", "IR", "KP", "BY"} <= set(SANCTIONED)
    for sanction in SANCTIONED.values():
        assert sanction.programme
        assert sanction.source
        assert len(sanction.as_of.split("-")) == 3


@pytest.mark.parametrize(
    ("chosen", "country", "service", "verdict"),
    [
        (Policy(regulated_services=frozenset({"pm"})), "US", "pm", Allowed()),
        (Policy(), "US", "pm", Denied(Reason.SERVICE_REGULATED, "service")),
        (Policy(sanctioned_countries=frozenset({"BY"})), "BY", "go", Allowed()),
        (Policy(), "BY", "go", Denied(Reason.COUNTRY_SANCTIONED, "country")),
        (Policy(), "KP", "go", Denied(Reason.COUNTRY_SANCTIONED, "country")),
        (Policy(only_services=frozenset({"go"})), "US", "tg", Denied(Reason.SERVICE_DENIED, "service")),
        (Policy(only_services=frozenset({"go"})), "US", "go", Allowed()),
        (Policy(only_services=frozenset({"pm"})), "US", "pm", Denied(Reason.SERVICE_REGULATED, "service")),
        (Policy(only_countries=frozenset({"US"})), "GB", "go", Denied(Reason.COUNTRY_DENIED, "country")),
        (Policy(denied_countries=frozenset({"US"})), "US", "go", Denied(Reason.COUNTRY_DENIED, "country")),
        (
            Policy(denied_services=frozenset({"pm"}), regulated_services=frozenset({"pm"})),
            *("US", "pm", Denied(Reason.SERVICE_DENIED, "service")),
        ),
        (
            Policy(only_countries=frozenset({"US"}), denied_countries=frozenset({"US"})),
            *("US", "go", Denied(Reason.COUNTRY_DENIED, "country")),
        ),
    ],
)
def test_a_denial_goes_before_a_permission(chosen: Policy, country: str, service: str, verdict: policy.Verdict) -> None:
    assert Rules(chosen).verdict(country, service) == verdict


@pytest.mark.parametrize(
    ("kind", "name", "reason", "field"),
    [
        (SwitchKind.SERVICE, "tg", Reason.SERVICE_SWITCHED_OFF, "service"),
        (SwitchKind.COUNTRY, "US", Reason.COUNTRY_SWITCHED_OFF, "country"),
    ],
)
def test_a_switch_stops_its_own_and_nothing_else(kind: SwitchKind, name: str, reason: Reason, field: str) -> None:
    rules = policy.rules(EVERYTHING, [Switch(kind, name, "a test", "me")])
    assert rules.verdict("US", "tg") == Denied(reason, field)
    assert rules.verdict("GB", "go") == Allowed()
    assert rules.buys_from("smsfast")


def test_a_provider_that_is_off_denies_no_pair() -> None:
    rules = policy.rules(EVERYTHING, [Switch(SwitchKind.PROVIDER, "smsfast", "a test", "me")])
    assert not rules.buys_from("smsfast")
    assert rules.buys_from("another")
    assert all(isinstance(rules.verdict(*pair), Allowed) for pair in PAIRS)


def test_a_catalogue_is_shown_without_what_is_not_sold() -> None:
    whole = catalog.build(7, 1, dict.fromkeys(PAIRS, 5))
    shown = DEFAULT.shown(whole)
    assert (shown.version, shown.as_of_ms) == (whole.version, whole.as_of_ms)
    assert set(shown.listings) == {pair for pair in PAIRS if isinstance(DEFAULT.verdict(*pair), Allowed)}
    assert shown.alternatives("pm") == []
    assert "BY" not in {entry["code"] for entry in shown.storefront()}
    assert Rules(EVERYTHING).shown(whole) is whole
