"""Being told of guests that change."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any

import libvirt

from isobay.errors import IsobayError
from isobay.hypervisor.connection import Connection
from isobay.hypervisor.domain_xml import NAME_PREFIX
from isobay.hypervisor.interface import Change

WAITING = 1000
LOOK_SECONDS = 3


class Watch:
    """A thread that tells, and keeps registered with a libvirt that comes and goes."""

    def __init__(self, connection: Connection, told: Callable[[Change], None]) -> None:
        self._connection = connection
        self._told = told
        self._changes: Queue[str] = Queue(WAITING)
        self._ended = Event()
        self._registered: tuple[Any, int] | None = None
        self._thread = Thread(target=self._run, name="libvirt-watch", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Tell no more."""
        self._ended.set()
        self._put("")
        self._thread.join(LOOK_SECONDS)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._register()
            try:
                guest_id = self._changes.get(timeout=LOOK_SECONDS)
            except Empty:
                continue
            if guest_id and not self._ended.is_set():
                self._told(Change(guest_id))
        if self._registered:
            opened, number = self._registered
            try:
                opened.domainEventDeregisterAny(number)
            except libvirt.libvirtError:
                return  # the connection broke, and took it along

    def _register(self) -> None:
        try:
            self._registered = self._connection.ask(self._registered_with)
        except IsobayError:
            self._registered = None  # whoever asks for a guest is told why; here it is tried again

    def _registered_with(self, opened: Any) -> tuple[Any, int]:
        if self._registered and self._registered[0] is opened:
            return self._registered
        lifecycle = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
        return opened, opened.domainEventRegisterAny(None, lifecycle, self._happened, None)

    def _happened(self, _opened: Any, domain: Any, _event: int, _detail: int, _opaque: Any) -> None:
        # In libvirt's own thread, which must not wait for what it is asked.
        if domain.name().startswith(NAME_PREFIX):
            self._put(domain.UUIDString())

    def _put(self, guest_id: str) -> None:
        try:
            self._changes.put_nowait(guest_id)
        except Full:
            return  # changes may be missed
