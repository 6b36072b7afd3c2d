"""``isobay rules``."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from command_line import SECONDS, CommandLine

from isobay.cli.releases import fetch, newest
from isobay.errors import RulesError


class _Quiet(SimpleHTTPRequestHandler):
    """Serves a directory and prints nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _served(handler: object, certificate: Path | None = None) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:  # type: ignore[arg-type] # a partial is one too
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that go away are what is tested
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def _answering(answer: object) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        do_GET = answer  # noqa: N815 -- http.server's name
        log_message = _Quiet.log_message

    return Handler


def test_update_takes_the_newest_of_a_page(isobay: CommandLine, rules_archive: Path, tmp_path: Path) -> None:
    """From a page of links the newest by name is brought in, used, and not fetched a second time."""
    site = tmp_path / "site"
    site.mkdir()
    (site / rules_archive.name).write_bytes(rules_archive.read_bytes())
    (site / "osinfo-db-20221130.tar.xz").write_bytes(b"never fetched")
    with _served(partial(_Quiet, directory=str(site))) as url:
        told = isobay.json("rules", "update", "--url", url)
        again = isobay("rules", "update", "--url", url)
    assert told["version"] == "20260517"
    assert (again.returncode, "no newer" in again.stderr) == (0, True)
    assert str(isobay.data_dir / "osinfo") in [source["path"] for source in told["sources"] if source["files"]]


def test_import_changes_the_rules_and_a_bad_archive_does_not(
    isobay: CommandLine, rules_archive: Path, tmp_path: Path
) -> None:
    """After an import the status has its version, and after a bad one it still has."""
    assert isobay("rules", "import", rules_archive).returncode == 0
    bad = tmp_path / "bad.tar.xz"
    bad.write_bytes(rules_archive.read_bytes()[:5000])
    done = isobay("rules", "import", bad)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    status = isobay("rules", "status").stdout
    assert f"{isobay.data_dir}/osinfo\timported\t20260517\t" in status


def test_an_archive_that_cannot_be_read_is_said(isobay: CommandLine, tmp_path: Path) -> None:
    """A missing archive ends with 3 and an unreadable one with 1, each in one sentence, and nothing is made."""
    missing, secret = tmp_path / "missing.tar", tmp_path / "secret.tar"
    secret.touch(mode=0)
    for path, code, reason in ((missing, 3, "No such file or directory"), (secret, 1, "Permission denied")):
        done = isobay.without_rights("rules", "import", path)
        assert (done.returncode, done.stderr) == (code, f"isobay: {path} cannot be read: {reason}.\n")
    assert not isobay.data_dir.exists()


def test_a_page_without_releases_is_refused(tmp_path: Path) -> None:
    """A page that links to no archive, and one that is not there, are errors that name the address."""
    with _served(partial(_Quiet, directory=str(tmp_path))) as url:
        with pytest.raises(RulesError, match="links to no osinfo-db"):
            newest(url)
        with pytest.raises(RulesError, match="answers 404"):
            fetch(f"{url}osinfo-db-20300101.tar.xz", tmp_path / "got", lambda _done, _total: None)


def test_the_newest_is_found_by_its_date() -> None:
    """Links are compared by the date in their names, and read relative to where the page came from."""

    def page(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/":
            handler.send_response(302)
            handler.send_header("Location", "/libosinfo/index.html")
            handler.end_headers()
            return
        body = b"<a href=\"osinfo-db-20240101.tar.xz\">x</a><a href='osinfo-db-20250606.tar.xz'>y</a>"
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body + b'<a href="osinfo-db-20250606.tar.xz.asc">signature</a>')

    with _served(_answering(page)) as url:
        release = newest(url)
    assert (release.url, release.version) == (f"{url}libosinfo/osinfo-db-20250606.tar.xz", "20250606")


def test_a_flood_and_a_stump_are_refused(tmp_path: Path) -> None:
    """More than 64 MiB are not taken, and fewer bytes than were promised are not enough."""

    def flood(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(80):
                handler.wfile.write(bytes(1 << 20))
        except ConnectionError:
            handler.close_connection = True

    def stump(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x" * 10)

    for answer, said in ((flood, "larger than 64 MiB"), (stump, "ended after 10 of 1000")):
        with _served(_answering(answer)) as url, pytest.raises(RulesError, match=said):
            fetch(url, tmp_path / "got", lambda _done, _total: None)
    assert (tmp_path / "got").stat().st_size == 10


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/osinfo-db-20260101.tar.xz", "/etc/passwd", "https://"]
)
def test_only_web_addresses_are_fetched(url: str, tmp_path: Path) -> None:
    """An address that is no http or https one is refused before anything is opened."""
    with pytest.raises(RulesError, match="no address to fetch rules from"):
        fetch(url, tmp_path / "got", lambda _done, _total: None)
    assert not (tmp_path / "got").exists()


def test_a_fetch_that_fails_says_why_in_words(tmp_path: Path) -> None:
    """A port that nobody listens on is an error in words, without the number of the operating system."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/osinfo-db-20300101.tar.xz"
        with pytest.raises(RulesError, match=r"cannot be fetched: Connection refused\. Check"):
            fetch(url, tmp_path / "got", lambda _done, _total: None)


def test_an_interrupt_ends_quietly(isobay: CommandLine) -> None:
    """Ctrl-C while a server does not answer ends with 130, and nothing is said."""
    asked, over = threading.Event(), threading.Event()

    def hang(_handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        over.wait(SECONDS)

    with (
        _served(_answering(hang)) as url,
        subprocess.Popen(
            isobay.command("rules", "update", "--url", url),
            env=isobay.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert asked.wait(SECONDS)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=SECONDS)
        over.set()
    assert (process.returncode, told) == (130, (b"", b""))


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a certificate for 127.0.0.1, with its key in the same file, that this process trusts."""
    path = tmp_path / "certificate.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(path)]
    subprocess.run(["openssl", *words.split(), *files], check=True, capture_output=True)
    path.write_text(path.read_text() + (tmp_path / "key.pem").read_text())
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


def test_https_never_leads_to_http(certificate: Path, tmp_path: Path) -> None:
    """Neither a redirect nor a link takes a fetch that began with https to an address without it."""
    plain = "http://127.0.0.1:1/osinfo-db-20300101.tar.xz"

    def away(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302 if handler.path == "/redirect" else 200)
        handler.send_header("Location", plain)
        handler.end_headers()
        handler.wfile.write(f'<a href="{plain}">'.encode())

    with _served(_answering(away), certificate) as url:
        with pytest.raises(RulesError, match="must begin with https://"):
            fetch(f"{url}redirect", tmp_path / "got", lambda _done, _total: None)
        with pytest.raises(RulesError, match="must begin with https://"):
            newest(f"{url}page")
        fetch(f"{url}page", tmp_path / "got", lambda _done, _total: None)
    assert (tmp_path / "got").read_text() == f'<a href="{plain}">'


def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fetched from a server whose certificate is not trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    served = _served(_answering(lambda handler: handler.send_error(500)), certificate)
    with served as url, pytest.raises(RulesError, match="certificate verify failed"):
        fetch(url, tmp_path / "got", lambda _done, _total: None)
    assert not (tmp_path / "got").exists()
