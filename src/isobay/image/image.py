"""A disk image described: what it is, how it boots, and the trees of files in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from isobay.errors import ImageError
from isobay.image import eltorito, partitions, signatures
from isobay.image.descriptors import Descriptors, VolumeDescriptor, read_descriptors
from isobay.image.entry import Entry, Hierarchy
from isobay.image.iso9660 import Iso9660Hierarchy
from isobay.image.source import ReadAt, Source, damaged
from isobay.image.tree import Tree
from isobay.image.udf import UdfHierarchy, UdfVolume, read_volume

__all__ = ["Image", "open_image"]


class Image:
    """An open disk image. Made by ``open_image``; not for use by two threads at once.

    ``size`` is the file's, in bytes. ``primary``, ``joliet`` and ``enhanced`` are ISO 9660 volume descriptors,
    ``udf`` the UDF volume, ``boot`` the El Torito catalogue, ``mbr`` and ``gpt`` the partition tables of a hybrid
    image; each is None where the image has none. ``udf_problem`` says why a UDF volume beside ISO 9660 cannot be
    read. Only the first session is read.
    """

    def __init__(self, source: Source, head: bytes, descriptors: Descriptors) -> None:
        self._source = source
        self._trees: dict[str, Tree] = {}
        self.size: int = source.size
        self.primary: VolumeDescriptor | None = descriptors.primary
        self.joliet: VolumeDescriptor | None = descriptors.joliet
        self.enhanced: VolumeDescriptor | None = descriptors.enhanced
        self.udf: UdfVolume | None = None
        self.udf_problem = ""
        if descriptors.nsr:
            self._read_udf()
        self.boot: eltorito.BootCatalog | None = None
        if descriptors.boot_catalog is not None:
            self.boot = eltorito.read_catalog(source, descriptors.boot_catalog)
        self.mbr: partitions.Mbr | None = partitions.read_mbr(head)
        self.gpt: partitions.Gpt | None = partitions.read_gpt(source, head)

    @property
    def volume_size(self) -> int:
        """Bytes the volume claims: of the primary descriptor where there is one, else of the UDF volume."""
        if self.primary:
            return self.primary.size
        return self.udf.size if self.udf else 0

    @cached_property
    def tree_names(self) -> tuple[str, ...]:
        """The hierarchies of the image, the best first: rockridge, udf, joliet, enhanced, iso9660."""
        names = []
        if self.primary and Iso9660Hierarchy(self._source, self.primary, "iso9660").rock_ridge_skip() is not None:
            names.append("rockridge")
        if self.udf:
            names.append("udf")
        if self.joliet:
            names.append("joliet")
        if self.primary:
            names.append("iso9660")
        if self.enhanced:
            names.append("enhanced")
        return tuple(names)

    @cached_property
    def formats(self) -> tuple[str, ...]:
        """What the image is, of: iso9660, joliet, rockridge, udf, eltorito, hybrid-mbr, hybrid-gpt."""
        present = {
            "iso9660": self.primary is not None,
            "joliet": self.joliet is not None,
            "rockridge": "rockridge" in self.tree_names,
            "udf": self.udf is not None,
            "eltorito": self.boot is not None,
            "hybrid-mbr": self.mbr is not None,
            "hybrid-gpt": self.gpt is not None,
        }
        return tuple(name for name, there in present.items() if there)

    @cached_property
    def boot_modes(self) -> tuple[str, ...]:
        """How the image boots as a CD-ROM: bios, uefi."""
        entries = self.boot.entries if self.boot else ()
        platforms = {entry.platform for entry in entries if entry.bootable and entry.offset < self.size}
        return tuple(mode for mode, platform in (("bios", "x86"), ("uefi", "efi")) if platform in platforms)

    @property
    def bootable(self) -> bool:
        """Whether the image boots in any mode."""
        return bool(self.boot_modes)

    @property
    def boot_architectures(self) -> tuple[str, ...]:
        """Architectures the boot files prove, as libosinfo spells them."""
        return ()

    def tree(self, name: str | None = None) -> Tree:
        """Return a hierarchy by its name, or the best one. ImageError ``not-found`` when it has no such."""
        chosen = name or (self.tree_names[0] if self.tree_names else "")
        if chosen not in self.tree_names:
            raise damaged(f"The image has no {chosen or 'readable'} directory hierarchy.", "not-found")
        if chosen not in self._trees:
            self._trees[chosen] = Tree(self._source, self._hierarchy(chosen))
        return self._trees[chosen]

    def entries(self, path: str = "/") -> Iterator[Entry]:
        """Yield what a directory holds. See ``Tree.entries``."""
        return self.tree().entries(path)

    def walk(self, path: str = "/") -> Iterator[Entry]:
        """Yield everything below a directory. See ``Tree.walk``."""
        return self.tree().walk(path)

    def stat(self, path: str, *, ignore_case: bool = False) -> Entry:
        """Return what a path is. See ``Tree.stat``."""
        return self.tree().stat(path, ignore_case=ignore_case)

    def find(self, path: str, *, ignore_case: bool = False) -> Entry | None:
        """Return what a path is, or None. See ``Tree.find``."""
        return self.tree().find(path, ignore_case=ignore_case)

    def read(self, path: str, offset: int = 0, size: int | None = None) -> bytes:
        """Return bytes of a file. See ``Tree.read``."""
        return self.tree().read(path, offset, size)

    def content(self, path: str, chunk: int = 1024 * 1024) -> Iterator[bytes]:
        """Yield a file's bytes. See ``Tree.content``."""
        return self.tree().content(path, chunk)

    def _read_udf(self) -> None:
        try:
            self.udf = read_volume(self._source)
        except ImageError as error:
            if self.primary is None:
                raise
            self.udf_problem = error.message

    def _hierarchy(self, name: str) -> Hierarchy:
        if name == "udf" and self.udf:
            return UdfHierarchy(self._source, self.udf)
        volume = {"joliet": self.joliet, "enhanced": self.enhanced}.get(name, self.primary)
        if volume is None:
            raise damaged(f"The image has no {name} volume descriptor.", "not-found")
        return Iso9660Hierarchy(self._source, volume, name)


