"""What stands between here and a server: its name, its addresses, its certificate."""

from __future__ import annotations

import socket
from queue import Empty, SimpleQueue
from threading import Thread

from isobay.errors import FetchError
from isobay.inspection.diagnosis import Finding
from isobay.transfer.network import Network
from isobay.transfer.url import SourceUrl

RESOLVE_SECONDS = 10.0
MAX_ADDRESSES = 16
# What libcurl and OpenSSL say of a certificate, and what to do about it.
_STRANGER = "the server's certificate was signed by no authority that this machine knows. "
_CERTIFICATES = {
    "has expired": "the server's certificate has expired. Check that this machine's clock is right; if it is, ask "
    "those who run the server to renew the certificate, or use another mirror",
    "not yet valid": "the server's certificate is not valid yet. Check that this machine's clock is right, or use "
    "another mirror",
    "subject name": "the server's certificate was made for another name. Use the name that it was made for, or "
    "another mirror",
    "self-signed": f"{_STRANGER}If you trust who signed it, put that certificate into the file that ISOBAY_CA_FILE "
    "names",
    "unable to get": f"{_STRANGER}If you trust the authority, put its certificate into the file that ISOBAY_CA_FILE "
    "names; if it is a public one, those who run the server left out the certificates between",
}


def resolved(network: Network, url: SourceUrl) -> tuple[list[str], list[Finding]]:
    """Look the host's name up: the addresses, and what there is to say of them before anything is dialled."""
    literal = url.literal_address()
    if literal:
        return [literal], []
    try:
        addresses = _look_up(url.host, url.port)
    except OSError as error:
        said = (error.strerror or str(error)).rstrip(".")
        return [], [_unresolved(network, url.host, said)]
    if not addresses:
        said = f"The name {url.host} was not resolved within {RESOLVE_SECONDS:g} seconds. Check this machine's DNS."
        return [], [Finding("dns", "notice", said)]
    found = [Finding("dns", "ok", f"The name {url.host} leads to {', '.join(addresses)}.")]
    refused = {address: reason for address in addresses if (reason := network.guard.refusal(address))}
    if 0 < len(refused) < len(addresses):
        address, reason = next(iter(refused.items()))
        found.append(
            Finding(
                "address",
                "notice",
                f"The name {url.host} leads to {address} too, which is {reason}; isobay connects to its other "
                "addresses only. Ask those who run the name to take it out.",
            )
        )
    return addresses, found


def certificate_problem(error: FetchError) -> str:
    """Say what is wrong with a certificate, for an error with the reason ``tls``."""
    where, _, said = error.message.partition(": ")  # a URL as it is shown has no space
    advice = next((advice for words, advice in _CERTIFICATES.items() if words in said), "")
    return f"{where}: {advice}." if advice else error.message


def _unresolved(network: Network, host: str, said: str) -> Finding:
    what = f"The name {host} cannot be resolved on this machine ({said})"
    if network.proxy:
        return Finding("dns", "notice", f"{what}; the proxy may know it all the same.")
    return Finding("dns", "problem", f"{what}. Check its spelling, and this machine's DNS.")


def _look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, in the system's order; none when that takes too long. Raises OSError."""
    answers: SimpleQueue[list[str] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            answers.put(error)
        else:
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))

    # The system's resolver knows no limit of ours, so it is left behind when it takes too long.
    Thread(target=ask, name="isobay-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=RESOLVE_SECONDS)
    except Empty:
        return []
    if isinstance(answer, OSError):
        raise answer
    return answer[:MAX_ADDRESSES]
