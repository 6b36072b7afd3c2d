"""Releases of osinfo-db on the web: which is the newest, and its bytes."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from isobay import __version__
from isobay.errors import RulesError

MOST_BYTES = 64 << 20  # a release of 2026 has 110 KB
MOST_LISTING = 4 << 20
SECONDS_OF_SILENCE = 30
SECONDS_IN_ALL = 600
CHUNK = 1 << 16
_RELEASE = re.compile(r"osinfo-db-(\d{8})\.tar(?:\.xz|\.gz)?")
_LINK = re.compile(rf"""href\s*=\s*["']?([^"'\s>]*{_RELEASE.pattern})["'\s>]""", re.IGNORECASE)
_ARCHIVE = re.compile(r"\.(tar|tar\.xz|tar\.gz|txz|tgz)$")


class Release(Struct, frozen=True):
    """An archive of osinfo-db: where it is, and its version (``20260517``), or empty if its name has none."""

    url: str
    version: str


def newest(url: str) -> Release:
    """The release that a URL names, or the newest of those that the page there links to. Raises RulesError."""
    path = urlsplit(url).path
    if _ARCHIVE.search(path):
        found = _RELEASE.search(path)
        return Release(url, found[1] if found else "")
    with _opened(url) as (answer, final):
        page = answer.read(MOST_LISTING).decode("utf-8", "replace")
    links = {found[2]: found[1] for found in _LINK.finditer(page)}
    if not links:
        raise RulesError(
            f"{url} links to no osinfo-db-YYYYMMDD.tar.xz. Give --url the address of an archive, or of their directory."
        )
    version = max(links)
    link = urljoin(final, links[version])
    _check_scheme(link, _allowed(url))
    return Release(link, version)


def fetch(url: str, target: Path, progress: Callable[[int, int], None]) -> None:
    """Write what is at a URL into a file, at most 64 MiB and within ten minutes. Raises RulesError."""
    started = monotonic()
    with _opened(url) as (answer, _), target.open("wb") as file:
        length = answer.headers.get("Content-Length") or ""
        total = int(length) if length.isdecimal() and len(length) < 20 else 0
        done = 0
        while chunk := answer.read(CHUNK):
            done += len(chunk)
            if done > MOST_BYTES:
                raise RulesError(f"{url} is larger than {MOST_BYTES >> 20} MiB, which no osinfo-db is.")
            if monotonic() - started > SECONDS_IN_ALL:
                raise RulesError(f"{url} took longer than {SECONDS_IN_ALL} seconds. Try again, or fetch it by hand.")
            file.write(chunk)
            progress(done, total)
        if done < total:
            raise RulesError(f"{url} ended after {done} of {total} bytes. Try again.")


@contextmanager
def _opened(url: str) -> Iterator[tuple[Any, str]]:
    """Yield the answer at a URL and the address it came from in the end. Raises RulesError, also while it is read."""
    _check_scheme(url, {"http", "https"})
    request = urllib.request.Request(url, headers={"User-Agent": f"isobay/{__version__}"})  # noqa: S310 -- checked
    try:
        with _opener(url).open(request, timeout=SECONDS_OF_SILENCE) as answer:
            yield answer, answer.url
    except urllib.error.HTTPError as error:
        raise RulesError(f"{url} answers {error.code} {error.reason}. Give another address with --url.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        reason = getattr(reason, "strerror", None) or reason  # without its number
        raise RulesError(f"{url} cannot be fetched: {reason}. Check the address and the network.") from error


def _opener(url: str) -> urllib.request.OpenerDirector:
    """An opener of what is needed and no more: urllib's own would also read files and data: addresses."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(_allowed(url)),
    ):
        opener.add_handler(handler)
    return opener


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to an address that anybody on the way can answer for."""

    def __init__(self, schemes: set[str]) -> None:
        self._schemes = schemes

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The request for where a redirect leads."""
        _check_scheme(newurl, self._schemes)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _allowed(url: str) -> set[str]:
    return {"https"} if urlsplit(url).scheme == "https" else {"http", "https"}


def _check_scheme(url: str, schemes: set[str]) -> None:
    if urlsplit(url).scheme not in schemes or not urlsplit(url).hostname:
        wanted = " or ".join(f"{scheme}://" for scheme in sorted(schemes, reverse=True))
        raise RulesError(f"{url} is no address to fetch rules from: it must begin with {wanted}.")
