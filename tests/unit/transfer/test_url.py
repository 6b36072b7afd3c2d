"""A URL is taken apart once: what is fetched, what is shown, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from isobay.errors import InvalidFieldsError
from isobay.transfer.url import SourceUrl

BASE = SourceUrl.parse("https://user:secret@images.example/debian/12/a.iso?mirror=1")


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("http://example.org", "http://example.org/"),
        ("HTTPS://Example.ORG:443/A.iso#part", "https://example.org/A.iso"),
        ("http://example.org:080/a", "http://example.org/a"),
        ("http://example.org:/a", "http://example.org/a"),
        ("https://example.org:80/a", "https://example.org:80/a"),
        (" http://example.org/a b/ü.iso?q=ä b ", "http://example.org/a%20b/%C3%BC.iso?q=%C3%A4%20b"),
        ("http://example.org/100%/%2f%zz?%", "http://example.org/100%25/%2f%25zz?%25"),
        ("http://example.org?a=b/c?d", "http://example.org/?a=b/c?d"),
        ("http://example.org/?", "http://example.org/?"),
        ('http://example.org/"<>`{|}^', "http://example.org/%22%3C%3E%60%7B%7C%7D%5E"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://BÜCHER。example/", "http://xn--bcher-kva.example/"),
        ("http://[2001:DB8:0::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://under_score.example./", "http://under_score.example./"),
        ("http://user:pass@example.org/", "http://example.org/"),
    ],
)
def test_what_is_asked_for(text: str, request_: str) -> None:
    """Case, default ports, spaces, letters of all scripts, stray percents and fragments become what HTTP takes."""
    url = SourceUrl.parse(text)
    assert url.request == request_
    assert SourceUrl.parse(url.request).request == request_


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a whole URL"),
        ("example.org/a.iso", "not a whole URL"),
        ("//example.org/a.iso", "not a whole URL"),
        ("http:/example.org/", "not a whole URL"),
        ("http:example.org", "not a whole URL"),
        ("file:///etc/passwd", "scheme file"),
        ("ftp://example.org/a.iso", "scheme ftp"),
        ("nfs://example.org/a.iso", "scheme nfs"),
        ("smb://example.org/a.iso", "scheme smb"),
        ("gopher://example.org/a.iso", "scheme gopher"),
        ("https+unix://socket/", "https\\+unix"),
        ("http://example.org/a.iso.metalink", "Metalink"),
        ("http://example.org/a.META4?x", "Metalink"),
        ("http://", "no host"),
        ("http:///a.iso", "no host"),
        ("http://:80/", "no host"),
        ("http://user:pass@/", "no host"),
        ("http://?a", "no host"),
        ("http://good.example@evil.example/", "no login"),
        ("http://a:b:c@example.org/", "no login"),
        ("http://a:b@c@d/", "cannot be read"),
        ("http://a:b@c:d@e/", "cannot be read"),
        ("http://a%3Ab:c@example.org/", "no server takes"),
        ("http://a:b%0d%0aHost:c@example.org/", "no login"),
        ("http://a:b%0d%0a@example.org/", "no server takes"),
        ("http://a:b%00@example.org/", "no server takes"),
        ("http://a:%ff@example.org/", "not UTF-8"),
        ("http://good.example\\@evil.example/", "backslash"),
        ("http:\\\\example.org\\a", "backslash"),
        ("http://example.org/a\r\nHost: b", "control character"),
        ("http://exam\tple.org/", "control character"),
        ("http://example.org/\x00", "control character"),
        ("http://example.org/\x85", "control character"),
        ("http://example.org/\ud800", "control character"),
        ("http://example.org:0/", "port"),
        ("http://example.org:65536/", "port"),
        ("http://example.org:" + "9" * 5000 + "/", "port"),
        ("http://example.org:80a/", "cannot be read"),
        ("http://example.org:٨٠/", "cannot be read"),
        ("http://example.org:-1/", "cannot be read"),
        ("http://exa mple.org/", "no name"),
        ("http://exa%6Dple.org/", "no name"),
        ("http://a..b/", "no name"),
        ("http://.a/", "no name"),
        ("http://" + "a" * 64 + ".example/", "no name"),
        ("http://" + "a." * 127 + "aa/", "no name"),
        ("http://\u202eexample.org/", "internationalized"),
        ("http://a\u2100.example/", "no name"),
        ("http://straße.example/", "xn--"),
        ("http://STRASSE.ẞ/", "xn--"),
        ("http://a\u200db.example/", "xn--"),
        ("http://[::1/", "cannot be read"),
        ("http://::1/", "cannot be read"),
        ("http://[127.0.0.1]/", "no IPv6"),
        ("http://[v1.a]/", "no IPv6"),
        ("http://[fe80::1%25eth0]/", "zone"),
        ("http://[::1]a/", "cannot be read"),
        ("http://example.org/" + "a" * 10_000, "longer than 8192"),
    ],
)
def test_what_cannot_be_fetched_is_refused(text: str, problem: str) -> None:
    """A URL that two programs could read in two ways, or that is not http, is refused with what is wrong with it."""
    with pytest.raises(InvalidFieldsError, match=problem) as caught:
        SourceUrl.parse(text)
    assert list(caught.value.context["fields"]) == ["url"]
    assert len(str(caught.value)) < 300


def test_a_login_is_taken_out_and_never_shown() -> None:
    """The login is decoded for the server and is in nothing that people or logs see."""
    url = SourceUrl.parse("https://us%65r:p%40ss%3Aw%C3%B6rd@example.org/a.iso")
    assert (url.username, url.password) == ("user", "p@ss:wörd")
    for shown in (url.shown, url.request, url.origin, repr(url), str(url), pretty_repr(url)):
        assert "example.org" in shown
        assert "p@ss" not in shown
        assert "user" not in shown
    assert (BASE.username, SourceUrl.parse("http://example.org/").username) == ("user", None)


@pytest.mark.parametrize(
    "parameter",
    [
        "X-Amz-Signature",
        "X-Amz-Credential",
        "X-Amz-Security-Token",
        "x-amz-signature",
        "X%2DAmz%2DSignature",
        "AWSAccessKeyId",
        "Signature",
        "X-Goog-Signature",
        "GoogleAccessId",
        "Key-Pair-Id",
        "Policy",
        "sig",
        "token",
        "to%6Ben",
        "access_token",
        "_auth_",
        "api-key",
        "key",
        "password",
        "client_secret",
    ],
)
def test_secrets_in_the_query_are_not_shown(parameter: str) -> None:
    """The values of parameters that open doors are fetched with and not shown; the others are."""
    url = SourceUrl.parse(f"https://example.org/a.iso?version=12&{parameter}=opensesame&Expires=9&token")
    assert url.shown == f"https://example.org/a.iso?version=12&{parameter}=…&Expires=9&token"
    assert url.request == f"https://example.org/a.iso?version=12&{parameter}=opensesame&Expires=9&token"
    assert "opensesame" not in repr(url)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("http://example.org/a/debian%2012.iso?x=/b.iso#c/d", "debian 12.iso"),
        ("http://example.org/%C3%BC.iso", "ü.iso"),
        ("http://example.org/a/", ""),
        ("http://example.org", ""),
        ("http://example.org/..%2f..%2fetc%2fpasswd", "passwd"),
        ("http://example.org/%ff.iso", "\ufffd.iso"),
    ],
)
def test_the_file_name(text: str, name: str) -> None:
    """The last segment of the path is decoded; it has no slash."""
    assert SourceUrl.parse(text).file_name == name


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0", "0.0.0.0"),  # noqa: S104 -- nothing is bound, a name is read
        ("１２７.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[0:0::0:1]", "::1"),
        ("[fd00::A]", "fd00::a"),
        ("localhost", None),
        ("127.0.0.1.example", None),
        ("256.0.0.1", None),
        ("1.2.3.4.5", None),
        ("0x", None),
    ],
)
def test_literal_addresses(host: str, address: str | None) -> None:
    """A host that the C library reads as an address, in any notation, is known as that address."""
    assert SourceUrl.parse(f"http://{host}/").literal_address() == address


def test_an_ipv4_address_inside_ipv6_is_literal() -> None:
    """Both ways to write a mapped address are the same host."""
    first, second = (SourceUrl.parse(f"http://[{host}]/") for host in ("::ffff:127.0.0.1", "::FFFF:7f00:1"))
    assert first.literal_address() == second.literal_address()
    assert first == second


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("b.iso", "https://images.example/debian/12/b.iso"),
        ("../11/b.iso", "https://images.example/debian/11/b.iso"),
        ("/../../b.iso", "https://images.example/b.iso"),
        ("?mirror=2", "https://images.example/debian/12/a.iso?mirror=2"),
        ("", "https://images.example/debian/12/a.iso?mirror=1"),
        (" b.iso ", "https://images.example/debian/12/b.iso"),
        ("#top", "https://images.example/debian/12/a.iso?mirror=1"),
        ("https://IMAGES.example:443/b ü.iso", "https://images.example/b%20%C3%BC.iso"),
    ],
)
def test_a_redirect_within_the_origin_keeps_the_login(location: str, target: str) -> None:
    """A Location is resolved against the URL it came from, and the login stays within its origin."""
    url = BASE.joined(location)
    assert (url.request, url.username, url.password) == (target, "user", "secret")


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("//other.example/a", "https://other.example/a"),
        ("https://other.example/a", "https://other.example/a"),
        ("http://images.example/a", "http://images.example/a"),
        ("https://images.example:8443/a", "https://images.example:8443/a"),
        ("https://images.example./a", "https://images.example./a"),
    ],
)
def test_a_redirect_to_another_origin_loses_the_login(location: str, target: str) -> None:
    """Another host, port or scheme is not told the login; that https is left can be seen."""
    url = BASE.joined(location)
    assert (url.request, url.username, url.password) == (target, None, None)
    assert (url.scheme == "http") == location.startswith("http:")


def test_a_redirect_may_bring_a_login_of_its_own() -> None:
    """A login in the Location is for the target and not mixed with the one before."""
    url = BASE.joined("https://u2:p2@images.example/")
    assert (url.username, url.password) == ("u2", "p2")


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("file:///etc/passwd", "scheme file"),
        ("ftp://other.example/", "scheme ftp"),
        ("/\\evil.example/", "backslash"),
        ("/a\r\nSet-Cookie: b", "control character"),
        ("http://[::1", "cannot be read"),
        ("https://good@evil.example/", "no login"),
        ("mailto:a@b", "not a whole URL"),
        ("javascript:alert(1)", "not a whole URL"),
        ("a.meta4", "Metalink"),
        ("/" + "a" * 100_000, "longer"),
    ],
)
def test_a_redirect_is_checked_like_a_url(location: str, problem: str) -> None:
    """A Location gets through no check that the first URL would not, and the sentence says that it is a redirect."""
    with pytest.raises(InvalidFieldsError, match=f"redirects to a URL that .*{problem}") as caught:
        BASE.joined(location)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=60), st.sampled_from(["http://", "http://example.org/", "http://example.org/?", ""]))
def test_any_text_is_read_or_refused(text: str, start: str) -> None:
    """Whatever is written, it is a URL that is read the same again, or it is refused; nothing else happens."""
    try:
        url = SourceUrl.parse(start + text)
    except InvalidFieldsError:
        return
    again = SourceUrl.parse(url.request)
    assert (again.request, again.host, again.port) == (url.request, url.host, url.port)
    assert url.request.isascii()
    assert not set(url.request) & set(' "<>\\^`{|}')


@given(st.text(max_size=60))
def test_any_location_is_followed_or_refused(location: str) -> None:
    """Whatever a server redirects to, it is resolved or refused; nothing else happens."""
    try:
        url = BASE.joined(location)
    except InvalidFieldsError:
        return
    assert url.username is None or url.origin == BASE.origin or "@" in location
