"""A process starts with settings that make a whole, or with a list of everything that is wrong and nothing secret."""

import os
from collections.abc import Callable

import pytest

from phoneagent.bootstrap.upstreams import upstreams
from phoneagent.providers.smsactivate import HERO, SMSFAST, generic
from phoneagent.providers.smsactivate.profile import OPTIONAL_ACTIONS
from phoneagent.settings import HANDLER_ACTIONS, PROVIDERS, Settings, SettingsError, read_settings

ADDRESS = "0x" + "Ee" * 20
SECRET = "correct horse battery staple " * 2
WHOLE = {
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "RPC_URL": "http://127.0.0.1:8545",
    "PAY_TO": ADDRESS,
    "FACILITATOR_URL": "https://facilitator.test",
    "SMSFAST_API_KEY": "an account's key",
    "TOKEN_SECRET": SECRET,
}

Environment = Callable[..., None]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Makes the process's settings: a whole one, changed as told; None takes a setting away."""
    for name in [name for name in os.environ if name.startswith("PHONEAGENT_")]:
        monkeypatch.delenv(name)

    def make(**changes: str | None) -> None:
        for name, value in {**WHOLE, **changes}.items():
            if value is not None:
                monkeypatch.setenv(f"PHONEAGENT_{name}", value)

    return make


def _problems() -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read_settings()
    return str(refused.value).splitlines()


def test_a_whole_environment_is_read_with_its_defaults(environment: Environment) -> None:
    environment()
    settings = read_settings()
    assert (settings.chain_id, settings.confirmations, settings.facilitator) == (8453, 1, "http")
    assert settings.pay_to == ADDRESS.lower()
    assert settings.public_address == "http://127.0.0.1:8000"
    assert settings.token_secret.get_secret_value() == SECRET


def test_an_empty_environment_names_everything_that_is_needed_at_once(environment: Environment) -> None:
    environment(**dict.fromkeys(WHOLE))
    missing = {line.partition(":")[0] for line in _problems()}
    assert missing == {
        "PHONEAGENT_REDIS_URL",
        "PHONEAGENT_RPC_URL",
        "PHONEAGENT_PAY_TO",
        "PHONEAGENT_SMSFAST_API_KEY",
        "PHONEAGENT_TOKEN_SECRET",
        "PHONEAGENT_*",
    }
    assert "PHONEAGENT_*: facilitator_url: is needed when facilitator is http" in _problems()


