"""What is told of an upload, and what is asked for one."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from isobay.model.iso import Description, IsoStatus, Name
from isobay.model.new_iso import Checksum

UNKNOWN = -1


class NewUpload(Struct, rename="camel", kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What is said of an image before it comes. Without ``name`` it has that of its file, without the ending."""

    name: Name | None = None
    filename: Annotated[str, Meta(max_length=4096)] = ""
    description: Description = ""
    checksum: Checksum = ""
    extractable: bool = False
    available_publicly: bool = False


class Upload(Struct, rename="camel", kw_only=True, frozen=True):
    """An ISO on its way in. Sizes are bytes, dates RFC 3339 UTC."""

    id: Annotated[str, Meta(description="The ISO's id as well")]
    name: Name
    status: Annotated[IsoStatus, Meta(description="The ISO's: uploading until all is there, then ready")]
    offset: Annotated[int, Meta(description="How much came, and where to go on")]
    length: Annotated[int, Meta(description="The size of the image; -1 where only its end tells")]
    checksum: Annotated[str, Meta(description="What the whole image has to have, if that was said")] = ""
    expires: Annotated[str, Meta(description="When it is deleted, unless more of it comes")]
