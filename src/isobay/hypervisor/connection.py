"""The way to a libvirt: opened when it is first needed, again when it broke, and never waited for without an end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlsplit

import libvirt

from isobay.errors import HypervisorError, NotFoundError, UnavailableError
from isobay.hypervisor.public import AWAY, REFUSED

OPEN_SECONDS = 10
KEEPALIVE_SECONDS = 5
KEEPALIVE_COUNT = 3
_events_lock = Lock()
_events: list[Thread] = []
T = TypeVar("T")
# What ssh(1) says when it does not get there, and what helps. Each is done as the account that isobay runs as.
_SSH_SAYS = {
    "Host key verification failed": (
        "ssh does not know the key of the host, or knows another: compare it with what the host shows "
        "(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then log in there once by ssh as isobay's account."
    ),
    "Permission denied (": (
        "The host lets nobody in with the keys of isobay's account: add its public key to ~/.ssh/authorized_keys of "
        "the user that the URI names, and leave the key without a passphrase."
    ),
    "ssh: ": "See that the name and port in the URI are right, and that the host runs and sshd on it.",
}


class Connection:
    """A libvirt, by its URI. Safe for use by several threads."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._lock = Lock()
        self._opening: Future[Any] | None = None
        self._patient_until = 0.0

    def ask(self, work: Callable[[Any], T], guest_id: str = "") -> T:
        """What ``work`` makes of the open connection; it is called once more where the connection broke meanwhile.

        Raises UnavailableError where libvirt does not answer, NotFoundError where it has no such guest, and
        HypervisorError with what it says where it refuses.
        """
        for _ in range(2):
            opened = self._opened()
            try:
                return work(opened)
            except libvirt.libvirtError as error:
                if _lives(opened):
                    raise self._told(error, guest_id) from error
                self._drop(opened)
        raise _away(f"libvirt at {self.uri} broke the connection twice. See its log on the host.")

    def _opened(self) -> Any:
        with self._lock:
            opening = self._opening
            if opening is None or (opening.done() and (opening.exception() or not _lives(opening.result()))):
                opening = self._opening = Future()
                self._patient_until = monotonic() + OPEN_SECONDS
                # A daemon that hangs takes the connection and says nothing, and libvirt waits for it without end.
                Thread(target=_open, args=(self.uri, opening), daemon=True).start()
            # Who asks later does not wait as long again: others are behind it, who ask other hosts.
            patience = max(0.0, self._patient_until - monotonic())
        try:
            return opening.result(patience)
        except TimeoutError as error:
            raise _away(f"libvirt at {self.uri} does not answer. {_if_silent(self.uri)}") from error
        except libvirt.libvirtError as error:
            advice = _if_refused(self.uri, str(error))
            raise _away(f"libvirt at {self.uri} cannot be reached: {error}. {advice}") from error

    def _drop(self, opened: Any) -> None:
        with self._lock:
            opening = self._opening
            if opening and opening.done() and not opening.exception() and opening.result() is opened:
                self._opening = None

    def _told(self, error: Any, guest_id: str) -> Exception:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN and guest_id:
            return NotFoundError.of("instances", guest_id)
        return HypervisorError(f"libvirt at {self.uri} refuses: {error}.", public=REFUSED)


def _away(message: str) -> UnavailableError:
    return UnavailableError(message, public=AWAY)


def is_code(error: Any, *codes: int) -> bool:
    """Whether an error of libvirt is one of these."""
    return error.get_error_code() in codes


def _open(uri: str, opening: Future[Any]) -> None:
    try:
        _run_events()
        opened = libvirt.open(_without_questions(uri))
        # A daemon that hangs later on closes the connection by this, and so ends what waits for it.
        opened.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT)
        opening.set_result(opened)
    except libvirt.libvirtError as error:
        opening.set_exception(error)


def _by_ssh(uri: str) -> bool:
    return urlsplit(uri).scheme.endswith("+ssh")


def _without_questions(uri: str) -> str:
    """The URI by which ssh asks nobody for a password or a yes, at the terminal that isobay was started from."""
    if not _by_ssh(uri) or "no_tty=" in uri:
        return uri
    return f"{uri}{'&' if urlsplit(uri).query else '?'}no_tty=1"


def _if_silent(uri: str) -> str:
    if not _by_ssh(uri):
        return "It takes the connection and says nothing; start it anew on its host."
    return "See whether the host can be reached by ssh, as isobay's account; if so, start libvirtd anew there."


def _if_refused(uri: str, said: str) -> str:
    """What to do about what libvirt, or ssh for it, says."""
    by_ssh = _by_ssh(uri)
    advice = [told for words, told in _SSH_SAYS.items() if by_ssh and words in said]
    account = "the user that the URI names" if by_ssh else "isobay's account"
    return (
        advice[0]
        if advice
        else "On its host, install libvirt-daemon-system and QEMU where they are missing, start libvirtd and virtlogd, "
        f"and put {account} into the group libvirt."
    )


def _lives(opened: Any) -> bool:
    try:
        return bool(opened.isAlive())
    except libvirt.libvirtError:
        return False


def _run_events() -> None:
    """Run libvirt's loop of events, one for the whole process, before anything is opened."""
    with _events_lock:
        if _events:
            return
        libvirt.registerErrorHandler(lambda _context, _error: None, None)  # it would print each error
        libvirt.virEventRegisterDefaultImpl()
        _events.append(Thread(target=_turn, name="libvirt-events", daemon=True))
        _events[0].start()


def _turn() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
