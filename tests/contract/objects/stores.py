"""Where objects lie, as a test has to know it that looks behind the seam."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from isobay.objects import DiskObjects, HeldFiles, Objects
from isobay.settings import Settings

if TYPE_CHECKING:
    from s3_server import S3Server


class Store(Protocol):
    """A place for objects. ``described`` is how another process finds it: see ``opened``."""

    described: str

    def opened(self) -> Objects:
        """The store, as a process opens it that starts now."""

    def opened_after_boot(self) -> Objects:
        """The same after the power was gone."""

    def left(self) -> set[tuple[str, str]]:
        """The ids of all that lies there, with ``part``, ``whole`` or ``unfinished``."""

    def put_strange(self) -> tuple[str, str]:
        """Put something there that is not of ours."""


class DiskStore:
    """Below a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.described = json.dumps({"root": str(root)})

    def opened(self) -> Objects:
        """The store, in this boot."""
        return DiskObjects(self._root)

    def opened_after_boot(self) -> Objects:
        """The store, in another one."""
        return DiskObjects(self._root, boot=str(uuid4()))

    def left(self) -> set[tuple[str, str]]:
        """What the names of its files say."""
        files = [path for path in self._root.rglob("*") if path.is_file()]
        return {(path.stem, "whole" if path.suffix == ".iso" else "part") for path in files}

    def put_strange(self) -> tuple[str, str]:
        """Put a file there."""
        strange = self._root / "00" / "not-ours.iso"
        strange.parent.mkdir()
        strange.write_bytes(b"?")
        return "not-ours", "whole"


class S3Store:
    """Below a prefix of its own."""

    def __init__(self, server: S3Server, directory: Path, **options: str) -> None:
        self.server = server
        self.options = {**server.options(), **options}
        self.bucket, _, self.prefix = self.options["ISOBAY_OBJECTS_URL"].removeprefix("s3://").partition("/")
        self.s3 = server.s3
        self.described = json.dumps({**self.options, "data_dir": str(directory)})

    def opened(self) -> Objects:
        """The store, as any machine sees it."""
        return opened(self.described)

    def opened_after_boot(self) -> Objects:
        """The same: what it has is certain."""
        return self.opened()

    def listed(self) -> list[str]:
        """All keys below the prefix but that of the object which says whose it is."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/")
        keys = [each["Key"].removeprefix(f"{self.prefix}/") for page in pages for each in page.get("Contents", ())]
        return [key for key in keys if key != "owner"]

    def unfinished(self) -> list[str]:
        """The keys of what was begun to be put together."""
        answer = self.s3.list_multipart_uploads(Bucket=self.bucket, Prefix=f"{self.prefix}/")
        return [each["Key"].removeprefix(f"{self.prefix}/") for each in answer.get("Uploads") or ()]

    def left(self) -> set[tuple[str, str]]:
        """What its keys say."""
        kinds = {"incoming": "part", "objects": "whole"}
        there = {(key.split("/")[1], kinds[key.split("/")[0]]) for key in self.listed()}
        return there | {(key.split("/")[1], "unfinished") for key in self.unfinished()}

    def put_strange(self) -> tuple[str, str]:
        """Put an object there."""
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.prefix}/objects/not-ours", Body=b"?")
        return "not-ours", "whole"


def opened(described: str) -> Objects:
    """A store, in any process."""
    options = json.loads(described)
    if "root" in options:
        return DiskObjects(Path(options["root"]))
    from isobay.objects.s3 import S3Objects
    from isobay.objects.s3_place import Place

    settings = Settings.load(options, data_dir=options["data_dir"])
    return S3Objects(Place.of(settings), HeldFiles(settings.data_dir / "held"), "the tests")
