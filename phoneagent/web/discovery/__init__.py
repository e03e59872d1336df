"""What the service says of itself to people, models and catalogues before anybody asks it for anything.

Everything is computed when the process starts; nothing in here may touch a store, a network or the request's Host.
"""

from phoneagent.web.discovery.errors import errors_document
from phoneagent.web.discovery.house import House
from phoneagent.web.discovery.pages import Discovery

__all__ = ["Discovery", "House", "errors_document"]
