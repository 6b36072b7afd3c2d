"""Sending an image to an isobay by tus 1.0.0, the other side of ``http/uploads.py``."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import BinaryIO
from urllib.parse import urlencode

from isobay.errors import ConflictError, LockedError, PieceError, WrongStateError
from isobay.model import Iso, Upload
from isobay.transfer.other_isobay import Body, OtherIsobay

VERSION = "Tus-Resumable: 1.0.0"
LOOKED_AT = 100

Told = Callable[[int], None]


class Sender(OtherIsobay):
    """An isobay to which images are sent."""

    def find(self, size: int, checksum: str) -> Upload | None:
        """An upload of this very image that somebody began, here or on another machine, and did not end."""
        query = urlencode({"status": "uploading", "size": size, "page_size": LOOKED_AT})
        for iso in self._read(f"/isos?{query}", list[Iso]):
            upload = self.upload(iso.id)
            if (upload.checksum, upload.length) == (checksum, size):
                return upload
        return None

    def begin(self, size: int, said: dict[str, str]) -> Upload:
        """Begin an upload of ``size`` bytes."""
        pairs = (f"{key} {b64encode(value.encode()).decode()}" for key, value in said.items() if value)
        headers = [VERSION, f"Upload-Length: {size}", f"Upload-Metadata: {','.join(pairs)}"]
        return self._read("/uploads", Upload, headers, "POST")

    def upload(self, upload_id: str) -> Upload:
        """How far an upload is."""
        return self._read(f"/uploads/{upload_id}", Upload, [VERSION])

    def iso(self, iso_id: str) -> Iso:
        """The ISO that an upload is."""
        return self._read(f"/isos/{iso_id}", Iso)

    def send(self, upload: Upload, file: BinaryIO, told: Told) -> None:
        """Send what is missing; ``told`` hears now and then of the bytes that are sent."""
        file.seek(upload.offset)
        headers = [VERSION, f"Upload-Offset: {upload.offset}", "Content-Type: application/offset+octet-stream"]

        def read(size: int) -> bytes:
            told(file.tell())
            return file.read(size)

        try:
            self._ask("PATCH", f"/uploads/{upload.id}", headers, body=Body(read, upload.length - upload.offset))
        except (ConflictError, LockedError, PieceError, WrongStateError) as error:
            # Others have it in hand, it is elsewhere than was thought, or bytes were damaged: who looks again, knows.
            error.context["retry"] = True
            raise
