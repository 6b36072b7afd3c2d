"""The seam: what an environment's engine can do, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from isobay.catalog import Place
from isobay.inspection.contents import Content
from isobay.inspection.diagnosis import Diagnosis
from isobay.model import Identity, Iso, IsoEdit, IsoFile, IsoRecord, Listing, NewIso, OsType, Page, Task, Zone


class Engine(Protocol):
    """What answers for the environments of one type of connection.

    Every method may raise NotFoundError for an object that is not seen from the place, and
    UnavailableError when what lies behind the engine does not answer.
    """

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

    def edit_iso(self, place: Place, iso_id: str, edit: IsoEdit) -> Iso:
        """Change an ISO of the place's own environment. ForbiddenError for another's public one."""

    def import_iso(self, place: Place, wanted: NewIso) -> tuple[Iso, Task]:
        """Put an ISO on the shelf that is still to come from a URL, and the task that brings it."""

    def retry_iso(self, place: Place, iso_id: str) -> tuple[Iso, Task]:
        """Let a failed import of the place's own environment go on. Raises WrongStateError for any other ISO."""

    def inspect_url(self, place: Place, url: str, checksum_url: str = "") -> Diagnosis:
        """Say what importing a URL into the place would meet; nothing is kept. Raises InvalidFieldsError for no URL."""

    def delete_iso(self, place: Place, identity: Identity, iso_id: str) -> Task:
        """Delete an ISO of the place's own environment."""

    def iso_files(self, place: Place, iso_id: str, path: str, limit: int) -> list[IsoFile]:
        """What a directory inside the image holds, at most ``limit`` entries of it."""

    def iso_content(self, place: Place, iso_id: str, path: str) -> Content:
        """A file inside the image."""

    def reachable(self) -> bool:
        """Whether what lies behind the engine answers now."""
