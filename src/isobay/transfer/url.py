"""A URL that a user gave or a server redirected to, taken apart once and for all (RFC 3986).

What libcurl is given and what is judged and shown come from the same parse: no part is read twice in two ways.
Addresses are not judged here: names lead anywhere, so the guard at the socket does that.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import quote, unquote, urljoin

from msgspec import Struct
from msgspec.structs import replace

from isobay.errors import InvalidFieldsError
from isobay.model.new_iso import URL_LENGTH

_LENGTH = 2 * URL_LENGTH  # servers redirect to longer URLs than people write
_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?"
)
_AUTHORITY = re.compile(r"(?:(?P<login>[^@]*)@)?(?P<host>\[[^\[\]@]*\]|[^:\[\]@]*)(?::(?P<port>[0-9]*))?")
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_HOST_LENGTH = 254  # RFC 1035 2.3.4, and a dot at the end
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SAFE = "%/:@!$&'()*+,;=~"  # RFC 3986 3.3
# The standards of 2003 and 2008 make different hosts of these: ß, ς, and the two joiners.
_AMBIGUOUS = re.compile("[\u00df\u03c2\u200c\u200d]")
_METALINKS = (".metalink", ".meta4")
_ALLOWED = "give an http or https URL of an image"
_SECRET_WORDS = re.compile(
    r"signature|credential|token|secret|passw|auth|accesskey|accessid|apikey|keypair|policy|^(?:sig|key|jwt|pwd|hdnea|hdnts|gda)$"
)


class SourceUrl(Struct, frozen=True, kw_only=True):
    """An http or https URL without its fragment. ``repr`` shows no secret.

    ``host`` is in lower case and ASCII, an IPv6 address without its brackets; ``path`` and ``query`` are
    percent-encoded; ``username`` and ``password`` are decoded, and None where the URL has none.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str | None = None
    username: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, text: str) -> SourceUrl:
        """Take a URL apart. Raises InvalidFieldsError that says of ``url`` what is wrong with it."""
        text = text.strip(" ")
        if len(text) > _LENGTH:
            raise _wrong(f"is longer than {_LENGTH} characters")
        if _FORBIDDEN.search(text):
            raise _wrong("has a control character or a backslash; write them percent-encoded")
        found = _URL.match(text)
        if not found:
            raise _wrong("is not a whole URL; write it as https://host/path/image.iso")
        scheme = found["scheme"].lower()
        if scheme not in _PORTS:
            raise _wrong(f"has the scheme {scheme[:32]}, which isobay does not fetch; {_ALLOWED}")
        parts = _AUTHORITY.fullmatch(found["authority"])
        if not parts:
            raise _wrong("has a host that cannot be read; write @ : [ ] in a login percent-encoded")
        username, password = _login(parts["login"])
        query = found["query"]
        url = cls(
            scheme=scheme,
            host=_host(parts["host"]),
            port=_port(parts["port"], scheme),
            path=_encoded(found["path"] or "/", _SAFE),
            query=None if query is None else _encoded(query, _SAFE + "?"),
            username=username,
            password=password,
        )
        if url.file_name.lower().endswith(_METALINKS):
            raise _wrong(f"is of a Metalink file, which isobay does not follow; {_ALLOWED}")
        return url

    def joined(self, location: str) -> SourceUrl:
        """Give the URL that a redirect's Location leads to from here (RFC 3986 5.2, RFC 9110 10.2.2).

        The login goes along only to the same origin. Raises InvalidFieldsError as ``parse`` does.
        """
        try:
            if _FORBIDDEN.search(location):
                raise _wrong("has a control character or a backslash")
            target = SourceUrl.parse(urljoin(self.request, location))
        except InvalidFieldsError as error:
            raise _wrong(f"redirects to a URL that {error.context['fields']['url']}") from error
        except ValueError as error:
            raise _wrong("redirects to a URL that cannot be read") from error
        if target.username is None and target.origin == self.origin:
            return replace(target, username=self.username, password=self.password)
        return target

    @property
    def origin(self) -> str:
        """Scheme, host, and port where it is not the scheme's own (RFC 6454 6.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    @property
    def request(self) -> str:
        """What libcurl is given: all but the login."""
        return f"{self.origin}{self.path}" + ("" if self.query is None else f"?{self.query}")

    @property
    def shown(self) -> str:
        """What people and logs may see: no login, and ``…`` for each secret in the query."""
        if self.query is None:
            return self.request
        return f"{self.origin}{self.path}?{'&'.join(map(_without_secret, self.query.split('&')))}"

    @property
    def file_name(self) -> str:
        """The last segment of the path, decoded; may be empty. A user's text: it names nothing on this disk."""
        return unquote(self.path.rpartition("/")[2]).rpartition("/")[2]

    def literal_address(self) -> str | None:
        """The address that the host is, in any notation of inet_aton or inet_pton; None where it is a name."""
        if ":" in self.host:
            return self.host
        try:
            return socket.inet_ntoa(socket.inet_aton(self.host.removesuffix(".")))
        except OSError:
            return None

    def __repr__(self) -> str:
        return f"SourceUrl({self.shown!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # rich prints this one, and msgspec's own has the password
        return [("shown", self.shown)]


def problem_of(text: str) -> str:
    """What is wrong with a URL, as a phrase; nothing where ``SourceUrl`` takes it."""
    try:
        SourceUrl.parse(text)
    except InvalidFieldsError as error:
        return str(error.context["fields"]["url"])
    return ""


def _wrong(problem: str) -> InvalidFieldsError:
    return InvalidFieldsError({"url": problem})


def _login(text: str | None) -> tuple[str | None, str | None]:
    if text is None:
        return None, None
    name, colon, password = text.partition(":")
    if not colon or ":" in password:
        raise _wrong("has an @ before its host but no login; write it as https://user:password@host/…")
    try:
        username, password = unquote(name, errors="strict"), unquote(password, errors="strict")
    except UnicodeDecodeError as error:
        raise _wrong("has a login that is not UTF-8") from error
    # A colon ends the name in Basic authentication (RFC 7617 2), and neither part may end a header's line.
    if ":" in username or _FORBIDDEN.search(username) or re.search(r"[\x00-\x1f\x7f]", password):
        raise _wrong("has a login with a character that no server takes")
    return username, password


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            address = IPv6Address(text[1:-1])
        except ValueError as error:
            raise _wrong("has a host in brackets that is no IPv6 address") from error
        if address.scope_id is not None:
            raise _wrong("has an IPv6 address with a zone, which only one machine understands")
        return str(address)
    if not text:
        raise _wrong("has no host")
    if _AMBIGUOUS.search(text.lower()):
        raise _wrong("has a host with a letter that is read in two ways; write the host in its xn-- form")
    try:
        host = text.encode("idna").decode("ascii").lower() if not text.isascii() else text.lower()
    except UnicodeError as error:
        raise _wrong("has a host that is no internationalized name") from error
    if len(host) > _HOST_LENGTH or not _HOST.fullmatch(host):
        raise _wrong("has a host that is no name and no address")
    return host


def _port(text: str | None, scheme: str) -> int:
    if not text:
        return _PORTS[scheme]
    digits = text.lstrip("0")
    if not digits or len(digits) > 5 or int(digits) > 65535:
        raise _wrong("has a port that is not between 1 and 65535")
    return int(digits)


def _encoded(text: str, safe: str) -> str:
    return quote(_STRAY_PERCENT.sub("%25", text), safe=safe)


def _without_secret(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    plain = re.sub(r"[^a-z0-9]", "", unquote(name).lower())
    return f"{name}=…" if equals and _SECRET_WORDS.search(plain) else parameter
