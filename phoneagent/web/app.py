"""The ASGI application: routes of the doors, the payment layer around them, errors as problems.

It takes finished services and mounted applications as arguments; it must never build or configure one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route

from phoneagent.core.errors import PaymentRefused, PhoneAgentError
from phoneagent.web import problems, x402
from phoneagent.web.admission import Admission, AdmissionMiddleware
from phoneagent.web.cors import CorsMiddleware
from phoneagent.web.discovery import Discovery
from phoneagent.web.health import Health
from phoneagent.web.hooks import Hooks
from phoneagent.web.showcase import showcase_route
from phoneagent.web.storefront import Storefront


class Lifespan(Protocol):
    """What starts with the application and ends with it."""

    def __call__(self, app: Starlette, /) -> AbstractAsyncContextManager[None]:
        """Return the context of one run."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Everything that is served.

    ``extra_routes`` is what a composition adds (dev): closed to pages of other origins.
    """

    storefront: Storefront
    health: Health
    admission: Admission
    discovery: Discovery
    hooks: Hooks
    extra_routes: Sequence[BaseRoute] = field(default_factory=tuple)


def create_app(doors: Doors, lifespan: Lifespan | None = None) -> Starlette:
    """Return the application."""
    app = Starlette(
        routes=[
            *doors.storefront.routes(),
            *doors.health.routes(),
            *doors.hooks.routes(),
            showcase_route(doors.discovery.house.permits),
            *doors.discovery.routes(),
            *doors.extra_routes,
        ],
        middleware=[
            Middleware(CorsMiddleware, closed=_paths(doors.extra_routes)),
            Middleware(AdmissionMiddleware, admission=doors.admission),
            Middleware(x402.PaymentMiddleware, till=doors.storefront.till, limits=doors.admission.limits),
        ],
        exception_handlers={
            PaymentRefused: x402.on_refusal,
            PhoneAgentError: problems.on_error,
            HTTPException: problems.on_http_error,
            Exception: problems.on_crash,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would carry tokens and payments to whatever the Host header says
    app.state.till = doors.storefront.till
    return app


def _paths(routes: Sequence[BaseRoute]) -> list[str]:
    return [route.path for route in routes if isinstance(route, (Route, Mount))]
