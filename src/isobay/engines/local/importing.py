"""Asking for an ISO from a URL: what is checked before anything goes out, and what is remembered."""

from __future__ import annotations

from uuid import uuid4

import msgspec
from msgspec import UNSET

from isobay.catalog import Catalog, Import, Place, Transaction
from isobay.catalog.isos import Kept
from isobay.clock import utc_now
from isobay.engines.local.new_isos import new_iso
from isobay.engines.local.os_types import OsTypes
from isobay.engines.local.quota import Quota
from isobay.errors import InvalidFieldsError, NotFoundError, WrongStateError
from isobay.model import Iso, NewIso, OsType, Task, Zone
from isobay.objects import Objects
from isobay.tasks import Delivery
from isobay.transfer.guard import AddressGuard
from isobay.transfer.sealing import Seal
from isobay.transfer.url import SourceUrl

KIND = "iso.import"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(NewIso).decode


class Imports:
    """Begins imports, and begins them again."""

    def __init__(
        self,
        catalog: Catalog,
        objects: Objects,
        os_types: OsTypes,
        delivery: Delivery,
        seal: Seal,
        guard: AddressGuard,
        quota: Quota,
    ) -> None:
        self._catalog = catalog
        self._objects = objects
        self._os_types = os_types
        self._delivery = delivery
        self._seal = seal
        self._guard = guard
        self._quota = quota

    def start(self, place: Place, wanted: NewIso) -> tuple[Iso, Task]:
        """Put an ISO on the shelf that is still to come, and the task that brings it.

        Raises InvalidFieldsError, NotFoundError for a zone or an OS type, AddressError for an address that
        may not be dialled, QuotaError, StorageError. Nothing goes out before all of that is checked.
        """
        url = self._checked(wanted)
        os_type = self._os_type(wanted)
        with self._catalog.writing() as tx:
            zones = self._zones(tx, place, wanted.zone_id)
            self._quota.check_new(self._catalog, tx, place.environment_id)
            self._objects.check_room(0)
            iso = _iso(wanted, url, os_type, zones)
            task = _task(place, iso)
            self._catalog.isos.add(tx, place, iso, str(uuid4()))
            self._catalog.tasks.add(tx, task)
            self._catalog.imports.add(tx, Import(iso.id, self._seal.seal(_encode(wanted).decode())))
        self._delivery.send(task.id)
        return iso, task

    def retry(self, tx: Transaction, place: Place, kept: Kept) -> tuple[Iso, Task]:
        """Let a failed import go on from where it stopped; ``send`` its task when it is committed.

        One that was ready and lost its bytes begins anew, with an object of its own.
        """
        found = self._catalog.imports.get(tx, kept.iso.id)
        if kept.iso.status != "failed" or found is None:
            raise WrongStateError(
                f"The ISO {kept.iso.name!r} is {kept.iso.status}; only an import that failed can be tried again.",
                type="isos",
                id=kept.iso.id,
                status=kept.iso.status,
            )
        iso = msgspec.structs.replace(kept.iso, status="importing", status_message="", checksums={}, updated=utc_now())
        task = _task(place, iso)
        self._catalog.isos.replace(tx, place, iso, str(uuid4()) if kept.iso.checksums else "")
        self._catalog.tasks.add(tx, task)
        return iso, task

    def send(self, task: Task) -> None:
        """Have a task worked on."""
        self._delivery.send(task.id)

    def request(self, found: Import) -> NewIso:
        """What was asked for. Raises SettingsError where the key is not the one it was sealed with."""
        return _decode(self._seal.open(found.request))

    def _checked(self, wanted: NewIso) -> SourceUrl:
        if wanted.signature_url and not wanted.checksum_url:
            raise InvalidFieldsError({"signatureUrl": "is the signature of the file at checksumUrl, which is missing"})
        url = self._url("url", wanted.url)
        for field, text in (("checksumUrl", wanted.checksum_url), ("signatureUrl", wanted.signature_url)):
            if text:
                self._url(field, text)
        return url

    def _url(self, field: str, text: str) -> SourceUrl:
        try:
            url = SourceUrl.parse(text)
        except InvalidFieldsError as error:
            raise InvalidFieldsError({field: error.context["fields"]["url"]}) from error
        address = url.literal_address()
        if address:
            self._guard.check(address, url.host)
        return url

    def _os_type(self, wanted: NewIso) -> OsType | None:
        if wanted.os_type_id is UNSET:
            return None
        return self._os_types.require(wanted.os_type_id)

    def _zones(self, tx: Transaction, place: Place, zone_id: str) -> list[Zone]:
        zones = self._catalog.connections.zones(tx, place.connection_id)
        if zone_id and zone_id not in {zone.id for zone in zones}:
            raise NotFoundError.of("zones", zone_id)
        if not zone_id and len(zones) > 1:
            raise InvalidFieldsError({"zoneId": "is required: the service has several zones, GET …/zones lists them"})
        return [zone for zone in zones if not zone_id or zone.id == zone_id]


def _iso(wanted: NewIso, url: SourceUrl, os_type: OsType | None, zones: list[Zone]) -> Iso:
    return new_iso(
        wanted.name,
        zones,
        public=wanted.available_publicly,
        description=wanted.description,
        bootable=wanted.bootable is True,
        os_type_id=os_type.id if os_type else "",
        os_type_name=os_type.name if os_type else "",
        extractable=wanted.extractable,
        status="importing",
        source_url=url.shown,
    )


def _task(place: Place, iso: Iso) -> Task:
    return Task(
        id=str(uuid4()),
        kind=KIND,
        status="PENDING",
        created=utc_now(),
        environment_id=place.environment_id,
        subject=iso.id,
        message="Waiting for its turn.",
    )
