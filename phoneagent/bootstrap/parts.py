"""The two halves of a process over one engine: the web application and the workers.

Every verb of services/ is made here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from phoneagent.bootstrap.engine import Engine, max_costs
from phoneagent.bootstrap.upstreams import call_rate, mailboxes
from phoneagent.core.ports import Caps, Provider, Silence
from phoneagent.core.rental import Job
from phoneagent.core.routing import BuysFrom
from phoneagent.paywall import Till, TillTerms
from phoneagent.providers.routing import WatchedProviders
from phoneagent.services.breakers import Probe
from phoneagent.services.cancel import Cancel
from phoneagent.services.claim import Claims, ClaimTerms
from phoneagent.services.close import Close
from phoneagent.services.expire import Abandon, Expire, Retain
from phoneagent.services.give_back import GiveBack
from phoneagent.services.hint import Hint
from phoneagent.services.limit import CallerLimits, Rate, Rates
from phoneagent.services.list_countries import ListCountries
from phoneagent.services.receive import PollPace, Receive
from phoneagent.services.refresh import Refresh, RefreshTerms
from phoneagent.services.rent import Rent, RentTerms
from phoneagent.services.replay import Replay
from phoneagent.services.route import Route, RoutePace
from phoneagent.services.settle import Settle
from phoneagent.settings import Settings
from phoneagent.web import Admission, Callers, Discovery, Doors, House, create_app, openapi_document
from phoneagent.web.health import Health
from phoneagent.web.hooks import Hooks
from phoneagent.web.storefront import Storefront
from phoneagent.workers import LONGEST_SLEEP_S, Chore, Crew, CrewPace, Handler, Line, Poller
from phoneagent.x402 import network_of

PROBE_EVERY_S = 1.0
"""How often a process looks for providers that wait for a probe: in memory, and mostly there is none."""

STRAYS_EVERY_S = 3.0
"""How often a process looks for strays, one script each time: they are rare, and nobody waits for one."""


def web_app(engine: Engine, extra_routes: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the web application of a process."""
    settings = engine.settings
    domain = network_of(settings.chain_id).usdc
    till = Till(TillTerms(settings.pay_to, domain, settings.public_address), engine.clock.lag_s)
    claims = _claims(engine)
    replay = Replay(engine.rentals, engine.wakeups, claims, engine.clock, engine.deliver.draining)
    providers = watched(engine)
    rent = Rent(
        rentals=engine.rentals,
        activations=engine.activations,
        claims=claims,
        replay=replay,
        route=Route(
            providers,
            engine.shelf,
            engine.breakers,
            engine.clock,
            _buys_from(engine),
            pace=RoutePace(settings.delivery_prior, round(settings.dry_s * 1000)),
        ),
        shelf=engine.shelf,
        clock=engine.clock,
        terms=RentTerms(settings.pay_to, max_costs(settings)),
    )
    list_countries = ListCountries(
        rentals=engine.rentals,
        claims=claims,
        replay=replay,
        settle=_settle(engine),
        chain=engine.chain,
        shelf=engine.shelf,
        clock=engine.clock,
        pay_to=settings.pay_to,
    )
    cancel = Cancel(engine.rentals, engine.wakeups, providers, engine.deliver, engine.clock)
    admission = _admission(engine)
    storefront = Storefront(rent, list_countries, engine.deliver, cancel, engine.shelf, till, admission.limits)
    health = Health(engine.ready, admission.limits, engine.permits)
    document = openapi_document(
        public_url=settings.public_address,
        pay_to=settings.pay_to,
        chain_id=settings.chain_id,
        contact_email=settings.contact_email,
    )
    hooks = Hooks(Hint(engine.rentals, engine.activations, mailboxes(settings)), admission.limits)
    discovery = Discovery(till, document, settings.public_address, _house(engine))
    return create_app(Doors(storefront, health, admission, discovery, hooks, extra_routes))


def _house(engine: Engine) -> House:
    settings = engine.settings
    contact = settings.abuse_email or settings.contact_email
    return House(contact, settings.retention_hours, engine.permits, engine.clock.now_ms)


