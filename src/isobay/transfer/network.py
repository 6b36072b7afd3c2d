"""How the world is reached: what the settings say of it, checked before it is needed."""

from __future__ import annotations

import os
import ssl
from netrc import NetrcParseError, netrc
from urllib.parse import urlsplit

from msgspec import Struct

from isobay.errors import SettingsError
from isobay.transfer.guard import AddressGuard

PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class Network(Struct, frozen=True):
    """How to reach the world: what the settings say."""

    guard: AddressGuard
    ca_file: str = ""
    netrc_file: str = ""
    proxy: str = ""
    stall_seconds: int = 60

    def check(self) -> None:
        """Raise SettingsError, which names the option, for what cannot be used."""
        if self.ca_file:
            _check_authorities(self.ca_file)
        if self.netrc_file:
            _check_logins(self.netrc_file)
        if self.proxy:
            _check_proxy(self.proxy)


def unreadable(option: str, path: str, error: OSError) -> SettingsError:
    """The error for an option that names a file which cannot be read."""
    return SettingsError(f"{option} names {path}, which cannot be read: {os.strerror(error.errno or 0)}.")


def _check_authorities(ca_file: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise SettingsError(f"ISOBAY_CA_FILE names {ca_file}, which holds no certificate in PEM form.") from error
    except OSError as error:
        raise unreadable("ISOBAY_CA_FILE", ca_file, error) from error


def _check_logins(netrc_file: str) -> None:
    try:
        netrc(netrc_file)
    except (NetrcParseError, UnicodeDecodeError) as error:
        # What the parser says may hold a password.
        raise SettingsError(
            f"ISOBAY_NETRC_FILE names {netrc_file}, which is no netrc file. Write a line for each host: "
            "machine host login name password word."
        ) from error
    except OSError as error:
        raise unreadable("ISOBAY_NETRC_FILE", netrc_file, error) from error


def _check_proxy(proxy: str) -> None:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme not in PROXY_SCHEMES or not parts.hostname:
        raise SettingsError(
            f"ISOBAY_PROXY is no proxy's URL. Write it as http://proxy:3128; there are {', '.join(PROXY_SCHEMES)}."
        )
