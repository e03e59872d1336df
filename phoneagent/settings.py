"""Every setting of the service in one class, read once from `PHONEAGENT_*` and validated as a whole.

A secret is a SecretStr and never shows in a message; a half-configured service must refuse to start.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from phoneagent.core.catalog import SERVICES
from phoneagent.x402 import network_of

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
MIN_SECRET_CHARS = 32

_EMAIL = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+\.[^\s@<>\"]+")
_FACILITATORS = frozenset({"http", "cdp", "local"})
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_ISO_COUNTRY = re.compile(r"[A-Z]{2}")
_PRIVATE_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")


class SettingsError(Exception):
    """The environment does not make a service; the message names every problem, one a line."""


def _address(value: str) -> str:
    if _ADDRESS.fullmatch(value) is None:
        raise ValueError("must be an address of 20 bytes in hex, with 0x")
    return value.lower()


def _email(value: str) -> str:
    if _EMAIL.fullmatch(value) is None:
        raise ValueError("must be an e-mail address")
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an absolute http or https URL")
    return value


def _urls(value: str) -> str:
    parts = _parts(value)
    if not parts:
        raise ValueError("must name at least one URL")
    for part in parts:
        _http_url(part)
    if len(set(parts)) != len(parts):
        raise ValueError("must not name a URL twice")
    return ",".join(parts)


def _parts(value: str) -> tuple[str, ...]:
    return tuple(filter(None, (text.strip() for text in value.split(","))))


def _facilitators(value: str) -> str:
    kinds = _parts(value)
    if not kinds or len(set(kinds)) != len(kinds) or not set(kinds) <= _FACILITATORS:
        raise ValueError("must be http, cdp or local, or several of them by commas")
    return ",".join(kinds)


def _redis_url(value: str) -> str:
    parts = urlsplit(value)
    place = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in {"redis", "rediss", "unix"} or not place:
        raise ValueError("must be a redis, rediss or unix URL")
    return value


def _chain(value: int) -> int:
    return network_of(value).chain_id


def _key(value: SecretStr) -> SecretStr:
    if _PRIVATE_KEY.fullmatch(value.get_secret_value()) is None:
        raise ValueError("must be a private key of 32 bytes in hex")
    return value


def _long(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < MIN_SECRET_CHARS:
        raise ValueError(f"must have at least {MIN_SECRET_CHARS} characters")
    return value


def _networks(value: str) -> str:
    for part in _parts(value):
        ip_network(part)
    return value


def _addresses(value: str) -> str:
    return ",".join(_address(part) for part in filter(None, (text.strip() for text in value.split(","))))


def _services(value: str) -> str:
    codes = [code.lower() for code in _parts(value)]
    if unknown := sorted(set(codes) - set(SERVICES)):
        raise ValueError(f"no such service: {', '.join(unknown)}; services are {', '.join(SERVICES)}")
    return ",".join(codes)


def _countries(value: str) -> str:
    codes = [code.upper() for code in _parts(value)]
    if wrong := [code for code in codes if _ISO_COUNTRY.fullmatch(code) is None]:
        raise ValueError(f"not an ISO 3166-1 alpha-2 code: {', '.join(wrong)}")
    return ",".join(codes)


def _is_safe(url: str) -> bool:
    """Tell whether nobody on the way can answer in the place of whom we ask."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_single_name = not set(host) & set(".:")  # a machine of one's own network, as compose files name them
    if parts.scheme == "https" or is_single_name:
        return True
    try:
        return ip_address(host).is_private
    except ValueError:
        return False


def _is_https_or_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.hostname or "") in LOOPBACK_HOSTS


