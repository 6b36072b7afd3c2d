"""isobay: a self-hosted service for ISO disk images."""

__version__ = "0.1.0"
