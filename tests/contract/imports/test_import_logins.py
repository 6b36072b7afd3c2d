"""Logins reach the server that they are for, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, digest

from hostile_source import HostileSource, Page, hostile
from service import serving
from sources import nginx

USER, SECRET, TOKEN = "reader", "s3cret-of-the-url", "t0ken-of-the-query"
NETRC_SECRET = "s3cret-of-the-netrc"  # noqa: S105 -- made up, and looked for where it must not be


@pytest.fixture
def elsewhere() -> Iterator[HostileSource]:
    """Run another server, on another port."""
    with hostile() as running:
        yield running


def with_login(url: str, password: str = SECRET) -> str:
    """The URL with a login in it."""
    return url.replace("://", f"://{USER}:{password}@")


def test_without_login(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A server that wants a login and gets none is not asked again, and the sentence says where to put one."""
    source.pages["/a.iso"] = Page(small, login=(USER, SECRET))
    failure = desk.fail(source.url("/a.iso"))
    assert (failure.context["httpStatus"], len(source.requests)) == (401, 1)
    assert "user name and password" in failure.message


def test_login_in_the_url(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A login in the URL is used, for the rest after a cut too, and is not in the ISO's source URL."""
    source.pages["/a.iso"] = Page(small, login=(USER, SECRET), cut_every=2 << 20)
    iso = desk.bring(with_login(source.url("/a.iso")))
    assert (iso["checksums"]["sha256"], iso["sourceUrl"]) == (digest(small), source.url("/a.iso"))


def test_wrong_login(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A password that the server does not take is not in what is said of it."""
    source.pages["/a.iso"] = Page(small, login=(USER, SECRET))
    failure = desk.fail(with_login(source.url("/a.iso"), "another-word"))
    assert failure.context["httpStatus"] == 401
    assert "another-word" not in str(failure)


def test_login_of_nginx(desk: Desk, tmp_path: Path, small: bytes) -> None:
    """A password with characters that mean something in URLs arrives as it was meant, at Debian's nginx."""
    (tmp_path / "a.iso").write_bytes(small)
    with nginx(tmp_path, login=(USER, "p@ss:w/ord%")) as server:
        url = server.url("/a.iso")
        assert desk.bring(url.replace("://", f"://{USER}:p%40ss%3Aw%2Ford%25@"))["sourceUrl"] == url


@pytest.mark.parametrize("status", [301, 307])
def test_login_stays_at_home(
    desk: Desk, source: HostileSource, elsewhere: HostileSource, small: bytes, status: int
) -> None:
    """A redirect to another server does not take the login along."""
    elsewhere.pages["/a.iso"] = Page(small)
    source.pages["/a.iso"] = Page.redirect(elsewhere.url("/a.iso"), status)
    assert desk.bring(with_login(source.url("/a.iso")))["ready"]
    assert "authorization" in source.requests[0].headers
    assert ["authorization" in request.headers for request in elsewhere.requests] == [False]


def test_login_goes_along_at_home(desk: Desk, source: HostileSource, small: bytes) -> None:
    """A redirect to the same server takes it along."""
    source.pages["/a.iso"] = Page.redirect("/b.iso")
    source.pages["/b.iso"] = Page(small, login=(USER, SECRET))
    assert desk.bring(with_login(source.url("/a.iso")))["ready"]


def test_netrc(
    tmp_path: Path, options: dict[str, str], source: HostileSource, elsewhere: HostileSource, small: bytes
) -> None:
    """A login in ISOBAY_NETRC_FILE is for the host that it names; another host, and a redirect to it, get none."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login {USER} password {NETRC_SECRET}\n")
    netrc.chmod(0o600)
    source.pages["/a.iso"] = Page(small, login=(USER, NETRC_SECRET))
    source.pages["/away.iso"] = Page.redirect(elsewhere.url("/a.iso", "localhost"))
    elsewhere.pages["/a.iso"] = Page(small)
    with serving(tmp_path / "data", **options, ISOBAY_NETRC_FILE=str(netrc)) as service:
        desk = Desk(service)
        assert desk.bring(source.url("/a.iso"))["ready"]
        assert desk.bring(source.url("/away.iso"))["ready"]
        assert "authorization" in source.requests[1].headers
        assert ["authorization" in request.headers for request in elsewhere.requests] == [False]
        # The login in a URL wins over the file's.
        assert desk.fail(with_login(source.url("/a.iso"))).context["httpStatus"] == 401


def test_secrets_stay_secret(
    tmp_path: Path,
    options: dict[str, str],
    source: HostileSource,
    small: bytes,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No secret of a URL or of the netrc file is in an answer, the activity log, the log or the database's bytes."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine localhost login {USER} password {NETRC_SECRET}\n")
    netrc.chmod(0o600)
    source.pages["/a.iso"] = Page(small, login=(USER, SECRET))
    source.pages["/netrc.iso"] = Page(small, login=(USER, NETRC_SECRET))
    source.pages["/endless.iso"] = Page.redirect(f"/endless.iso?token={TOKEN}")
    source.pages["/ftp.iso"] = Page.redirect(f"ftp://{USER}:{SECRET}@127.0.0.1/a.iso?token={TOKEN}")
    source.pages["/forbidden.iso"] = Page.redirect(f"http://{USER}:{SECRET}@10.0.0.1/a.iso?token={TOKEN}")
    source.pages["/sums"] = Page(b"no sums", login=(USER, SECRET))
    more = {"ISOBAY_NETRC_FILE": str(netrc), "ISOBAY_LOG_LEVEL": "debug"}
    data = tmp_path / "data"
    with serving(data, **options, **more) as service:
        desk = Desk(service)

        def url(path: str) -> str:
            return with_login(source.url(path)) + f"?X-Amz-Signature={TOKEN}"

        begun = [desk.begin(url("/a.iso")), desk.begin(source.url("/netrc.iso", "localhost"))]
        told = [str(desk.ready(asked)) for asked in begun]
        for path in ("/missing.iso", "/endless.iso", "/ftp.iso", "/forbidden.iso"):
            begun.append(desk.begin(url(path)))
            told.append(str(desk.failed(begun[-1])))
        begun.append(desk.begin(url("/a.iso"), checksumUrl=url("/sums")))
        told.append(str(desk.failed(begun[-1])))
        again = desk.again(begun[-1])
        told.append(str(desk.failed(again)))
        told += [str(desk.task(asked)) for asked in [*begun, again]]
        told.append(desk.ask(url("/a.iso") + "#\x01").text)
        told.append(desk.ask(url("/a.iso").replace("http:", "ftp:")).text)
        told.append(service.client().get("/v1/activity_log").text)
        database = [path.read_bytes() for path in data.glob("isobay.db*")]
    log = "".join(capfd.readouterr())
    assert "path=" in log
    assert len(database) >= 2
    database += [path.read_bytes() for path in data.glob("isobay.db*")]
    everything = [*database, *(text.encode() for text in (*told, log))]
    for secret in (SECRET, TOKEN, NETRC_SECRET):
        assert [text for text in everything if secret.encode() in text] == []
