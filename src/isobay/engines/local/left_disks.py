"""Disks of guests that nobody has any more: neither an instance nor a domain."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from isobay.engines.local.instance_record import InstanceTools
from isobay.errors import IsobayError
from isobay.hypervisor import Hypervisor
from isobay.telemetry import logs


class LeftDisk(Struct, frozen=True):
    """One of them: the id of its guest, the bytes that it takes, and the host where it lies."""

    guest_id: str
    size: int
    host: Hypervisor

    def delete(self) -> bool:
        """Delete it, and what its guest said on its serial line; False where its host does not: the log says why."""
        try:
            self.host.remove(self.guest_id)
        except IsobayError as error:
            logs.error("disk that is left is not deleted", guest=self.guest_id, reason=error.message)
            return False
        return True


class LeftDisks(Struct, frozen=True):
    """Looks for them on all hosts.

    They are what stays of a guest without an instance, as after the restore of an older catalogue; nobody deletes them
    unasked, for they may be the only copy of somebody's system.
    """

    tools: InstanceTools

    def find(self) -> Iterator[LeftDisk]:
        """All of them. A host that does not tell is logged, and left out."""
        with self.tools.catalog.reading() as tx:
            zones = self.tools.zones(tx).values()
        for uri, zone in {self.tools.hosts.uri(zone): zone for zone in zones}.items():
            if not uri:
                continue
            host = self.tools.hosts.of(zone)
            try:
                disks = host.left_disks()
            except IsobayError as error:
                logs.error("host is not searched for disks that are left", host=uri, reason=error.message)
                continue
            # The rows after the disks: an instance has its row before it has a disk.
            with self.tools.catalog.reading() as tx:
                rows = {kept.id for kept in self.tools.catalog.instances.all(tx)}
            for guest_id in sorted(disks.keys() - rows):
                yield LeftDisk(guest_id, disks[guest_id], host)
