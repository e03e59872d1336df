"""Where numbers come from: adapters that keep the promise of core.ports.Provider, one folder per protocol.

Nothing of a protocol or of the HTTP library may leave this folder: neither a word, nor an exception, nor a key.
"""
