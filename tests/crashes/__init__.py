"""The service killed at every step: real processes, real store and chain, and what must hold afterwards."""
