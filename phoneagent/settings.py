"""Every setting of the service in one class, read once from `PHONEAGENT_*` and validated as a whole.

A secret is a SecretStr and never shows in a message; a half-configured service must refuse to start.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
MIN_SECRET_CHARS = 32

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class SettingsError(Exception):
    """The environment does not make a service; the message names every problem, one a line."""


def _address(value: str) -> str:
    if _ADDRESS.fullmatch(value) is None:
        raise ValueError("must be an address of 20 bytes in hex, with 0x")
    return value.lower()


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https", "redis", "rediss", "unix"} or not (parts.hostname or parts.path):
        raise ValueError("must be an absolute URL")
    return value


def _long(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < MIN_SECRET_CHARS:
        raise ValueError(f"must have at least {MIN_SECRET_CHARS} characters")
    return value


Url = Annotated[str, AfterValidator(_url)]
Address = Annotated[str, AfterValidator(_address)]
LongSecret = Annotated[SecretStr, AfterValidator(_long)]


class Settings(BaseSettings):
    """What an operator decides. Amounts are USDC atomic units, times are in the unit their name says."""

    model_config = SettingsConfigDict(env_prefix="PHONEAGENT_", extra="ignore", frozen=True)

    public_url: Url | None = Field(
        None, description="Address under which clients reach the service; offers carry it. Needed off loopback."
    )
    redis_url: Url = Field(description="Redis or Valkey with AOF and noeviction.")
    rpc_url: Url = Field(description="JSON-RPC endpoint of the chain.")
    chain_id: int = Field(8453, description="EIP-155 chain id: 8453 is Base, 84532 Base Sepolia.")
    pay_to: Address = Field(description="Address that is paid.")
    confirmations: int = Field(1, ge=1, le=64, description="Blocks that must show a settlement before it counts.")

    facilitator: Literal["http", "local"] = Field(
        "http", description="Who settles: a facilitator's API, or our relayer."
    )
    facilitator_url: Url | None = Field(None, description="Facilitator's base URL; needed for `http`.")
    relayer_private_key: SecretStr | None = Field(None, description="Key that pays gas; needed for `local`.")

    smsfast_api_key: SecretStr = Field(description="API key of the smsfast account.")
    smsfast_url: Url | None = Field(None, description="Another address of smsfast's handler_api.php.")

    token_secret: LongSecret = Field(description="Secret under which rental tokens are derived.")
    previous_token_secret: LongSecret | None = Field(None, description="Secret before the last rotation.")

    max_cost_activate_atomic: int = Field(600_000, ge=1, description="Most an `activate` number may cost upstream.")
    max_cost_premium_atomic: int = Field(1_200_000, ge=1, description="Most an `activate_premium` number may cost.")
    max_open_holds: int = Field(5, ge=1, description="Open rentals and inline payments of one payer.")
    max_open_atomic: int = Field(10_000_000, ge=1, description="Sum of one payer's open payments.")
    max_claims_per_hour: int = Field(60, ge=1, description="Rentals and list purchases of one payer in an hour.")

    poll_young_ms: int = Field(2_000, ge=100, description="Between status questions in a rental's first 90 s.")
    poll_old_ms: int = Field(5_000, ge=100, description="Between status questions later on.")
    refresh_s: float = Field(60.0, gt=0, description="Between readings of the provider's stock.")
    grace_s: float = Field(5.0, gt=0, le=60, description="How long stopping may take.")

    host: str = Field("127.0.0.1", description="Address the web server binds.")
    port: int = Field(8000, ge=0, le=65535, description="Port the web server binds.")
    shards: int = Field(1, ge=1, le=100, description="Party slots in the store; fixed at first start.")
    dev_clock: bool = Field(
        default=False, description="Follow the development clock; only with everything on loopback."
    )

    @model_validator(mode="after")
    def _whole(self) -> Settings:
        problems = []
        if self.facilitator == "http" and self.facilitator_url is None:
            problems.append("facilitator_url: is needed when facilitator is http")
        if self.facilitator == "local" and self.relayer_private_key is None:
            problems.append("relayer_private_key: is needed when facilitator is local")
        if self.public_url is None and self.host not in LOOPBACK_HOSTS:
            problems.append("public_url: is needed when host is not loopback")
        if self.dev_clock and not self.is_all_loopback:
            problems.append("dev_clock: is refused unless chain, Redis and public URL are on loopback")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def public_address(self) -> str:
        """Return the public URL; on loopback it defaults to where the server listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def is_all_loopback(self) -> bool:
        """Tell whether chain, store and public address are all on this machine."""
        urls = (self.public_address, self.redis_url, self.rpc_url)
        return all((urlsplit(url).hostname or "") in LOOPBACK_HOSTS for url in urls)


def read_settings() -> Settings:
    """Return the settings of this process. Raises SettingsError that names every problem."""
    try:
        return Settings()
    except ValidationError as exc:
        raise SettingsError("\n".join(_problem_lines(exc))) from None


def _problem_lines(exc: ValidationError) -> list[str]:
    lines = []
    for error in exc.errors(include_url=False, include_input=False, include_context=False):
        name = "".join(str(part) for part in error["loc"]).upper()
        reason = error["msg"].removeprefix("Value error, ")
        lines.append(f"PHONEAGENT_{name}: {reason}" if name else f"PHONEAGENT_*: {reason}")
    return lines