Url = Annotated[str, AfterValidator(_http_url)]
Email = Annotated[str, AfterValidator(_email)]
Urls = Annotated[str, AfterValidator(_urls)]
Facilitators = Annotated[str, AfterValidator(_facilitators)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
ChainId = Annotated[int, AfterValidator(_chain)]
PrivateKey = Annotated[SecretStr, AfterValidator(_key)]
Address = Annotated[str, AfterValidator(_address)]


Addresses = Annotated[str, AfterValidator(_addresses)]
Networks = Annotated[str, AfterValidator(_networks)]
Services = Annotated[str, AfterValidator(_services)]
Countries = Annotated[str, AfterValidator(_countries)]
LongSecret = Annotated[SecretStr, AfterValidator(_long)]


HANDLER_ACTIONS = frozenset(
    {
        "getNumberV2",
        "getStatusV2",
        "getActiveActivations",
        "getHistory",
        "getPricesV2",
        "getPricesV3",
        "getTopCountriesByService",
    }
)
"""What a host of the SMS-Activate family may have beside V1, and what we use of it."""

PROVIDERS = frozenset({"smsfast", "hero-sms", "generic"})


def _actions(value: str) -> str:
    if unknown := set(_parts(value)) - HANDLER_ACTIONS:
        raise ValueError(f"{', '.join(sorted(unknown))}: must be of {', '.join(sorted(HANDLER_ACTIONS))}")
    return value


def _accounts(value: str) -> str:
    if unknown := set(_parts(value)) - PROVIDERS:
        raise ValueError(f"{', '.join(sorted(unknown))}: must be of {', '.join(sorted(PROVIDERS))}")
    return value


HandlerActions = Annotated[str, AfterValidator(_actions)]
CallsPerS = Annotated[float, Field(ge=0.1, le=1_000_000)]
Accounts = Annotated[str, AfterValidator(_accounts)]


_NEEDED = (
    ("http", "facilitator_url"),
    ("cdp", "cdp_api_key_id"),
    ("cdp", "cdp_api_key_secret"),
    ("local", "relayer_private_key"),
)
"""Which kind of facilitator needs which setting."""


class UpstreamSettings(BaseSettings):
    """Where numbers come from: all that `phoneagent probe` needs."""

    model_config = SettingsConfigDict(env_prefix="PHONEAGENT_", extra="ignore", frozen=True)

    smsfast_api_key: SecretStr | None = Field(None, description="API key of the smsfast account.")
    smsfast_url: Url | None = Field(None, description="Another address of smsfast's handler_api.php.")
    hero_api_key: SecretStr | None = Field(
        None, description="API key of a hero-sms account: a second source of numbers."
    )
    hero_url: Url | None = Field(None, description="Another address of hero-sms's handler_api.php.")
    generic_api_key: SecretStr | None = Field(None, description="API key at any other host of the SMS-Activate family.")
    generic_url: Url | None = Field(None, description="That host's handler_api.php; needed with its key.")
    generic_us_country: Literal["187", "12"] = Field(
        "187", description="What that host calls the United States: 187 are real SIM cards, 12 virtual numbers."
    )
    generic_actions: HandlerActions = Field(
        "", description="What that host has beside V1, by commas, as `phoneagent probe generic` found it."
    )
    generic_micro_usd: int = Field(1_000_000, ge=1, description="Worth of one unit of that host's money, in micro-USD.")
    generic_early_cancel_s: int = Field(125, ge=0, le=3_600, description="How long that host refuses a cancel.")
    textverified_api_key: SecretStr | None = Field(
        None, min_length=1, description="API key of the TextVerified account; without one nothing is bought there."
    )
    textverified_username: Email | None = Field(None, description="Its username, the e-mail address of the account.")
    textverified_url: Url | None = Field(None, description="Another address of TextVerified, without the API's path.")
    dedicated_accounts: Accounts = Field(
        "", description="Providers, by commas, whose account nobody else buys from: strays there are ours to give back."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        return self._sound(self._upstream_problems())

    def _sound(self, problems: list[str]) -> Self:
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _upstream_problems(self) -> list[str]:
        problems = self._unsafe("smsfast_url", "hero_url", "generic_url", "textverified_url")
        if (self.generic_api_key is None) is not (self.generic_url is None):
            problems.append("generic_api_key and generic_url: must be given together")
        if (self.textverified_api_key is None) is not (self.textverified_username is None):
            problems.append("textverified_api_key, textverified_username: are needed both or not at all")
        return problems

    def _unsafe(self, *names: str) -> list[str]:
        return [
            f"{name}: must be https outside this machine and its own network"
            for name in names
            if not all(_is_safe(url) for url in _parts(getattr(self, name) or ""))
        ]

    @property
    def extra_actions(self) -> frozenset[str]:
        """Return the actions of ``generic_actions``."""
        return frozenset(_parts(self.generic_actions))

    @property
    def dedicated(self) -> frozenset[str]:
        """Return the names of ``dedicated_accounts``."""
        return frozenset(_parts(self.dedicated_accounts))


class Settings(UpstreamSettings):
    """What an operator decides. Amounts are USDC atomic units, times are in the unit their name says."""

    public_url: Url | None = Field(
        None, description="Address under which clients reach the service; offers carry it. Needed off loopback."
    )
    contact_email: Email | None = Field(
        None, description="Where clients and catalogues reach the operator; published in openapi.json."
    )
    redis_url: RedisUrl = Field(description="Redis or Valkey with AOF and noeviction.")
    rpc_url: Urls = Field(
        description="JSON-RPC endpoint of the chain; several by commas, the next is asked when one gives no answer."
    )
    chain_id: ChainId = Field(8453, description="EIP-155 chain id: 8453 is Base, 84532 Base Sepolia.")
    pay_to: Address = Field(description="Address that is paid.")
    confirmations: int = Field(1, ge=1, le=64, description="Blocks that must show a settlement before it counts.")

    facilitator: Facilitators = Field(
        "http",
        description="Who settles: `http` (a facilitator's API), `cdp` (Coinbase's, which wants a key) or `local` (our "
        "relayer). Several by commas, in the order of preference.",
    )
    facilitator_url: Urls | None = Field(
        None, description="Facilitator's base URL; needed for `http`. Several by commas, in the order of preference."
    )
    cdp_url: Url | None = Field(None, description="Another address of CDP's facilitator.")
    cdp_api_key_id: str | None = Field(None, min_length=1, description="Id of the CDP API key; needed for `cdp`.")
    cdp_api_key_secret: SecretStr | None = Field(
        None, description="Its secret: base64 of an Ed25519 key, or an EC key in PEM; needed for `cdp`."
    )
    relayer_private_key: PrivateKey | None = Field(None, description="Key that pays gas; needed for `local`.")
    relayer_max_fee_wei: int = Field(
        1_000_000_000, ge=5_000_000, description="Most that `local` bids for one gas; beyond it nothing is settled."
    )
    relayer_floor_wei: int = Field(
        10**15, ge=0, description="Balance of `local` for gas below which an error is logged."
    )

    erc6492_factories: Addresses = Field(
        "",
        description="Factories that may deploy a payer's smart wallet while settling, by commas; the facilitator must.",
    )

    smsfast_api_key: SecretStr = Field(description="API key of the smsfast account.")

    token_secret: LongSecret = Field(description="Secret under which rental tokens are derived.")
    previous_token_secret: LongSecret | None = Field(None, description="Secret before the last rotation.")

    only_services: Services = Field("", description="Services that are sold, by commas; empty: every one that is on.")
    only_countries: Countries = Field("", description="Countries whose numbers are sold, by commas; empty: every one.")
    denied_services: Services = Field("", description="Services that are not sold, by commas.")
    denied_countries: Countries = Field("", description="Countries whose numbers are not sold, by commas.")
    regulated_services: Services = Field(
        "", description="Regulated services that are sold nevertheless, by commas: `pm` is PayPal."
    )
    sanctioned_countries: Countries = Field(
        "", description="Sanctioned countries whose numbers are sold nevertheless, by commas: `BY` is Belarus."
    )
    retention_hours: int = Field(
        72, ge=1, le=720, description="How long SMS and numbers are kept after a rental's end; then they are deleted."
    )
    ledger_secret: LongSecret | None = Field(
        None,
        description="Secret under which numbers stand in the books; must outlive every rotation of the token secret, "
        "from which it is derived when left out.",
    )
    abuse_email: Email | None = Field(
        None, description="Where abuse is reported; on /acceptable-use and in security.txt. Default: the contact."
    )
    screening_file: str | None = Field(
        None,
        min_length=1,
        description="File of payers who are not served: addresses, one a line; read when it changes.",
    )
    screening_url: Url | None = Field(
        None, description="Hook that says whether a payer is served (docs/policy.md): https, or on loopback."
    )
    screening_token: SecretStr | None = Field(None, min_length=1, description="Bearer token for the hook.")
    screening_timeout_s: float = Field(2.0, gt=0, le=10, description="How long the hook may take.")
    screening_fails: Literal["closed", "open"] = Field(
        "closed", description="What a hook without a verdict means: `closed` refuses with 503, `open` serves the payer."
    )
    smsfast_hook_secret: LongSecret | None = Field(
        None, description="Secret part of the address for smsfast's hints, /hooks/smsfast/SECRET; none: closed."
    )
    hero_hook_secret: LongSecret | None = Field(None, description="The same for hero-sms, /hooks/hero-sms/SECRET.")
    generic_hook_secret: LongSecret | None = Field(
        None, description="The same for the third host, /hooks/generic/SECRET."
    )
    textverified_hook_secret: LongSecret | None = Field(
        None, description="The same for TextVerified, /hooks/textverified/SECRET."
    )
    textverified_signing_secret: SecretStr | None = Field(
        None, min_length=16, description="Secret under which TextVerified signs its hints, whsec_…; needed for them."
    )

    max_cost_activate_atomic: int = Field(600_000, ge=1, description="Most an `activate` number may cost upstream.")
    max_cost_premium_atomic: int = Field(1_200_000, ge=1, description="Most an `activate_premium` number may cost.")
    max_open_holds: int = Field(5, ge=1, description="Open rentals and inline payments of one payer.")
    max_open_atomic: int = Field(10_000_000, ge=1, description="Sum of one payer's open payments.")
    max_claims_per_hour: int = Field(60, ge=1, description="Rentals and list purchases of one payer in an hour.")
    max_open_holds_per_address: int = Field(
        50, ge=1, description="Open rentals and inline payments asked for from one address."
    )
    max_open_atomic_per_address: int = Field(
        100_000_000, ge=1, description="Sum of the open payments from one address."
    )
    max_claims_per_hour_per_address: int = Field(
        600, ge=1, description="Rentals and list purchases from one address in an hour."
    )
    silent_cooldown_s: int = Field(
        600, ge=0, description="How long a payer or address whose recent rentals stayed silent may not rent; 0: never."
    )
    silent_percent: int = Field(
        90, ge=1, le=100, description="Share of silent rentals, of the last 20, that cools down."
    )
    silent_rentals: int = Field(8, ge=1, le=20, description="Ended rentals of a payer before its share counts.")
    silent_rentals_per_address: int = Field(20, ge=1, le=20, description="Ended rentals of an address, likewise.")

    requests_per_s: float = Field(
        20.0, gt=0, description="Requests a second of one address that read or write the store, payments included."
    )
    requests_burst: int = Field(40, ge=1, description="Of these, how many at once.")
    free_requests_per_s: float = Field(
        500.0, gt=0, description="Requests a second of one address in all; most are unpaid and cost no I/O."
    )
    free_requests_burst: int = Field(1_000, ge=1, description="Of these, how many at once.")
    unproven_per_minute: int = Field(
        20, ge=1, description="Payments a minute of one address whose signature is not the payer's own key's."
    )
    max_waiters_per_rental: int = Field(2, ge=1, description="Requests that may wait for one rental's SMS.")
    max_waiters_per_address: int = Field(64, ge=1, description="Requests of one address that may wait.")
    max_waiters: int = Field(10_000, ge=1, description="Requests that may wait in this process.")
    trusted_proxies: Networks = Field(
        "",
        description="Proxies whose last X-Forwarded-For hop names the client: addresses or networks, by commas.",
    )

    poll_attended_ms: int = Field(
        2_000,
        ge=100,
        description="Between status questions in a rental's first 90 s, while somebody waits for its SMS.",
    )
    poll_young_ms: int = Field(
        4_000, ge=100, description="Between them when nobody waits, and later on while somebody does."
    )
    poll_old_ms: int = Field(8_000, ge=100, description="Between them later on when nobody waits.")
    poll_pushed_factor: int = Field(
        3, ge=1, le=10, description="How many times as long all three are for a provider that pushes hints."
    )
    smsfast_calls_per_s: CallsPerS = Field(1.0, description="Calls of all processes together to smsfast.")
    hero_calls_per_s: CallsPerS = Field(5.0, description="Calls of all processes together to hero-sms.")
    generic_calls_per_s: CallsPerS = Field(1.0, description="Calls of all processes together to the third host.")
    textverified_calls_per_s: CallsPerS = Field(5.0, description="Calls of all processes together to TextVerified.")
    breaker_open_s: float = Field(
        30.0, gt=0, description="How long a provider that fails gets no purchases at first; refused accounts twice."
    )
    dry_s: float = Field(
        90.0, gt=0, description="How long a provider that had no number of a pair is asked for it last."
    )
    delivery_prior: int = Field(
        10,
        ge=1,
        le=1_000_000,
        description="Rentals that each provider is taken to have had of a pair before those measured, seven in ten "
        "with an SMS: with more of them, cost decides over delivery for longer.",
    )
    refresh_s: float = Field(60.0, gt=0, description="Between readings of the provider's stock.")
    grace_s: float = Field(5.0, gt=0, le=60, description="How long stopping may take.")

    host: str = Field("127.0.0.1", description="Address the web server binds.")
    port: int = Field(8000, ge=0, le=65535, description="Port the web server binds.")
    shards: int = Field(1, ge=1, le=100, description="Party slots in the store; fixed at first start.")
    dev_clock: bool = Field(
        default=False, description="Follow the development clock; only with everything on loopback."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        problems = [
            f"{name}: is needed when facilitator is {kind}"
            for kind, name in _NEEDED
            if kind in self.facilitators and getattr(self, name) is None
        ]
        if "local" in self.facilitators and self.erc6492_factories:
            problems.append("erc6492_factories: must be empty when facilitator is local, which deploys no wallets")
        if (self.textverified_hook_secret is None) is not (self.textverified_signing_secret is None):
            problems.append("textverified_hook_secret, textverified_signing_secret: are needed both or not at all")
        if self.public_url is None and self.host not in LOOPBACK_HOSTS:
            problems.append("public_url: is needed when host is not loopback")
        problems += self._unsafe("facilitator_url", "cdp_url", "rpc_url")
        problems += self._upstream_problems()
        if self.screening_url is not None and not _is_https_or_loopback(self.screening_url):
            problems.append("screening_url: must be https, or on loopback")
        if self.dev_clock and not self.is_all_loopback:
            problems.append("dev_clock: is refused unless chain, Redis and public URL are on loopback")
        return self._sound(problems)

    @property
    def calls_per_s(self) -> dict[str, float]:
        """Return how often each provider may be called, by its name."""
        return {
            "smsfast": self.smsfast_calls_per_s,
            "hero-sms": self.hero_calls_per_s,
            "generic": self.generic_calls_per_s,
            "textverified": self.textverified_calls_per_s,
        }

    @property
    def public_address(self) -> str:
        """Return the public URL; on loopback it defaults to where the server listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    def codes(self, name: str) -> frozenset[str]:
        """Return the codes of a setting that lists services or countries."""
        return frozenset(_parts(getattr(self, name)))

    @property
    def facilitators(self) -> tuple[str, ...]:
        """Return the kinds of ``facilitator``, in the order of preference."""
        return _parts(self.facilitator)

    @property
    def facilitator_urls(self) -> tuple[str, ...]:
        """Return the addresses of ``facilitator_url``."""
        return _parts(self.facilitator_url or "")

    @property
    def rpc_urls(self) -> tuple[str, ...]:
        """Return the addresses of ``rpc_url``."""
        return _parts(self.rpc_url)

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return the networks of ``trusted_proxies``."""
        return tuple(ip_network(part) for part in _parts(self.trusted_proxies))

    @property
    def factories(self) -> frozenset[str]:
        """Return the addresses of ``erc6492_factories``."""
        return frozenset(filter(None, self.erc6492_factories.split(",")))

    @property
    def is_all_loopback(self) -> bool:
        """Tell whether chain, store and public address are all on this machine."""
        urls = (self.public_address, self.redis_url, *self.rpc_urls)
        return all((urlsplit(url).hostname or "") in LOOPBACK_HOSTS for url in urls)


def read_upstream_settings() -> UpstreamSettings:
    """Return the settings of the number providers alone. Raises SettingsError that names every problem."""
    try:
        return UpstreamSettings()
    except ValidationError as exc:
        raise SettingsError("\n".join(_problem_lines(exc))) from None


def read_settings() -> Settings:
    """Return the settings of this process. Raises SettingsError that names every problem."""
    try:
        return Settings()
    except ValidationError as exc:
        raise SettingsError("\n".join(_problem_lines(exc) + _joint_problem_lines(exc))) from None


_STAND_INS = {
    "public_url": "http://localhost",
    "redis_url": "redis://localhost",
    "rpc_url": "http://localhost",
    "pay_to": "0x" + "0" * 40,
    "facilitator_url": "http://localhost",
    "cdp_api_key_id": "-",
    "cdp_api_key_secret": "-",
    "relayer_private_key": "0" * 64,
    "smsfast_api_key": "-",
    "textverified_api_key": "-",
    "textverified_username": "nobody@localhost.example",
    "token_secret": "-" * MIN_SECRET_CHARS,
}


def _joint_problem_lines(exc: ValidationError) -> list[str]:
    """Return what is wrong between the settings when some are wrong by themselves: pydantic does not get that far."""
    wrong = {str(error["loc"][0]) for error in exc.errors() if error["loc"]}
    if not wrong:
        return []
    stand_ins: dict[str, Any] = {name: _STAND_INS.get(name, Settings.model_fields[name].default) for name in wrong}
    try:
        Settings(**stand_ins)
    except ValidationError as joint:
        return _problem_lines(joint)
    return []


def _problem_lines(exc: ValidationError) -> list[str]:
    lines = []
    for error in exc.errors(include_url=False, include_input=False, include_context=False):
        name = "".join(str(part) for part in error["loc"]).upper()
        reason = error["msg"].removeprefix("Value error, ")
        lines += [f"PHONEAGENT_{name}: {reason}"] if name else [f"PHONEAGENT_*: {one}" for one in reason.split("; ")]
    return lines
