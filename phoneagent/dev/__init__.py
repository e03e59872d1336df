"""Everything a developer needs to run the whole service on one machine: store, chain, simulators and the demo.

Nothing outside this folder may depend on it, except the command line that starts it: production never sees it.
"""
