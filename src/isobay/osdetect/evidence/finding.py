"""One piece of evidence."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one file of the image says. Empty texts and None stand for what it does not say.

    ``product`` is a key of `products.PRODUCTS`, or empty for a product that has none there; then ``name`` is what
    the file calls it. ``server_version`` is the version where the file cannot tell a client from a server, and this is
    a server. ``architecture`` is in libosinfo's spelling. ``treeinfo`` are the fields family, version,
    variant and arch as written, for libosinfo's rules for trees. ``says`` is a sentence for people.
    """

    source: str
    says: str
    product: str = ""
    version: str = ""
    server_version: str = ""
    name: str = ""
    architecture: str = ""
    variant: str = ""
    live: bool | None = None
    installer: bool | None = None
    treeinfo: tuple[str, str, str, str] | None = None