def test_settings_that_are_wrong_by_themselves_do_not_hide_those_that_are_wrong_together(
    environment: Environment,
) -> None:
    environment(PAY_TO="0x12", CHAIN_ID="1", FACILITATOR="local", HOST="0.0.0.0", PORT="70000")  # noqa: S104  a setting to be refused
    assert sorted(line.partition(" ")[0] for line in _problems()) == [
        "PHONEAGENT_*:",
        "PHONEAGENT_*:",
        "PHONEAGENT_CHAIN_ID:",
        "PHONEAGENT_PAY_TO:",
        "PHONEAGENT_PORT:",
    ]
    joint = [line for line in _problems() if line.startswith("PHONEAGENT_*")]
    assert joint == [
        "PHONEAGENT_*: relayer_private_key: is needed when facilitator is local",
        "PHONEAGENT_*: public_url: is needed when host is not loopback",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "http://127.0.0.1:6379"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "unix://"),
        ("RPC_URL", "redis://127.0.0.1"),
        ("RPC_URL", "127.0.0.1:8545"),
        ("RPC_URL", "http://[::1"),
        ("PUBLIC_URL", "phoneagent.test"),
        ("CONTACT_EMAIL", "nobody"),
        ("CONTACT_EMAIL", "Nobody <nobody@phoneagent.test>"),
        ("FACILITATOR_URL", "/facilitator"),
        ("SMSFAST_URL", "unix:///tmp/socket"),
        ("HERO_URL", "hero-sms"),
        ("GENERIC_US_COUNTRY", "1"),
        ("GENERIC_ACTIONS", "getNumberV2,getMoney"),
        ("GENERIC_MICRO_USD", "0"),
        ("GENERIC_EARLY_CANCEL_S", "3601"),
        ("DEDICATED_ACCOUNTS", "smsfast,hero"),
        ("TEXTVERIFIED_URL", "www.textverified.com"),
        ("PAY_TO", "0x" + "g" * 40),
        ("PAY_TO", "e" * 40),
        ("CHAIN_ID", "1"),
        ("CHAIN_ID", "base"),
        ("CONFIRMATIONS", "0"),
        ("FACILITATOR", "visa"),
        ("FACILITATOR", ""),
        ("FACILITATOR", "http,http"),
        ("FACILITATOR", "http,visa"),
        ("FACILITATOR_URL", ","),
        ("FACILITATOR_URL", "https://a.test,ftp://b.test"),
        ("FACILITATOR_URL", "https://a.test, https://a.test"),
        ("RPC_URL", "http://127.0.0.1:1,wss://node"),
        ("CDP_URL", "cdp"),
        ("CDP_API_KEY_ID", ""),
        ("RELAYER_MAX_FEE_WEI", "1000"),
        ("RELAYER_FLOOR_WEI", "-1"),
        ("RELAYER_PRIVATE_KEY", "0x1234"),
        ("TOKEN_SECRET", "short"),
        ("PREVIOUS_TOKEN_SECRET", "short"),
        ("SHARDS", "101"),
        ("GRACE_S", "61"),
        ("PORT", "-1"),
        ("ONLY_SERVICES", "tg,tgg"),
        ("DENIED_SERVICES", "telegramm"),
        ("REGULATED_SERVICES", "paypal"),
        ("ONLY_COUNTRIES", "USA"),
        ("DENIED_COUNTRIES", "US;GB"),
        ("SANCTIONED_COUNTRIES", "Belarus"),
        ("RETENTION_HOURS", "0"),
        ("RETENTION_HOURS", "721"),
        ("LEDGER_SECRET", "short"),
        ("ABUSE_EMAIL", "nobody"),
        ("SCREENING_URL", "screen"),
        ("SCREENING_TIMEOUT_S", "0"),
        ("SCREENING_FAILS", "maybe"),
    ],
)
def test_each_setting_is_judged_and_named_once(environment: Environment, name: str, value: str) -> None:
    environment(**{name: value})
    (problem,) = _problems()
    assert problem.startswith(f"PHONEAGENT_{name}: ")


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://user:pass@h/0", "unix:///run/valkey.sock"])
def test_a_store_may_be_reached_in_each_of_its_ways(environment: Environment, url: str) -> None:
    environment(REDIS_URL=url)
    assert read_settings().redis_url == url


@pytest.mark.parametrize(
    "name", ["SMSFAST_API_KEY", "TOKEN_SECRET", "PREVIOUS_TOKEN_SECRET", "RELAYER_PRIVATE_KEY", "CDP_API_KEY_SECRET"]
)
def test_a_secret_shows_in_no_text(environment: Environment, name: str) -> None:
    value = "0x" + "5ec4e7" * 10 + "5ec4"
    environment(**{name: value, "FACILITATOR": "http"})
    settings = read_settings()
    assert value not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_refusal_shows_no_value_that_was_given(environment: Environment) -> None:
    planted = "5ec4e7"
    environment(
        TOKEN_SECRET=planted,
        RELAYER_PRIVATE_KEY=planted,
        PREVIOUS_TOKEN_SECRET=planted,
        REDIS_URL=f"http://user:{planted}@host",
        RPC_URL=f"wss://node/{planted}",
        FACILITATOR_URL=f"ftp://host/{planted}",
        PAY_TO=planted,
        PORT=planted,
        FACILITATOR=planted,
    )
    text = "\n".join(_problems())
    assert len(text.splitlines()) == 9
    assert planted not in text


@pytest.mark.parametrize(
    ("host", "public_url", "is_fine"),
    [
        ("127.0.0.1", None, True),
        ("localhost", None, True),
        ("::1", None, True),
        ("0.0.0.0", None, False),  # noqa: S104  a setting to be judged
        ("10.0.0.5", None, False),
        ("10.0.0.5", "https://phoneagent.test", True),
    ],
)
def test_off_loopback_a_public_url_is_needed(
    environment: Environment, host: str, public_url: str | None, *, is_fine: bool
) -> None:
    environment(HOST=host, PUBLIC_URL=public_url)
    if is_fine:
        assert read_settings().public_url == public_url
    else:
        assert _problems() == ["PHONEAGENT_*: public_url: is needed when host is not loopback"]


