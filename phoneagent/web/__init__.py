"""The HTTP doors: routes, the payment middleware, problems and the OpenAPI document.

A door translates; it must never decide what a payment may do.
"""

from phoneagent.web.app import Doors, create_app
from phoneagent.web.openapi import openapi_document

__all__ = ["Doors", "create_app", "openapi_document"]
