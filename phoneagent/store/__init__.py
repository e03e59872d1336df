"""What is remembered: the Redis adapters of the store ports, their scripts and their key table.

Check-and-act is always one script; nothing unsettled ever expires by itself.
"""
