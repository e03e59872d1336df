"""The names of the environment variables under which the servers beside us are told what they need.

Both environments read it, so it must never import anything.
"""

ANSWERS = "BENCH_ANSWERS"
"""Names the file with our 402s: {"rent": [headers, body], "countries": …}."""

FACILITATOR = "BENCH_FACILITATOR"
PAY_TO = "BENCH_PAY_TO"
DISCOVERABLE = "BENCH_DISCOVERABLE"
