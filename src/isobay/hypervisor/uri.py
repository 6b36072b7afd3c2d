"""Connection URIs of libvirt (https://libvirt.org/uri.html)."""

from __future__ import annotations

from urllib.parse import urlsplit

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_here(uri: str) -> bool:
    """Whether a URI leads to this machine. A port of this machine may be a tunnel to another, so that does not."""
    parts = urlsplit(uri)
    return not parts.netloc or (parts.hostname in _LOOPBACK and not parts.port)
