"""The seam: what an environment's engine can do, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from isobay.catalog import Place
from isobay.engines.instances import Instances
from isobay.engines.opened import Opened
from isobay.engines.receiving import Receiving
from isobay.inspection.diagnosis import Diagnosis
from isobay.model import (
    Identity,
    Iso,
    IsoEdit,
    IsoFile,
    IsoRecord,
    Listing,
    NewIso,
    NewUpload,
    OsType,
    Page,
    Task,
    Upload,
    Zone,
)
from isobay.transfer.checksums import Checksum


class Engine(Protocol):
    """What answers for the environments of one type of connection.

    Every method may raise NotFoundError for an object that is not seen from the place, and
    UnavailableError when what lies behind the engine does not answer.
    """

    @property
    def instances(self) -> Instances:
        """What it can do with instances."""

    def zones(self, place: Place) -> list[Zone]:
        """The zones of the place's connection."""

    def os_types(self, place: Place) -> list[OsType]:
        """The operating systems an ISO can be said to hold."""

    def list_isos(self, place: Place, listing: Listing) -> Page[IsoRecord]:
        """One page of the ISOs seen from the place."""

    def stream_isos(self, place: Place, listing: Listing) -> Iterator[list[IsoRecord]]:
        """All ISOs seen from the place, in pieces of bounded size."""

    def get_iso(self, place: Place, iso_id: str) -> Iso:
        """One ISO seen from the place."""

    def edit_iso(self, place: Place, iso_id: str, edit: IsoEdit, shared_with: Sequence[str] = ()) -> Iso:
        """Change an ISO of the place's own environment. ForbiddenError for another's that is public or shared.

        ``shared_with`` has the ids of the environments that the edit names.
        """

    def import_iso(self, place: Place, wanted: NewIso) -> tuple[Iso, Task]:
        """Put an ISO on the shelf that is still to come from a URL, and the task that brings it."""

    def retry_iso(self, place: Place, iso_id: str) -> tuple[Iso, Task]:
        """Let a failed import of the place's own environment go on. Raises WrongStateError for any other ISO."""

    def start_upload(self, place: Place, wanted: NewUpload, length: int) -> Upload:
        """Put an ISO on the shelf whose ``length`` bytes are to be sent; -1 where only their end will tell."""

    def get_upload(self, place: Place, upload_id: str) -> Upload:
        """How far an upload of the place's own environment is."""

    def receive_upload(self, place: Place, upload_id: str, offset: int, proof: Checksum | None = None) -> Receiving:
        """Hold an upload, and take bytes from ``offset`` on, which are kept only if ``proof`` is theirs.

        Raises LockedError while somebody else sends, ConflictError or WrongStateError, whose ``context["offset"]``
        tells where the upload is, for another offset.
        """

    def delete_upload(self, place: Place, identity: Identity, upload_id: str) -> Task:
        """Stop an upload, and delete what came. Raises WrongStateError where all of it did."""

    def inspect_url(self, place: Place, url: str, checksum_url: str = "") -> Diagnosis:
        """Say what importing a URL into the place would meet; nothing is kept. Raises InvalidFieldsError for no URL."""

    def prove_iso(self, place: Place, iso_id: str) -> tuple[Iso, Task]:
        """Boot an ISO of the place's own environment to see what it shows. WrongStateError unless it is bootable."""

    def iso_picture(self, place: Place, iso_id: str) -> bytes:
        """What an ISO showed when it was booted, as PNG. Raises NotFoundError where there is no picture of it."""

    def delete_iso(self, place: Place, identity: Identity, iso_id: str) -> Task:
        """Delete an ISO of the place's own environment."""

    def iso_files(self, place: Place, iso_id: str, path: str, limit: int) -> list[IsoFile]:
        """What a directory inside the image holds, at most ``limit`` entries of it."""

    def open_file(self, place: Place, iso_id: str, path: str) -> Opened:
        """Open a file inside the image."""

    def open_iso(self, place: Place, iso_id: str, *, by_link: bool = False) -> Opened:
        """Open a whole image. Raises WrongStateError where it is not ready.

        Raises ForbiddenError where it is not extractable, and is another environment's or asked for by a link.
        """

    def link_iso(self, place: Place, identity: Identity, iso_id: str, expires: str) -> Task:
        """Let a link lead to an ISO until then. Raises WrongStateError unless it is ready and extractable.

        What gives the link its power is kept nowhere: the task's result has ``keyId``, whose alone it is, and
        ``expires``.
        """

    def reachable(self) -> bool:
        """Whether what lies behind the engine answers now."""
