"""libcurl, set up in the one way that every request of isobay wants."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pycurl

from isobay.transfer.network import unreadable

CONNECT_SECONDS = 30
BUFFER = 512 << 10  # of the socket; whatever it is, libcurl gives 16 KiB at a time
USER_AGENT = "isobay"

P = ParamSpec("P")
T = TypeVar("T")


class Handle:
    """One request of libcurl at a time over connections that are kept; ``options`` has all its options.

    Not for use by two threads at once. Raises SettingsError where the authorities cannot be read.
    """

    def __init__(self, ca_file: str, stall_seconds: int) -> None:
        self.options = pycurl.Curl()
        self._failure: BaseException | None = None
        curl = self.options
        curl.setopt(pycurl.NOSIGNAL, 1)  # signals and threads do not go together
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.USERAGENT, USER_AGENT)
        curl.setopt(pycurl.BUFFERSIZE, BUFFER)
        curl.setopt(pycurl.CONNECTTIMEOUT, CONNECT_SECONDS)
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        curl.setopt(pycurl.LOW_SPEED_TIME, stall_seconds)
        _trust(curl, ca_file)

    def close(self) -> None:
        """Close the connections."""
        self.options.close()

    def calling(self, function: Callable[P, T]) -> Callable[P, T | int]:
        """Make a callback for libcurl: what the function raises ends the request, and ``perform`` raises it.

        libcurl itself would print it and forget it. One that takes bytes must give None.
        """

        def call(*arguments: P.args, **named: P.kwargs) -> T | int:
            try:
                return function(*arguments, **named)
            except BaseException as error:  # noqa: BLE001 -- raised again by perform
                self._failure = error
                return int(pycurl.READFUNC_ABORT)  # which the other callbacks do not take for success either

        return call

    def perform(self) -> None:
        """Make the request. Raises what a callback raised, else pycurl.error."""
        self._failure = None
        try:
            self.options.perform()
        except pycurl.error:
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure


def _trust(curl: pycurl.Curl, ca_file: str) -> None:
    """Trust the system's authorities, wherever this system keeps them, and the settings' own."""
    system = ssl.get_default_verify_paths()
    curl.setopt(pycurl.SSL_VERIFYPEER, 1)
    curl.setopt(pycurl.SSL_VERIFYHOST, 2)
    bundle = system.cafile
    if ca_file:
        try:
            trusted = [Path(file).read_bytes() for file in (bundle, ca_file) if file]
        except OSError as error:
            raise unreadable("ISOBAY_CA_FILE", ca_file, error) from error
        curl.setopt(pycurl.CAINFO_BLOB, b"\n".join(trusted))
    elif bundle:
        curl.setopt(pycurl.CAINFO, bundle)
    if system.capath:
        curl.setopt(pycurl.CAPATH, system.capath)
