"""Over https only a server that proves its name is believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk import Desk, digest

from hostile_source import Page, hostile
from sources import CertificateAuthority


def test_trusted(desk: Desk, authority: CertificateAuthority, small: bytes) -> None:
    """A certificate for the name that is asked, by an authority in ISOBAY_CA_FILE, is good."""
    with hostile(tls=authority.issue("localhost")) as source:
        source.pages["/a.iso"] = Page(small, cut_every=2 << 20)
        assert desk.bring(source.url("/a.iso", "localhost"))["checksums"]["sha256"] == digest(small)


@pytest.mark.parametrize("fault", ["expired", "of another name", "of an unknown authority"])
def test_refused(desk: Desk, authority: CertificateAuthority, tmp_path: Path, small: bytes, fault: str) -> None:
    """A certificate that proves nothing ends the import at once with a sentence, and no byte is asked for."""
    certificate = {
        "expired": lambda: authority.issue("127.0.0.1", expired=True),
        "of another name": lambda: authority.issue("images.test"),
        "of an unknown authority": lambda: CertificateAuthority(tmp_path).issue("127.0.0.1"),
    }[fault]()
    with hostile(tls=certificate) as source:
        source.pages["/a.iso"] = Page(small)
        failure = desk.fail(source.url("/a.iso"))
        assert (failure.code, failure.context["reason"], source.requests) == (2104, "tls", [])
        assert "is not trusted" in failure.message
        assert "ISOBAY_CA_FILE" in failure.message
        assert source.connections == 1


def test_no_tls_at_all(desk: Desk, small: bytes) -> None:
    """Asking a port of plain http for https fails with a sentence that says what to check."""
    with hostile() as source:
        source.pages["/a.iso"] = Page(small)
        failure = desk.fail(source.url("/a.iso").replace("http:", "https:"))
        assert "https" in failure.message
        assert failure.context["reason"] == "tls-handshake"


def test_from_https_to_http(desk: Desk, authority: CertificateAuthority, small: bytes) -> None:
    """A redirect from https to another host's http is followed: mirrors do so, and checksums are there for that."""
    with hostile(tls=authority.issue()) as secure, hostile() as plain:
        secure.pages["/a.iso"] = Page.redirect(plain.url("/a.iso"))
        plain.pages["/a.iso"] = Page(small)
        assert desk.bring(secure.url("/a.iso"))["checksums"]["sha256"] == digest(small)