def crew(engine: Engine, longest_sleep_s: float = LONGEST_SLEEP_S) -> Crew:
    """Return the workers of a process; after a lost wake-up they sleep on for at most ``longest_sleep_s``."""
    rentals, providers, clock = engine.rentals, watched(engine), engine.clock
    handlers: dict[Job, Handler] = {
        Job.SETTLE: _settle(engine),
        Job.ABANDON: Abandon(rentals, clock),
        Job.EXPIRE: Expire(rentals, providers, clock),
        Job.CLOSE: Close(rentals, engine.activations, providers, clock),
        Job.RETAIN: Retain(rentals, engine.activations),
    }
    give_back = GiveBack(engine.strays, rentals, providers, clock)
    chores = (
        Chore(refresh(engine), engine.settings.refresh_s, "catalogue not refreshed"),
        Chore(_probe(engine), PROBE_EVERY_S, "providers not probed"),
        Chore(give_back, max(STRAYS_EVERY_S, longest_sleep_s), "strays not given back"),
    )
    pace_of_crew = CrewPace(engine.settings.grace_s, longest_sleep_s)
    poller = _poller(engine, longest_sleep_s)
    return Crew(handlers, chores, rentals, engine.wakeups, pace_of_crew, poller=poller)


def _poller(engine: Engine, longest_sleep_s: float) -> Poller:
    settings = engine.settings
    pace = PollPace(
        settings.poll_attended_ms,
        settings.poll_young_ms,
        settings.poll_old_ms,
        pushed_factor=settings.poll_pushed_factor,
    )
    providers = watched(engine)
    receive = Receive(engine.rentals, providers, engine.clock, pace, engine.wakeups, pushing=mailboxes(settings))
    lines = {name: Line(provider, call_rate(settings, name), pace.attended_ms) for name, provider in providers.items()}
    return Poller(receive, lines, engine.rentals, engine.budgets, engine.wakeups, longest_sleep_s=longest_sleep_s)


def watched(engine: Engine) -> Mapping[str, Provider]:
    """Return every provider with the breakers listening to its answers."""
    return WatchedProviders(engine.providers, engine.breakers)


def _buys_from(engine: Engine) -> BuysFrom:
    """Return who sells to us by the rules of the moment: a switch is heard at the next purchase."""

    def buys_from(provider: str) -> bool:
        return engine.permits.rules.buys_from(provider)  # other rules each time: a switch replaces them

    return buys_from


def refresh(engine: Engine) -> Refresh:
    """Return what publishes the next catalogue."""
    return Refresh(
        catalogues=engine.catalogues,
        upstreams=engine.upstreams,
        providers=watched(engine),
        breakers=engine.breakers,
        clock=engine.clock,
        terms=RefreshTerms(max_costs(engine.settings), _buys_from(engine)),
    )


def _probe(engine: Engine) -> Probe:
    return Probe(engine.breakers, engine.providers, engine.clock, min(max_costs(engine.settings).values()))


def _admission(engine: Engine) -> Admission:
    settings = engine.settings
    rates = Rates(
        free=Rate(settings.free_requests_per_s, settings.free_requests_burst),
        costly=Rate(settings.requests_per_s, settings.requests_burst),
        unproven=Rate(settings.unproven_per_minute / 60, settings.unproven_per_minute),
    )
    limits = CallerLimits(rates, engine.clock.monotonic_s)
    return Admission(Callers(settings.proxy_networks), limits, engine.deliver.draining)


def _claims(engine: Engine) -> Claims:
    terms = _claim_terms(engine.settings)
    return Claims(engine.rentals, engine.chain, engine.facilitator, engine.ids, terms, screen=engine.screen)


def _claim_terms(settings: Settings) -> ClaimTerms:
    payer = Caps(
        settings.max_open_holds,
        settings.max_open_atomic,
        settings.max_claims_per_hour,
        _silence(settings, settings.silent_rentals),
    )
    caller = Caps(
        settings.max_open_holds_per_address,
        settings.max_open_atomic_per_address,
        settings.max_claims_per_hour_per_address,
        _silence(settings, settings.silent_rentals_per_address),
    )
    return ClaimTerms(payer, caller, settings.token_secret.get_secret_value().encode())


def _silence(settings: Settings, least: int) -> Silence | None:
    cooldown_ms = settings.silent_cooldown_s * 1000
    return Silence(least, settings.silent_percent, cooldown_ms) if cooldown_ms else None


def _settle(engine: Engine) -> Settle:
    return Settle(engine.rentals, engine.chain, engine.facilitator, engine.clock)
