"""The composition root: settings in, a running service out. The only place that knows every part.

It must never hold business rules; it only chooses adapters, connects them, runs them and closes them again.
"""

from phoneagent.bootstrap.engine import Engine, StartRefused, open_engine
from phoneagent.bootstrap.parts import crew, web_app
from phoneagent.bootstrap.payers import open_payers
from phoneagent.bootstrap.process import Role, bind, run, stop_on_signals

__all__ = [
    "Engine",
    "Role",
    "StartRefused",
    "bind",
    "crew",
    "open_engine",
    "open_payers",
    "run",
    "stop_on_signals",
    "web_app",
]