TEXTVERIFIED = {"TEXTVERIFIED_API_KEY": "tv-key", "TEXTVERIFIED_USERNAME": "agent@phone.example"}


def test_an_account_at_textverified_is_a_key_and_a_username(environment: Environment) -> None:
    environment(**TEXTVERIFIED)
    settings = read_settings()

    assert settings.textverified_api_key is not None
    assert settings.textverified_api_key.get_secret_value() == "tv-key"
    assert settings.textverified_username == "agent@phone.example"


@pytest.mark.parametrize("name", TEXTVERIFIED)
def test_half_an_account_at_textverified_is_refused(environment: Environment, name: str) -> None:
    environment(**{name: TEXTVERIFIED[name]})
    assert _problems() == ["PHONEAGENT_*: textverified_api_key, textverified_username: are needed both or not at all"]


@pytest.mark.parametrize(("name", "value"), [("TEXTVERIFIED_API_KEY", ""), ("TEXTVERIFIED_USERNAME", "nobody")])
def test_a_wrong_half_is_not_taken_for_a_missing_one(environment: Environment, name: str, value: str) -> None:
    environment(**TEXTVERIFIED | {name: value})
    (problem,) = _problems()
    assert problem.startswith(f"PHONEAGENT_{name}: ")


def test_the_public_address_on_loopback_is_where_the_server_listens(environment: Environment) -> None:
    environment(HOST="::1", PORT="8402")
    assert read_settings().public_address == "http://[::1]:8402"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://10.0.0.5:6379/0"),
        ("REDIS_URL", "unix:///run/valkey.sock"),
        ("RPC_URL", "https://mainnet.base.org"),
        ("PUBLIC_URL", "https://phoneagent.test"),
    ],
)
def test_the_development_clock_is_refused_off_loopback(environment: Environment, name: str, value: str) -> None:
    environment(DEV_CLOCK="1")
    assert read_settings().dev_clock
    environment(DEV_CLOCK="1", **{name: value})
    assert _problems() == ["PHONEAGENT_*: dev_clock: is refused unless chain, Redis and public URL are on loopback"]


def test_every_setting_is_described() -> None:
    undescribed = [name for name, field in Settings.model_fields.items() if len(field.description or "") < 10]
    assert undescribed == []


def test_no_setting_can_be_changed_afterwards(environment: Environment) -> None:
    environment()
    settings = read_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]  # that is what must fail


def test_facilitators_and_nodes_may_be_several_in_the_order_of_preference(environment: Environment) -> None:
    environment(
        FACILITATOR="cdp, http,local",
        FACILITATOR_URL="https://a.test/x402 , https://b.test",
        RPC_URL="https://one.test/key,https://two.test",
        CDP_API_KEY_ID="organizations/1/apiKeys/2",
        CDP_API_KEY_SECRET="a secret that is judged later",
        RELAYER_PRIVATE_KEY="0x" + "33" * 32,
    )
    settings = read_settings()
    assert settings.facilitators == ("cdp", "http", "local")
    assert settings.facilitator_urls == ("https://a.test/x402", "https://b.test")
    assert settings.rpc_urls == ("https://one.test/key", "https://two.test")


def test_each_facilitator_names_what_it_needs(environment: Environment) -> None:
    environment(FACILITATOR="cdp,http,local", FACILITATOR_URL=None)
    assert _problems() == [
        "PHONEAGENT_*: facilitator_url: is needed when facilitator is http",
        "PHONEAGENT_*: cdp_api_key_id: is needed when facilitator is cdp",
        "PHONEAGENT_*: cdp_api_key_secret: is needed when facilitator is cdp",
        "PHONEAGENT_*: relayer_private_key: is needed when facilitator is local",
    ]


@pytest.mark.parametrize("name", ["FACILITATOR_URL", "RPC_URL"])
def test_one_address_of_a_list_that_anybody_can_answer_for_is_refused(environment: Environment, name: str) -> None:
    environment(**{name: "https://a.test,http://b.test"})
    assert _problems() == [f"PHONEAGENT_*: {name.lower()}: must be https outside this machine and its own network"]


