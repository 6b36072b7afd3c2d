"""One bucket of S3 through boto3: what a store of objects needs of it. Keys are given without the store's prefix.

Every method raises StorageError where S3 refuses, MissingObjectError where what is named is not there or has changed,
and UnavailableError where S3 does not answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from msgspec import Struct

from isobay.errors import MissingObjectError, StorageError
from isobay.objects.s3_failures import REFUSES, refusing
from isobay.objects.s3_place import Place

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3.type_defs import CompletedPartTypeDef

CONNECT_SECONDS = 10
READ_SECONDS = 60
ATTEMPTS = 4
CONNECTIONS = 32
DELETED_AT_ONCE = 1000
OCTETS = "application/octet-stream"


class Found(Struct, frozen=True):
    """An object of S3, and the tag of these very bytes."""

    key: str
    size: int
    etag: str


class Assembly(Struct, frozen=True):
    """An object that is being put together: a multipart upload of S3's."""

    key: str
    upload_id: str


class Stream:
    """The bytes of an object as they come."""

    def __init__(self, body: StreamingBody, shown: str) -> None:
        self._body = body
        self._shown = shown

    def read(self, size: int) -> bytes:
        """The next bytes; fewer only at the end."""
        with refusing(self._shown):
            return self._body.read(size)

    def close(self) -> None:
        """Let go of it, read to its end or not."""
        self._body.close()


class Bucket:
    """The part of a bucket below the store's prefix; for use by any number of threads."""

    def __init__(self, place: Place) -> None:
        self.shown = f"s3://{place.bucket}/{place.prefix}" + (f" at {place.endpoint}" if place.endpoint else "")
        self._name = place.bucket
        self._prefix = place.prefix
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if place.endpoint else "auto"},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=CONNECTIONS,
            tcp_keepalive=True,
        )
        with refusing(self.shown):
            self._s3 = boto3.session.Session().client(
                "s3",
                endpoint_url=place.endpoint or None,
                region_name=place.region or None,
                aws_access_key_id=place.access_key or None,
                aws_secret_access_key=place.secret_key or None,
                verify=place.authorities or None,
                config=config,
            )

    def check(self) -> None:
        """Ask for something, so that what is wrong with the settings is said at once."""
        with refusing(self.shown):
            self._s3.list_objects_v2(Bucket=self._name, Prefix=self._prefix, MaxKeys=1)

    def put(self, key: str, data: bytes) -> Found:
        """Write an object. boto3 sends its CRC-32, and S3 refuses what does not match."""
        with refusing(self.shown):
            answer = self._s3.put_object(Bucket=self._name, Key=self._prefix + key, Body=data, ContentType=OCTETS)
        return Found(key, len(data), answer["ETag"])

    def put_new(self, key: str, data: bytes) -> None:
        """Write an object that is not there yet. Raises MissingObjectError where it is."""
        with refusing(self.shown):
            self._s3.put_object(
                Bucket=self._name, Key=self._prefix + key, Body=data, ContentType=OCTETS, IfNoneMatch="*"
            )

    def stream(self, found: Found, start: int, end: int) -> Stream:
        """Begin to read the bytes between two offsets, the second excluded, of these very bytes."""
        with refusing(self.shown):
            answer = self._s3.get_object(
                Bucket=self._name, Key=self._prefix + found.key, Range=f"bytes={start}-{end - 1}", IfMatch=found.etag
            )
        if answer["ContentLength"] != end - start:  # a server that knows no ranges gives other bytes than these
            answer["Body"].close()
            raise StorageError(
                f"{self.shown} answers a request for {end - start} bytes with {answer['ContentLength']}. It must serve "
                "ranges.",
                public=REFUSES,
            )
        return Stream(answer["Body"], self.shown)

    def find(self, key: str) -> Found | None:
        """What there is under a key."""
        try:
            with refusing(self.shown):
                answer = self._s3.head_object(Bucket=self._name, Key=self._prefix + key)
        except MissingObjectError:
            # A HEAD does not say whether it is the bucket that is missing.
            return next((each for each in self.list(key) if each.key == key), None)
        return Found(key, answer["ContentLength"], answer["ETag"])

    def list(self, prefix: str) -> Iterator[Found]:
        """All whose keys begin so, in the order of their keys."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=self._prefix + prefix)
        with refusing(self.shown):
            for page in pages:
                for each in page.get("Contents", ()):
                    yield Found(each["Key"].removeprefix(self._prefix), each["Size"], each["ETag"])

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, those that are there."""
        for first in range(0, len(keys), DELETED_AT_ONCE):
            some = keys[first : first + DELETED_AT_ONCE]
            with refusing(self.shown):
                answer = self._s3.delete_objects(
                    Bucket=self._name,
                    Delete={"Objects": [{"Key": self._prefix + key} for key in some], "Quiet": True},
                )
                for error in answer.get("Errors", ()):
                    raise ClientError({"Error": {"Code": error["Code"], "Message": error["Message"]}}, "DeleteObjects")

    def link(self, key: str, disposition: str, seconds: int) -> str:
        """A URL by which anybody can get an object for so long."""
        with refusing(self.shown):
            return self._s3.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._name,
                    "Key": self._prefix + key,
                    "ResponseContentDisposition": disposition,
                    "ResponseContentType": OCTETS,
                },
                ExpiresIn=seconds,
            )

    def begin(self, key: str) -> Assembly:
        """Begin to put an object together of others that are in the bucket."""
        with refusing(self.shown):
            answer = self._s3.create_multipart_upload(Bucket=self._name, Key=self._prefix + key, ContentType=OCTETS)
        return Assembly(key, answer["UploadId"])

    def copy(self, into: Assembly, number: int, source: Found, start: int, end: int) -> str:
        """Have S3 itself copy bytes of an object as the ``number``-th part, from 1 on; the part's tag."""
        with refusing(self.shown):
            answer = self._s3.upload_part_copy(
                Bucket=self._name,
                Key=self._prefix + into.key,
                UploadId=into.upload_id,
                PartNumber=number,
                CopySource={"Bucket": self._name, "Key": self._prefix + source.key},
                CopySourceRange=f"bytes={start}-{end - 1}",
                CopySourceIfMatch=source.etag,
            )
        return answer["CopyPartResult"]["ETag"]

    def complete(self, assembly: Assembly, etags: Sequence[str]) -> None:
        """Make an object of the parts with these tags."""
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)
        ]
        with refusing(self.shown):
            self._s3.complete_multipart_upload(
                Bucket=self._name,
                Key=self._prefix + assembly.key,
                UploadId=assembly.upload_id,
                MultipartUpload={"Parts": parts},
            )

    def unfinished(self, prefix: str) -> Iterator[Assembly]:
        """What was begun to be put together under keys that begin so, and is neither complete nor given up."""
        pages = self._s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._name, Prefix=self._prefix + prefix
        )
        with refusing(self.shown):
            for page in pages:
                for each in page.get("Uploads", ()):
                    yield Assembly(each["Key"].removeprefix(self._prefix), each["UploadId"])

    def give_up(self, assembly: Assembly) -> None:
        """Delete what was copied, whoever copies still."""
        with suppress(MissingObjectError), refusing(self.shown):
            self._s3.abort_multipart_upload(
                Bucket=self._name, Key=self._prefix + assembly.key, UploadId=assembly.upload_id
            )
