"""What is done with an image while it is uploaded: hashed and looked at; and its end, when all of it is there."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any

from isobay.engines.local.arrival import PIECE, Hashes
from isobay.engines.local.arrival_record import ArrivalRecord
from isobay.engines.local.describing import described, description_of
from isobay.engines.local.looking import Looking
from isobay.engines.local.upload_record import Asked, UploadTools
from isobay.inspection import Report, inspect
from isobay.objects import Part
from isobay.transfer import promises
from isobay.transfer.checksums import Checksum, parse_checksum

REMEMBERED = 256


class Following:
    """Hashes an upload's bytes in their order, and looks at them. ``fields`` is what is known of the image so far."""

    def __init__(self, tools: UploadTools, asked: Asked) -> None:
        self._tools = tools
        self._promises: tuple[Checksum, ...] = (parse_checksum(asked.checksum),) if asked.checksum else ()
        self._hashes = Hashes({"sha256", *(each.algorithm for each in self._promises)})
        self._looking = Looking(tools.rules, self._tell)
        self.hashed = 0
        self.fields: dict[str, Any] = {}

    def hash(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        self._hashes.update(data)
        self.hashed += len(data)

    def look(self, part: Part, total: int) -> None:
        """Look at what is there, if it is time to. Raises ImageError for what is no ISO."""
        self._looking.at(part.read_at, part.size, total)

    def finish(self, record: ArrivalRecord, part: Part) -> None:
        """Make the whole part an ISO that is ready. Raises ChecksumError, ImageError, QuotaError, StorageError."""
        buffer = memoryview(bytearray(PIECE))
        while self.hashed < part.size:  # what came while another process received it
            self.hash(buffer[: part.read_into(buffer, self.hashed)])
        digests = self._hashes.hex()
        promises.check(self._promises, digests, came="What was uploaded is damaged, or another image")
        report = inspect(part.read_at, part.size, self._tools.rules.rules())
        part.publish()
        with self._tools.catalog.writing() as tx:
            record.describe(tx, description_of(report))
            record.ready(
                tx,
                part.object_id,
                size=part.size,
                status_message="",
                checksums=digests,
                **described(report, self._tools.os_types),
            )

    def _tell(self, report: Report) -> None:
        self.fields = described(report, self._tools.os_types)


class Followed:
    """The uploads that this process received a part of, and may receive more of: the last few."""

    def __init__(self) -> None:
        self._all: OrderedDict[str, Following] = OrderedDict()
        self._lock = Lock()

    def put(self, upload_id: str, following: Following) -> None:
        """Remember one that is put down in good order."""
        with self._lock:
            self._all[upload_id] = following
            if len(self._all) > REMEMBERED:
                self._all.popitem(last=False)

    def pop(self, upload_id: str, size: int) -> Following | None:
        """Go on with one of which ``size`` bytes are there; None where it would not fit."""
        with self._lock:
            found = self._all.pop(upload_id, None)
        return found if found is not None and found.hashed <= size else None
