"""What happens with no request: due work leased from the store and handed to the services' verbs.

A worker decides nothing; it may die at any moment and another takes its leases over.
"""

from phoneagent.workers.crew import Chore, Crew, CrewPace
from phoneagent.workers.poller import Line, Poller
from phoneagent.workers.runner import LONGEST_SLEEP_S, Handler

__all__ = ["LONGEST_SLEEP_S", "Chore", "Crew", "CrewPace", "Handler", "Line", "Poller"]
