"""The OpenAPI 3.1 document of the service, built from the constants that the service itself runs on.

It must never promise what the doors do not do, nor leave out an answer they can give.
"""

from phoneagent.web.openapi.document import example_document, openapi_document

__all__ = ["example_document", "openapi_document"]
