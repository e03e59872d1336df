"""PhoneAgent rents one temporary phone number to an AI agent over x402 and is paid only if an SMS arrives.

This module holds the version and nothing else: importing it must never start, open or configure anything.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
