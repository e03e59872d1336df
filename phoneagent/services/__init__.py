"""What is done, one verb per file: rent → receive → settle → deliver, and the verbs that close, cancel and clean up.

Decisions come from core, effects go through its ports; no HTTP, no Redis and no wire format is known here.
"""
