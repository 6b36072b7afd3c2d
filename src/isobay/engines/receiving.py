"""An upload that is held to take the bytes of one request."""

from __future__ import annotations

from typing import Protocol

from isobay.model import Upload


class Receiving(Protocol):
    """What a request's bytes go into. Any thread may call its methods, which take turns."""

    def take(self, data: bytes) -> None:
        """Take the next bytes.

        Raises ImageError, with the upload gone, as soon as they are seen to be of no ISO; TooLargeError,
        QuotaError, StorageError; NotFoundError where the upload was deleted meanwhile.
        """

    def end(self) -> Upload:
        """The request came to its end; where all of the image is there, the ISO is ready.

        Raises PieceError where the request's own checksum is not that of its bytes; ChecksumError or
        ImageError, with the upload gone, where the whole is not what it was said to be.
        """

    def leave(self) -> None:
        """Let go of the upload, whatever happened; what came is kept."""
