"""What the import doctor says of a URL."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from isobay.inspection.report import Report

Subject = Literal[
    "dns", "address", "redirect", "tls", "server", "size", "range", "version", "space", "quota", "checksum", "image"
]
Verdict = Literal["ok", "notice", "problem"]


class Finding(Struct, rename="camel", frozen=True):
    """One sentence that a person can act on. With a ``problem`` an import would fail."""

    subject: Subject
    verdict: Verdict
    message: str


class Diagnosis(Struct, rename="camel", kw_only=True, frozen=True):
    """What importing a URL would meet. Sizes are bytes, -1 where they are not known; URLs are without secrets.

    ``status`` is the last answer's (RFC 9110 15), 0 where none came; ``modified`` is the server's text.
    ``checksum`` is "sha256:…" or empty, ``checksum_source`` the URL of the file that promises it.
    ``requests`` and ``bytes`` are what the look has cost. The size in the ``report`` on a packed file, or on one of
    unknown size, is what the image itself claims.
    """

    url: str
    importable: bool
    findings: list[Finding]
    addresses: list[str] = []
    redirects: list[str] = []
    final_url: str = ""
    server: str = ""
    status: int = 0
    size: int = -1
    ranges: bool = False
    etag: str = ""
    modified: str = ""
    checksum: str = ""
    checksum_source: str = ""
    report: Report | None = None
    requests: int = 0
    bytes: int = 0
