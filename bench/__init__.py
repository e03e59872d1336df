"""What the service costs, measured beside something that does the same with less: always as ratios within one run.

Nothing here is shipped or imported by the service, and it must never talk to anything but this machine.
"""
