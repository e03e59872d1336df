"""The two halves of a process over one engine: the web application and the workers.

Every verb of services/ is made here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from phoneagent.bootstrap.engine import Engine, RandomIds, max_costs
from phoneagent.core.ports import Caps
from phoneagent.core.rental import Job
from phoneagent.paywall import Till, TillTerms
from phoneagent.services.cancel import Cancel
from phoneagent.services.claim import Claims
from phoneagent.services.close import Close
from phoneagent.services.expire import Abandon, Expire, Retain
from phoneagent.services.list_countries import ListCountries
from phoneagent.services.receive import PollPace, Receive
from phoneagent.services.refresh import Refresh
from phoneagent.services.rent import Rent, RentTerms
from phoneagent.services.settle import Settle
from phoneagent.web import Doors, create_app, openapi_document
from phoneagent.web.health import Health
from phoneagent.web.storefront import Storefront
from phoneagent.workers import Crew, CrewPace, Handler
from phoneagent.x402 import network_of


def web_app(engine: Engine, extra_routes: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the web application of a process."""
    settings = engine.settings
    domain = network_of(settings.chain_id).usdc
    till = Till(TillTerms(settings.pay_to, domain, settings.public_address), engine.clock.lag_s)
    claims = _claims(engine)
    rent = Rent(
        rentals=engine.rentals,
        activations=engine.activations,
        wakeups=engine.wakeups,
        claims=claims,
        providers=engine.providers,
        shelf=engine.shelf,
        clock=engine.clock,
        terms=RentTerms(settings.pay_to, max_costs(settings)),
    )
    list_countries = ListCountries(
        rentals=engine.rentals,
        wakeups=engine.wakeups,
        claims=claims,
        settle=_settle(engine),
        chain=engine.chain,
        shelf=engine.shelf,
        clock=engine.clock,
        pay_to=settings.pay_to,
    )
    cancel = Cancel(engine.rentals, engine.wakeups, engine.providers, engine.deliver, engine.clock)
    storefront = Storefront(rent, list_countries, engine.deliver, cancel, engine.shelf, till)
    document = openapi_document(public_url=settings.public_address, pay_to=settings.pay_to, chain_id=settings.chain_id)
    return create_app(Doors(storefront, Health(engine.ready), document, extra_routes))


def crew(engine: Engine) -> Crew:
    """Return the workers of a process."""
    rentals, providers, clock = engine.rentals, engine.providers, engine.clock
    pace = PollPace(young_ms=engine.settings.poll_young_ms, old_ms=engine.settings.poll_old_ms)
    handlers: dict[Job, Handler] = {
        Job.POLL: Receive(rentals, providers, clock, pace),
        Job.SETTLE: _settle(engine),
        Job.ABANDON: Abandon(rentals, clock),
        Job.EXPIRE: Expire(rentals, providers, clock),
        Job.CLOSE: Close(rentals, engine.activations, providers, clock),
        Job.RETAIN: Retain(rentals),
    }
    refresh = Refresh(engine.catalogues, providers)
    pace_of_crew = CrewPace(refresh_s=engine.settings.refresh_s, grace_s=engine.settings.grace_s)
    return Crew(handlers, refresh, rentals, engine.wakeups, pace_of_crew)


def _claims(engine: Engine) -> Claims:
    settings = engine.settings
    caps = Caps(settings.max_open_holds, settings.max_open_atomic, settings.max_claims_per_hour)
    return Claims(engine.rentals, engine.chain, engine.facilitator, RandomIds(), caps)


def _settle(engine: Engine) -> Settle:
    return Settle(engine.rentals, engine.chain, engine.facilitator, engine.clock)