def test_one_node_elsewhere_forbids_the_dev_clock(environment: Environment) -> None:
    environment(DEV_CLOCK="1", RPC_URL="http://127.0.0.1:1,https://elsewhere.test")
    assert _problems() == ["PHONEAGENT_*: dev_clock: is refused unless chain, Redis and public URL are on loopback"]


def test_factories_of_wallets_are_addresses_and_need_a_facilitator_that_deploys(environment: Environment) -> None:
    environment(ERC6492_FACTORIES=f" 0x{'Ab' * 20} , 0x{'cd' * 20},")
    assert read_settings().factories == {"0x" + "ab" * 20, "0x" + "cd" * 20}
    environment(ERC6492_FACTORIES="0x12")
    (wrong,) = _problems()
    assert wrong.startswith("PHONEAGENT_ERC6492_FACTORIES: must be an address")
    environment(ERC6492_FACTORIES="0x" + "cd" * 20, FACILITATOR="local", RELAYER_PRIVATE_KEY="1" * 64)
    assert _problems() == [
        "PHONEAGENT_*: erc6492_factories: must be empty when facilitator is local, which deploys no wallets"
    ]


def test_by_default_no_factory_deploys_a_wallet(environment: Environment) -> None:
    environment()
    assert read_settings().factories == frozenset()


@pytest.mark.parametrize("name", ["GENERIC_API_KEY", "GENERIC_URL"])
def test_a_further_host_needs_an_address_and_a_key(environment: Environment, name: str) -> None:
    environment(**{name: "https://numbers.test/handler_api.php"})
    assert _problems() == ["PHONEAGENT_*: generic_api_key and generic_url: must be given together"]


@pytest.mark.parametrize("name", ["HERO_URL", "GENERIC_URL"])
def test_no_key_goes_to_a_further_host_over_a_plain_line(environment: Environment, name: str) -> None:
    environment(GENERIC_API_KEY="k", GENERIC_URL="https://numbers.test/api")
    environment(**{name: "http://numbers.test/api"})
    assert f"{name.lower()}: must be https" in "\n".join(_problems())


def test_every_account_with_a_key_is_opened_smsfast_first(environment: Environment) -> None:
    environment(
        HERO_API_KEY="h",
        GENERIC_API_KEY="g",
        GENERIC_URL="https://numbers.test/api",
        GENERIC_US_COUNTRY="12",
        GENERIC_ACTIONS="getStatusV2, getActiveActivations",
        GENERIC_EARLY_CANCEL_S="60",
        DEDICATED_ACCOUNTS="hero-sms",
    )
    settings = read_settings()
    smsfast, hero, other = (profile for profile, _ in upstreams(settings))

    assert [key.get_secret_value() for _, key in upstreams(settings)] == [WHOLE["SMSFAST_API_KEY"], "h", "g"]
    assert (smsfast, hero) == (SMSFAST, HERO)
    assert (other.base_url, other.country_ids["US"], other.early_cancel_ms) == (
        "https://numbers.test/api",
        "12",
        60_000,
    )
    assert other.can_ask_in_bulk
    assert not other.can_list_activations
    assert settings.dedicated == {"hero-sms"}


def test_the_settings_know_the_actions_and_hosts_that_the_adapter_knows() -> None:
    assert HANDLER_ACTIONS == OPTIONAL_ACTIONS
    assert {SMSFAST.name, HERO.name, generic("https://numbers.test/").name} == PROVIDERS


def test_lists_of_policy_are_read_in_any_letter_case(environment: Environment) -> None:
    environment(ONLY_SERVICES="TG, wa", DENIED_COUNTRIES="us,KP")
    settings = read_settings()
    assert settings.codes("only_services") == {"tg", "wa"}
    assert settings.codes("denied_countries") == {"US", "KP"}
    assert settings.codes("regulated_services") == frozenset()


@pytest.mark.parametrize("url", ["http://screening.example", "http://10.0.0.7/screen", "http://hook/screen"])
def test_payers_are_screened_over_https_or_on_loopback_only(environment: Environment, url: str) -> None:
    environment(SCREENING_URL=url)
    assert _problems() == ["PHONEAGENT_*: screening_url: must be https, or on loopback"]
    for good in ("https://screening.example/payer", "http://127.0.0.1:9000/screen"):
        environment(SCREENING_URL=good)
        assert read_settings().screening_url == good
