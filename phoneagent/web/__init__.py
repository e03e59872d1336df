"""The HTTP doors: routes, the payment middleware, problems and the OpenAPI document.

A door translates; it must never decide what a payment may do.
"""

from phoneagent.web.admission import Admission
from phoneagent.web.app import Doors, create_app
from phoneagent.web.callers import Callers
from phoneagent.web.discovery import Discovery, House
from phoneagent.web.gate import USUAL_LIMITS, GateLimits, gate
from phoneagent.web.openapi import openapi_document

__all__ = [
    "USUAL_LIMITS",
    "Admission",
    "Callers",
    "Discovery",
    "Doors",
    "GateLimits",
    "House",
    "create_app",
    "gate",
    "openapi_document",
]
