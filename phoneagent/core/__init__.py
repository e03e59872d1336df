"""What is true: values, state machines, meanings and ports of the product, on the standard library alone.

Nothing in here awaits, reads a clock, draws a random number or does I/O; time and randomness come in as arguments.
"""
