"""No URL, redirect or name leads an import to an address that may not be dialled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from desk import Desk, digest

from hostile_source import HostileSource, Page, hostile
from service import Service, serving
from sources import CertificateAuthority, Names

pytestmark = pytest.mark.usefixtures("forbidden")
ALLOWED, FORBIDDEN = "127.0.0.2", "127.0.0.1"
NOTATIONS = {
    "dotted": "127.0.0.1",
    "decimal": "2130706433",
    "hexadecimal": "0x7f000001",
    "hexadecimal parts": "0x7f.0.0.1",
    "two parts": "127.1",
    "octal": "0177.0.0.1",
    "dot at the end": "127.0.0.1.",
    "mapped": "[::ffff:127.0.0.1]",
    "mapped in hexadecimal": "[::ffff:7f00:1]",
    "NAT64": "[64:ff9b::7f00:1]",
    "loopback of IPv6": "[::1]",
    "full-width digits": "１２７.0.0.1",
    "percent-encoded": "%31%32%37.0.0.1",
    "name": "localhost",
    "unspecified": "0.0.0.0",  # noqa: S104 -- asked for, not listened on
    "unspecified of IPv6": "[::]",
    "metadata of clouds": "169.254.169.254",
    "private": "10.0.0.1",
}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Names:
    """Make names that lead where the test says."""
    return Names(tmp_path_factory.mktemp("names"))


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, names: Names, authority: CertificateAuthority
) -> Iterator[Service]:
    """Run a service that may fetch from one loopback address only."""
    options = {
        "ISOBAY_ALLOWED_NETWORKS": f"{ALLOWED}/32",
        "ISOBAY_FETCH_RETRY_SECONDS": "0",
        "ISOBAY_FETCH_RETRIES": "2",
        "ISOBAY_CA_FILE": str(authority.file),
    }
    with serving(tmp_path_factory.mktemp("guarded"), **options, **names.environment) as running:
        yield running


@pytest.fixture
def source() -> Iterator[HostileSource]:
    """Run a server where the service may fetch from."""
    with hostile(ALLOWED) as running:
        yield running


@pytest.fixture
def forbidden(source: HostileSource, small: bytes) -> Iterator[HostileSource]:
    """Run a server where it may not, on the same port. Nobody ever connects to it."""
    with hostile(FORBIDDEN, source.port) as running:
        running.pages["/a.iso"] = Page(small)
        yield running
        assert running.connections == 0


def test_allowed(desk: Desk, source: HostileSource, small: bytes) -> None:
    """The one address that ISOBAY_ALLOWED_NETWORKS names is fetched from."""
    source.pages["/a.iso"] = Page(small)
    assert desk.bring(source.url("/a.iso"))["checksums"]["sha256"] == digest(small)


@pytest.mark.parametrize("host", NOTATIONS.values(), ids=NOTATIONS.keys())
def test_urls(desk: Desk, source: HostileSource, host: str) -> None:
    """A URL to a forbidden address is refused, however it is written: at once, or when its name is looked up."""
    answer = desk.ask(source.url("/a.iso", host))
    if host == "localhost":
        assert desk.failed(desk.begin(source.url("/a.iso", host))).code == 2105
    else:
        assert answer.status_code in (400, 403, 409, 422), answer.text
        assert answer.json()["errors"][0]["code"] in (2001, 2105)


@pytest.mark.parametrize("host", NOTATIONS.values(), ids=NOTATIONS.keys())
def test_redirects(desk: Desk, source: HostileSource, host: str) -> None:
    """A redirect to a forbidden address is not followed, however it is written, and is not tried again."""
    source.pages["/a.iso"] = Page.redirect(_on_the_wire(f"http://{host}:{source.port}/a.iso"))
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.code in (2104, 2105), len(source.requests)) == (True, 1)
    assert failure.code == 2105 or "redirects to a URL that" in failure.message


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.2/a.iso",
        "gopher://127.0.0.2/_GET",
        "dict://127.0.0.2:11211/stats",
        "nfs://127.0.0.2/a.iso",
        "http://127.0.0.2\\@127.0.0.1/a.iso",
        "/image.meta4",
        "//127.0.0.1:99999/a.iso",
    ],
)
def test_redirects_elsewhere(desk: Desk, source: HostileSource, location: str) -> None:
    """A redirect to anything but http and https, or to no URL at all, ends the import with a sentence."""
    source.pages["/a.iso"] = Page.redirect(location)
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.code, failure.context["reason"], len(source.requests)) == (2104, "redirects", 1)
    assert "redirects to a URL that" in failure.message


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.2/a.iso",
        "nfs://127.0.0.2/a.iso",
        "sftp://127.0.0.2/a.iso",
        "http://127.0.0.2/a.iso.metalink",
        "http://127.0.0.2/a.meta4",
        "/etc/passwd",
        "http://",
    ],
)
def test_other_urls(desk: Desk, url: str) -> None:
    """What is not an http or https URL of an image is refused before anything goes out, and its field is named."""
    answer = desk.ask(url)
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"], list(error["context"]["fields"])) == (400, 2001, ["url"])


@pytest.mark.parametrize("field", ["checksumUrl", "signatureUrl"])
def test_other_files(desk: Desk, source: HostileSource, forbidden: HostileSource, small: bytes, field: str) -> None:
    """The files of checksums and signatures are fetched under the same guard."""
    source.pages["/a.iso"] = Page(small)
    source.pages["/sums"] = Page(f"{digest(small)}  a.iso\n".encode())
    source.pages["/away"] = Page.redirect(forbidden.url("/a.iso"))
    urls = {"checksumUrl": source.url("/sums"), field: source.url("/away")}
    assert desk.fail(source.url("/a.iso"), **urls).code == 2105
    assert desk.ask(source.url("/a.iso"), **{**urls, field: forbidden.url("/a.iso")}).status_code >= 400


def test_five_redirects(desk: Desk, source: HostileSource, small: bytes) -> None:
    """Five redirects in a row are followed, and the sixth is not."""
    source.pages["/a.iso"] = Page(small)
    source.chain("/five", 5, "/a.iso")
    assert desk.bring(source.url("/five"))["checksums"]["sha256"] == digest(small)
    source.chain("/six", 6, "/a.iso")
    failure = desk.fail(source.url("/six"))
    assert failure.context["reason"] == "redirects"
    assert "more than 5 times" in failure.message


def test_redirects_in_a_circle(desk: Desk, source: HostileSource) -> None:
    """A redirect that leads to itself ends."""
    source.pages["/a.iso"] = Page.redirect("/a.iso")
    assert desk.fail(source.url("/a.iso")).context["reason"] == "redirects"
    assert len(source.requests) == 6


@pytest.mark.parametrize("addresses", [[ALLOWED, FORBIDDEN], [FORBIDDEN, ALLOWED], ["::1", ALLOWED]])
def test_name_of_two(
    desk: Desk,
    names: Names,
    source: HostileSource,
    small: bytes,
    addresses: list[str],
) -> None:
    """Of a name's addresses the forbidden ones are passed over."""
    names.lead({"images.test": addresses})
    source.pages["/a.iso"] = Page(small)
    assert desk.bring(source.url("/a.iso", "images.test"))["checksums"]["sha256"] == digest(small)


