"""The shop window is the published one: the countries, services and two prices of the storefront's API document."""

import pytest

from phoneagent.core import catalog
from phoneagent.core.catalog import COUNTRIES, PRICES_ATOMIC, SERVICES, Catalogue, Mode

SEED_COUNTRIES = [
    *["UA", "KZ", "CN", "PH", "MM", "ID", "MY", "KE", "TZ", "VN", "US", "IL", "HK", "PL", "GB", "MG", "NG", "EG"],
    *["IN", "IE", "KH", "LA", "RS", "ZA", "RO", "CO", "EE", "CA", "MA", "GH", "AR", "UZ", "DE", "LT", "HR", "SE"],
    *["NL", "LV", "AT", "BY", "TH", "SA", "MX", "TW", "ES", "BD", "CZ", "LK", "PE", "PK", "NZ", "BR", "KR", "MN"],
    *["NP", "CY", "FR", "HU", "BG", "FI", "IT", "PY", "AE", "NO", "PT", "GE", "MD", "KW", "AM", "AU", "CH", "DK"],
    "SG",
]
SEED_SERVICES = ["tg", "wa", "go", "fb", "ig", "tw", "ds", "mm", "wx", "pm", "other"]
AT = 1_764_000_000_000
GRACE = 600_000


def shelf(version: int, as_of_ms: int, **pools: int) -> Catalogue:
    """A catalogue of pairs named like US_go."""
    pairs = {(name.partition("_")[0], name.partition("_")[2]): pool for name, pool in pools.items()}
    return catalog.build(version, as_of_ms, pairs)


def test_the_countries_are_those_of_the_seed_in_its_order() -> None:
    assert list(COUNTRIES) == SEED_COUNTRIES
    assert len(set(COUNTRIES.values())) == len(SEED_COUNTRIES) == 73


def test_the_services_are_those_of_the_seed_in_its_order() -> None:
    assert list(SERVICES) == SEED_SERVICES
    assert SERVICES["go"] == "Google / Gmail"
    assert SERVICES["other"] == "Any other service"


def test_there_are_two_skus_at_one_and_two_dollars() -> None:
    assert {mode.value: price for mode, price in PRICES_ATOMIC.items()} == {
        "activate": 1_000_000,
        "activate_premium": 2_000_000,
    }
    assert catalog.COUNTRIES_PRICE_ATOMIC == 10_000
    assert (catalog.MIN_DURATION_MINUTES, catalog.MAX_DURATION_MINUTES) == (1, 20)


@pytest.mark.parametrize("service", SEED_SERVICES)
def test_only_telegram_and_whatsapp_are_premium(service: str) -> None:
    wanted = Mode.ACTIVATE_PREMIUM if service in {"tg", "wa"} else Mode.ACTIVATE

    assert catalog.mode_of(service) is wanted


def test_a_catalogue_lists_known_pairs_with_the_price_of_their_sku() -> None:
    built = shelf(3, AT, US_go=5, US_tg=2, XX_go=9, US_zz=9)

    assert set(built.listings) == {("US", "go"), ("US", "tg")}
    row = built.find("US", "tg")
    assert row is not None
    assert (row.mode, row.price_atomic, row.pool) == (Mode.ACTIVATE_PREMIUM, 2_000_000, 2)
    assert (built.version, built.as_of_ms) == (3, AT)


def test_a_pair_without_stock_is_sold_but_not_shown() -> None:
    built = shelf(1, AT, US_go=0, FR_go=-4)

    assert built.find("US", "go") is not None
    row = built.find("FR", "go")
    assert row is not None
    assert row.pool == 0
    assert built.storefront() == []
    assert built.find("DE", "go") is None


def test_the_storefront_lists_countries_and_services_in_the_seeds_order() -> None:
    built = shelf(1, AT, US_other=1, US_tg=2, UA_go=3)

    assert [entry["code"] for entry in built.storefront()] == ["UA", "US"]
    assert built.storefront("US") == [
        {
            "code": "US",
            "name": "United States",
            "services": [
                {"code": "tg", "name": "Telegram", "mode": "activate_premium", "price_usdc": 2, "pool": 2},
                {"code": "other", "name": "Any other service", "mode": "activate", "price_usdc": 1, "pool": 1},
            ],
        }
    ]


@pytest.mark.parametrize("country", ["DE", "XX", "", "us"])
def test_a_country_with_nothing_to_sell_gives_an_empty_storefront(country: str) -> None:
    assert shelf(1, AT, US_go=1).storefront(country) == []


def test_alternatives_are_the_best_stocked_countries_of_the_service() -> None:
    built = shelf(1, AT, US_go=5, FR_go=9, DE_go=9, GB_go=0, PL_tg=99, SE_go=1, NO_go=2, DK_go=3)

    assert built.alternatives("go") == ["DE", "FR", "US", "DK", "NO"]
    assert built.alternatives("go", most=1) == ["DE"]
    assert built.alternatives("wa") == []


def priced(version: int, as_of_ms: int, price_atomic: int) -> Catalogue:
    row = catalog.Listing("US", "go", Mode.ACTIVATE, price_atomic, 1)
    return Catalogue(version, as_of_ms, {("US", "go"): row})


@pytest.mark.parametrize(
    ("since_change_ms", "good"), [(0, {1, 2}), (GRACE, {1, 2}), (GRACE + 1, {2}), (100 * GRACE, {2})]
)
def test_a_price_is_good_for_ten_minutes_after_the_next_one(since_change_ms: int, good: set[int]) -> None:
    recent = [priced(1, AT - GRACE, 1), priced(2, AT, 2)]

    assert catalog.good_prices(recent, "US", "go", AT + since_change_ms) == good


def test_a_pair_that_left_the_catalogue_keeps_its_price_for_ten_minutes() -> None:
    recent = [priced(1, AT - GRACE, 1), shelf(2, AT)]

    assert catalog.good_prices(recent, "US", "go", AT + GRACE) == {1}
    assert catalog.good_prices(recent, "US", "go", AT + GRACE + 1) == set()


def test_before_the_first_catalogue_no_price_is_good() -> None:
    assert catalog.good_prices([], "US", "go", AT) == set()
