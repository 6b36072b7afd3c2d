"""The instances of this machine's environments: what is asked of them is checked here, and done by the worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

import msgspec
from msgspec import UNSET, Struct

from isobay.catalog import Catalog, Inserted, InstanceRecord, KeptInstance, Place, Transaction
from isobay.catalog.isos import Kept
from isobay.clock import utc_now
from isobay.engines.local import instance_choices as choices
from isobay.engines.local import instance_record as kinds
from isobay.engines.local.downloading import missing
from isobay.engines.local.instance_record import InstanceTools, task_of
from isobay.engines.local.instance_shown import page_of, shown
from isobay.engines.local.instance_sizes import OFFERINGS, size_of
from isobay.errors import (
    CancelledError,
    ConflictError,
    NotFoundError,
    QuotaError,
    UnavailableError,
    WrongStateError,
)
from isobay.hypervisor import Hypervisor, Screen, Seen
from isobay.inspection import RulesShelf
from isobay.model import (
    ComputeOffering,
    Identity,
    Instance,
    InstanceEdit,
    InstanceState,
    Listing,
    NewInstance,
    Page,
    Task,
    Zone,
)
from isobay.tasks import Delivery

Then = Callable[[Transaction, KeptInstance, Seen | None], None]
_HERE: tuple[InstanceState, ...] = ("Running", "Stopped", "Error")
# What is done by force need not wait for what asks politely.
_IMPATIENT = frozenset({kinds.HALT, kinds.DESTROY, kinds.PURGE})


class _Looked(Struct, frozen=True):
    """An instance as it was found: in the catalogue with all zones, and on its host, where it may have no guest."""

    kept: KeptInstance
    zones: dict[str, Zone]
    host: Hypervisor
    seen: Seen | None


class LocalInstances:
    """``Instances`` over the catalogue and a host for each zone."""

    def __init__(self, tools: InstanceTools, rules: RulesShelf, delivery: Delivery) -> None:
        self._tools = tools
        self._catalog: Catalog = tools.catalog
        self._rules = rules
        self._delivery = delivery

    def offerings(self, place: Place) -> list[ComputeOffering]:  # noqa: ARG002 -- the same in all environments
        """The sizes to choose from."""
        return list(OFFERINGS)

    def list(self, place: Place, listing: Listing) -> Page[Instance]:
        """One page of the place's instances. Those of a host that does not answer say so, while another does."""
        with self._catalog.reading() as tx:
            zones = {zone.id: zone for zone in self._catalog.connections.zones(tx, place.connection_id)}
            found = self._catalog.instances.of_environment(tx, place.environment_id)
        seen: dict[str, Seen] = {}
        away: dict[str, UnavailableError] = {}
        for zone in zones.values():
            try:
                seen |= self._tools.hosts.of(zone).all()
            except UnavailableError as error:
                away[zone.id] = error
        if away and len(away) == len(zones):
            raise next(iter(away.values()))
        told = [shown(each, place, zones, seen.get(each.id), _away(away.get(each.zone_id))) for each in found]
        return page_of(told, listing)

    def get(self, place: Place, instance_id: str) -> Instance:
        """One instance, as its host shows it now."""
        looked = self._look(place, instance_id)
        return shown(looked.kept, place, looked.zones, looked.seen)

    def create(self, place: Place, identity: Identity, wanted: NewInstance) -> tuple[Instance, Task]:
        """Make an instance, and start it. See ``Instances.create``."""
        iso_ids = choices.iso_ids_of(wanted)
        with self._catalog.reading() as tx:
            isos = [self._ready(tx, place, iso_id) for iso_id in iso_ids]
            zones = self._catalog.connections.zones(tx, place.connection_id)
            self._check_room(tx, place)
        iso = isos[0].iso
        choices.check_boots(iso)
        zone = choices.zone_of(wanted, zones, iso)
        for each in isos:
            _check_zone(each, zone)
            self._tools.objects.path(each.object_id)
        new = self._new(place, identity, wanted, isos, zone)
        task = task_of(place.environment_id, new.id, kinds.CREATE)
        with self._catalog.writing() as tx:
            self._check_room(tx, place)
            for iso_id in iso_ids:
                self._ready(tx, place, iso_id)  # nobody deleted it while the host was asked
            self._catalog.tasks.add(tx, task)
            self._catalog.instances.add(tx, msgspec.structs.replace(new, task_id=task.id))
            kept = self._kept(tx, place, new.id)
        self._delivery.send(task.id)
        return shown(kept, place, {zone.id: zone}, None), task

    def edit(self, place: Place, instance_id: str, edit: InstanceEdit) -> Instance:
        """Change what an instance is called."""
        looked = self._look(place, instance_id)
        with self._catalog.writing() as tx:
            self._kept(tx, place, instance_id)
            if edit.name is not UNSET:
                self._tools.change(tx, instance_id, name=edit.name)
            return shown(self._kept(tx, place, instance_id), place, looked.zones, looked.seen)

    def start(self, place: Place, instance_id: str) -> tuple[Instance, Task]:
        """Start it."""
        return self._begin(place, instance_id, kinds.START, ("Stopped", "Error"))

    def stop(self, place: Place, instance_id: str, *, force: bool) -> tuple[Instance, Task]:
        """Press its power button and wait a while, or pull its plug."""
        if force:
            return self._begin(place, instance_id, kinds.HALT, ("Running", "Starting", "Stopping", "Error"))
        return self._begin(place, instance_id, kinds.STOP, ("Running",), self._rest)

    def reboot(self, place: Place, instance_id: str) -> tuple[Instance, Task]:
        """Reboot it."""
        return self._begin(place, instance_id, kinds.REBOOT, ("Running",))

    def attach(self, place: Place, instance_id: str, iso_id: str, slot: int | None) -> tuple[Instance, Task]:
        """Put an ISO into a drive, the first without a slot."""

        def then(tx: Transaction, kept: KeptInstance, _seen: Seen | None) -> None:
            iso = self._ready(tx, place, iso_id)
            _check_zone(iso, self._tools.zones(tx)[kept.zone_id])
            self._tools.objects.path(iso.object_id)
            self._catalog.instances.insert(tx, kept.id, slot or 0, iso_id)

        return self._begin(place, instance_id, kinds.ATTACH, _HERE, then)

    def detach(self, place: Place, instance_id: str, slot: int | None) -> tuple[Instance, Task]:
        """Empty a drive, the first without a slot; also of a file that somebody at the host put there."""

        def then(tx: Transaction, kept: KeptInstance, seen: Seen | None) -> None:
            full = {drive.slot for drive in kept.isos}
            full |= {drive.slot for drive in seen.drives if drive.image} if seen else set()
            if (slot or 0) not in full:
                raise WrongStateError(
                    f"There is no ISO in drive {slot or 0} of the instance {kept.record.name!r}.",
                    type="instances",
                    id=kept.id,
                )
            self._catalog.instances.set_leaving(tx, kept.id, slot or 0, leaving=True)

        return self._begin(place, instance_id, kinds.DETACH, _HERE, then)

    def destroy(self, place: Place, instance_id: str, *, purge: bool) -> tuple[Instance, Task]:
        """Stop it for good; it can be recovered until it is purged."""
        states: tuple[InstanceState, ...] = (*_HERE, "Starting", "Stopping")
        if purge:
            return self._begin(place, instance_id, kinds.PURGE, (*states, "Destroyed"))
        return self._begin(place, instance_id, kinds.DESTROY, states)

    def recover(self, place: Place, instance_id: str) -> tuple[Instance, Task]:
        """Bring a destroyed one back, stopped."""
        return self._begin(place, instance_id, kinds.RECOVER, ("Destroyed",))

    def purge(self, place: Place, instance_id: str) -> tuple[Instance, Task]:
        """Take a destroyed one away, with its disk."""
        return self._begin(place, instance_id, kinds.PURGE, ("Destroyed",))

    def screen(self, place: Place, instance_id: str) -> Screen:
        """What it shows now."""
        return self._running(place, instance_id).screen(instance_id)

    def console(self, place: Place, instance_id: str) -> tuple[str, int]:
        """The address and port of its VNC server."""
        return self._running(place, instance_id).console(instance_id)

    def _rest(self, tx: Transaction, kept: KeptInstance, _seen: Seen | None) -> None:
        self._tools.change(tx, kept.id, rests=True)

    def _begin(
        self,
        place: Place,
        instance_id: str,
        kind: str,
        states: Sequence[InstanceState],
        then: Then | None = None,
    ) -> tuple[Instance, Task]:
        """Have the worker do something, if the instance is in one of the states and nothing else is going on."""
        looked = self._look(place, instance_id)
        task = task_of(place.environment_id, instance_id, kind)
        with self._catalog.writing() as tx:
            kept = self._free(tx, self._kept(tx, place, instance_id), kind)
            state = shown(kept, place, looked.zones, looked.seen).state
            if state not in states:
                raise _wrong_state(kept, state, states)
            if then is not None:
                then(tx, kept, looked.seen)
            self._catalog.tasks.add(tx, task)
            self._catalog.instances.work_on(tx, kept.id, task.id)
            kept = self._kept(tx, place, instance_id)
            told = shown(kept, place, looked.zones, looked.seen)
        self._delivery.send(task.id)
        return told, task

    def _free(self, tx: Transaction, kept: KeptInstance, kind: str) -> KeptInstance:
        """The instance without work on it. Raises ConflictError where there is some."""
        if kept.work == kinds.STOP and kind in _IMPATIENT:
            ended = CancelledError(
                f"The instance {kept.record.name!r} was stopped by force meanwhile.", type="instances", id=kept.id
            )
            self._catalog.tasks.end_all_of(tx, kept.id, ended.message, ended.told())
        elif kept.work:
            raise ConflictError(
                f"Something is done with the instance {kept.record.name!r} already: {kept.work}, task {kept.task_id}. "
                "Wait until that has ended.",
                type="instances",
                id=kept.id,
                task=kept.task_id,
                work=kept.work,
            )
        return msgspec.structs.replace(kept, work="")

    def _new(
        self, place: Place, identity: Identity, wanted: NewInstance, isos: Sequence[Kept], zone: Zone
    ) -> KeptInstance:
        iso, instance_id, now = isos[0].iso, str(uuid4()), utc_now()
        host = self._tools.hosts.of(zone).host()
        architecture, firmware = choices.machine_of(wanted, iso, host, zone)
        size = size_of(wanted, iso, self._rules.rules())
        return KeptInstance(
            id=instance_id,
            environment_id=place.environment_id,
            zone_id=zone.id,
            task_id="",
            record=InstanceRecord(
                name=wanted.name,
                owner=identity.key_id,
                cpu_count=size.cpu_count,
                memory_mb=size.memory_mb,
                disk_gb=size.disk_gb,
                architecture=architecture,
                firmware=firmware,
                network=choices.network_of(wanted, host, zone),
                mac=choices.mac_of(instance_id),
                offering_id=size.offering_id,
                image_id=iso.id,
                image_name=iso.name,
                created=now,
                updated=now,
                ejects=wanted.eject_after_install,
            ),
            isos=tuple(
                Inserted(slot, each.iso.id, False, each.iso.name, 0, each.object_id) for slot, each in enumerate(isos)
            ),
        )

    def _check_room(self, tx: Transaction, place: Place) -> None:
        count = self._catalog.instances.count(tx, place.environment_id)
        if count >= self._tools.most:
            raise QuotaError(
                f"The environment has {count} instances, and may have {self._tools.most}. Purge one, or raise "
                "ISOBAY_ENVIRONMENT_INSTANCES.",
                limit=self._tools.most,
                used=count,
            )

    def _ready(self, tx: Transaction, place: Place, iso_id: str) -> Kept:
        kept = self._catalog.isos.get(tx, place, iso_id)
        if kept is None:
            raise missing(iso_id)
        if not kept.iso.ready:
            raise WrongStateError(
                f"The ISO {kept.iso.name!r} is {kept.iso.status}, and can be used when it is ready.",
                type="isos",
                id=iso_id,
                status=kept.iso.status,
            )
        return kept

    def _look(self, place: Place, instance_id: str) -> _Looked:
        """An instance, and its guest as it is now. Raises NotFoundError, UnavailableError."""
        with self._catalog.reading() as tx:
            kept = self._kept(tx, place, instance_id)
            zones = self._tools.zones(tx)
        host = self._tools.hosts.of(zones[kept.zone_id])
        return _Looked(kept, zones, host, host.get(instance_id))

    def _kept(self, tx: Transaction, place: Place, instance_id: str) -> KeptInstance:
        kept = self._catalog.instances.get(tx, instance_id)
        if kept is None or kept.environment_id != place.environment_id:
            raise NotFoundError.of("instances", instance_id)
        return kept

    def _running(self, place: Place, instance_id: str) -> Hypervisor:
        """The host of an instance whose guest runs, or is paused. Raises WrongStateError for another."""
        looked = self._look(place, instance_id)
        if looked.seen is None or looked.seen.power == "Stopped" or looked.kept.record.destroyed:
            state = shown(looked.kept, place, looked.zones, looked.seen).state
            raise _wrong_state(looked.kept, state, ("Running",))
        return looked.host


def _wrong_state(kept: KeptInstance, state: InstanceState, wanted: Sequence[InstanceState]) -> WrongStateError:
    return WrongStateError(
        f"The instance {kept.record.name!r} is {state}; for this it must be {' or '.join(wanted)}.",
        type="instances",
        id=kept.id,
        state=state,
    )


def _check_zone(iso: Kept, zone: Zone) -> None:
    if zone.id not in iso.iso.available_in_zones:
        raise WrongStateError(
            f"The ISO {iso.iso.name!r} is not in the zone {zone.name!r}; its availableInZones lists where it is.",
            type="isos",
            id=iso.iso.id,
            zone=zone.name,
        )


def _away(error: UnavailableError | None) -> str:
    return f"Its host does not answer. {error.public}" if error else ""