def test_name_of_forbidden_ones(desk: Desk, names: Names, source: HostileSource) -> None:
    """A name with none but forbidden addresses fails with one of them and the reason, and is not tried again."""
    names.lead({"images.test": [FORBIDDEN, "10.0.0.1", "::1"]})
    failure = desk.fail(source.url("/a.iso", "images.test"))
    assert (failure.code, failure.context["host"]) == (2105, "images.test")
    assert "images.test leads to " in failure.message
    assert "ISOBAY_ALLOWED_NETWORKS" in failure.message


def test_name_that_moves(desk: Desk, names: Names, source: HostileSource, small: bytes) -> None:
    """A name that leads elsewhere at the next look-up leads nobody there, in the same import or in the next one."""
    names.lead({"images.test": [ALLOWED]})
    page = Page(small, cut_every=2 << 20, stall_after=1 << 20)
    source.pages["/a.iso"] = page
    asked = desk.begin(source.url("/a.iso", "images.test"))
    assert page.stalled.wait(30)
    names.lead({"images.test": [FORBIDDEN]})
    page.stall_after = None
    page.released.set()
    assert desk.end(asked)["taskStatus"] in ("SUCCESS", "FAILED")
    assert desk.fail(source.url("/a.iso", "images.test")).code == 2105


def test_redirect_to_a_name(desk: Desk, names: Names, source: HostileSource) -> None:
    """A redirect to a name that leads to a forbidden address is not followed."""
    names.lead({"images.test": [ALLOWED], "inside.test": [FORBIDDEN]})
    source.pages["/a.iso"] = Page.redirect(source.url("/a.iso", "inside.test"))
    assert desk.fail(source.url("/a.iso", "images.test")).code == 2105


def _on_the_wire(text: str) -> str:
    return text.encode().decode("latin-1")  # what http.server writes byte by byte