def open_image(read_at: ReadAt, size: int, *, allow_truncated: bool = False) -> Image:
    """Open the disk image of ``size`` bytes behind ``read_at`` and read its descriptors, lazily.

    ImageError when it is none, with ``context["reason"]``: empty, too-short, truncated, polyglot, damaged,
    html, qcow2, vmdk, vdi, vhd, vhdx, gzip, xz, bzip2, zstd, zip, raw-disk, not-iso and others of their kind.
    ``allow_truncated`` opens an image whose end is missing, as during a download.
    """
    if size <= 0:
        raise damaged("The file is empty. Fetch it again.", "empty", size=size)
    source = Source(read_at, size)
    head = source.head()
    descriptors = read_descriptors(source)
    if descriptors.primary is None and not descriptors.nsr:
        raise signatures.refusal(source, head)
    also = signatures.container(head)
    if also is not None:
        raise damaged(
            f"This is an ISO image and at the same time {also[1]}: programs would disagree on what it holds. "
            "Do not use it; get the image from its maker.",
            "polyglot",
            also=also[0],
        )
    image = Image(source, head, descriptors)
    if not allow_truncated:
        _check_whole(image)
    return image


def _check_whole(image: Image) -> None:
    if image.volume_size > image.size:
        raise _truncated(image)


def _truncated(image: Image) -> ImageError:
    return damaged(
        f"The image is truncated: its volume has {image.volume_size} bytes, the file only {image.size}. "
        "Fetch it again.",
        "truncated",
        volume_size=image.volume_size,
        size=image.size,
    )
