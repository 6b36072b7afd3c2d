"""A proxy is used when the settings name one, and leads nowhere that isobay would not go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, digest
from proxy import Proxy, proxy

from hostile_source import HostileSource, Page, hostile
from service import serving
from sources import CertificateAuthority


@pytest.fixture
def between() -> Iterator[Proxy]:
    """Run a proxy."""
    with proxy() as running:
        yield running


def test_proxy(
    tmp_path: Path,
    options: dict[str, str],
    between: Proxy,
    source: HostileSource,
    authority: CertificateAuthority,
    small: bytes,
) -> None:
    """ISOBAY_PROXY carries http, and https in a tunnel, also after a cut; forbidden targets are not asked for."""
    page = {"data": small, "cut_every": 5 << 20}
    source.pages["/a.iso"] = Page(**page)
    source.pages["/inside.iso"] = Page.redirect("http://10.0.0.1/a.iso")
    with hostile(tls=authority.issue()) as secure, serving(tmp_path, **options, ISOBAY_PROXY=between.url) as service:
        secure.pages["/a.iso"] = Page(**page)
        desk = Desk(service)
        for server in (source, secure):
            assert desk.bring(server.url("/a.iso"))["checksums"]["sha256"] == digest(small)
            assert [request.status for request in server.requests] == [200, 206]
        plain, tunnel = ("GET", source.url("/a.iso")), ("CONNECT", f"127.0.0.1:{secure.port}")
        assert between.asked == [plain, plain, tunnel, tunnel]
        assert desk.ask("http://10.0.0.1/a.iso").status_code >= 400
        assert desk.fail(source.url("/inside.iso")).code == 2105
        assert between.asked[4:] == [("GET", source.url("/inside.iso"))]


def test_proxy_that_is_gone(tmp_path: Path, options: dict[str, str], source: HostileSource, small: bytes) -> None:
    """Without the proxy nothing is fetched, and nobody is asked directly."""
    with proxy() as between:
        url = between.url
    source.pages["/a.iso"] = Page(small)
    with serving(tmp_path, **options, ISOBAY_PROXY=url) as service:
        assert Desk(service).fail(source.url("/a.iso")).code == 2104
    assert source.connections == 0


def test_variables_of_the_environment(
    tmp_path: Path,
    options: dict[str, str],
    between: Proxy,
    source: HostileSource,
    authority: CertificateAuthority,
    small: bytes,
) -> None:
    """The proxies that other programs find in the environment are none of isobay's."""
    variables = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"), between.url)
    with hostile(tls=authority.issue()) as secure, serving(tmp_path, **options, **variables) as service:
        for server in (source, secure):
            server.pages["/a.iso"] = Page(small)
            assert Desk(service).bring(server.url("/a.iso"))["checksums"]["sha256"] == digest(small)
    assert between.asked == []
