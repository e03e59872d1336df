"""Who may not be served: adapters of the `Screening` port. Nobody is asked, a list in a file, or the operator's hook.

An adapter must never take "no answer" for "nothing against this payer", unless the operator has said so.
"""

from phoneagent.screening.everybody import Everybody, InTurn
from phoneagent.screening.hook import Hook, HookTerms
from phoneagent.screening.listed import ListedAddresses, ListUnreadable

__all__ = ["Everybody", "Hook", "HookTerms", "InTurn", "ListUnreadable", "ListedAddresses"]
