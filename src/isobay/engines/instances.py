"""The seam: what an environment's engine can do with instances, whichever it is."""

from __future__ import annotations

from typing import Protocol

from isobay.catalog import Place
from isobay.hypervisor import Screen
from isobay.model import ComputeOffering, Identity, Instance, InstanceEdit, Listing, NewInstance, Page, Task


class Instances(Protocol):
    """The instances of the environments of one engine.

    Every method may raise NotFoundError for an instance that is not the place's own, and UnavailableError where no
    host answers. What changes an instance answers with it and with the task that does the work; it raises
    WrongStateError where the instance is in no state for it, ConflictError while other work on it is going on.
    """

    def offerings(self, place: Place) -> list[ComputeOffering]:
        """The sizes to choose from, the custom one among them."""

    def list(self, place: Place, listing: Listing) -> Page[Instance]:
        """One page of the place's instances, each as its host shows it now."""

    def get(self, place: Place, instance_id: str) -> Instance:
        """One instance, as its host shows it now."""

    def create(self, place: Place, identity: Identity, wanted: NewInstance) -> tuple[Instance, Task]:
        """Make an instance, and start it.

        Raises NotFoundError for an ISO that is not seen from the place, WrongStateError for one that is not ready or
        does not boot, InvalidFieldsError for what contradicts itself, HypervisorError for what no host here can run.
        """

    def edit(self, place: Place, instance_id: str, edit: InstanceEdit) -> Instance:
        """Change what an instance is called."""

    def start(self, place: Place, instance_id: str) -> tuple[Instance, Task]:
        """Start it."""

    def stop(self, place: Place, instance_id: str, *, force: bool) -> tuple[Instance, Task]:
        """Press its power button and wait a while, or pull its plug."""

    def reboot(self, place: Place, instance_id: str) -> tuple[Instance, Task]:
        """Reboot it."""

    def attach(self, place: Place, instance_id: str, iso_id: str, slot: int | None) -> tuple[Instance, Task]:
        """Put an ISO into a drive, the first without a slot, whatever is in it."""

    def detach(self, place: Place, instance_id: str, slot: int | None) -> tuple[Instance, Task]:
        """Empty a drive, the first without a slot."""

    def destroy(self, place: Place, instance_id: str, *, purge: bool) -> tuple[Instance, Task]:
        """Stop it for good; it can be recovered until it is purged."""

    def recover(self, place: Place, instance_id: str) -> tuple[Instance, Task]:
        """Bring a destroyed one back, stopped."""

    def purge(self, place: Place, instance_id: str) -> tuple[Instance, Task]:
        """Take a destroyed one away, with its disk."""

    def screen(self, place: Place, instance_id: str) -> Screen:
        """What it shows now. Raises WrongStateError where it does not run."""

    def console(self, place: Place, instance_id: str) -> tuple[str, int]:
        """The address and port of its VNC server, as they are reached from here. WrongStateError as above."""
