"""What is kept of an upload, what is told of it, and what all who work on one need."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from msgspec import Struct

from isobay.catalog import Catalog
from isobay.catalog import Upload as UploadRow
from isobay.catalog.isos import Kept
from isobay.clock import utc_now
from isobay.engines.local.os_types import OsTypes
from isobay.engines.local.quota import Quota
from isobay.errors import NotFoundError
from isobay.inspection import RulesShelf
from isobay.model import Upload
from isobay.objects import Objects

PROVEN = -1


class UploadTools(Struct, frozen=True):
    """What all uploads need. ``limit`` is the largest image in bytes, ``patience`` how long one waits for more."""

    catalog: Catalog
    objects: Objects
    rules: RulesShelf
    os_types: OsTypes
    quota: Quota
    limit: int
    patience: timedelta

    def expires(self) -> str:
        """When an upload that was written to just now is deleted."""
        return utc_now(self.patience)


class Asked(Struct, frozen=True, omit_defaults=True):
    """What the catalogue keeps as an upload's request.

    ``checksum`` is of the whole image. Bytes from ``unproven`` on came with a checksum of their own, and
    nobody has compared it yet: they count for nothing until then, also after a crash.
    """

    checksum: str = ""
    unproven: int = PROVEN

    def written(self) -> str:
        """The same for the catalogue."""
        return msgspec.json.encode(self).decode()


read_asked = msgspec.json.Decoder(Asked).decode


def told(tools: UploadTools, kept: Kept, row: UploadRow) -> Upload:
    """What is told of an upload."""
    iso, asked = kept.iso, read_asked(row.request)
    offset = length = iso.size
    if iso.status == "uploading":
        length, offset = row.length, tools.objects.received(kept.object_id)
        if asked.unproven != PROVEN:
            offset = min(offset, asked.unproven)
    return Upload(
        id=iso.id,
        name=iso.name,
        status=iso.status,
        offset=offset,
        length=length,
        checksum=asked.checksum,
        expires=row.expires,
    )


def no_upload(upload_id: str) -> NotFoundError:
    """The answer for an upload that is missing, over and forgotten, or another environment's: one sentence for all."""
    return NotFoundError(
        f"There is no upload {upload_id!r} in this environment, or it expired. Begin it again.",
        type="uploads",
        id=upload_id,
    )
