"""A disk image described: what it is, how it boots, and the trees of files in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from isobay.errors import ImageError
from isobay.image import eltorito, partitions, signatures
from isobay.image.architecture import BootEvidence, boot_evidence, find_small, is_s390_loader
from isobay.image.descriptors import Descriptors, VolumeDescriptor, read_descriptors
from isobay.image.entry import Entry, Hierarchy
from isobay.image.iso9660 import Iso9660Hierarchy
from isobay.image.source import SECTOR, ReadAt, Source, damaged
from isobay.image.tree import Tree
from isobay.image.udf import UdfHierarchy, UdfVolume, read_volume

__all__ = ["Image", "open_image"]

_MODES = {"x86": "bios", "efi": "uefi", "mac": "mac", "powerpc": "openfirmware"}
_PREP = 0x41

PADDING = 150 * SECTOR
"""Bytes a file may be shorter than its volume: padding that mkisofs counts and copying tools leave out."""


class Image:
    """An open disk image. Made by ``open_image``; not for use by two threads at once.

    ``size`` is the file's, in bytes. ``primary``, ``joliet`` and ``enhanced`` are ISO 9660 volume descriptors,
    ``udf`` the UDF volume, ``boot`` the El Torito catalogue, ``mbr`` and ``gpt`` the partition tables of a hybrid
    image; each is None where the image has none. ``udf_problem`` says why a UDF volume beside ISO 9660 cannot be
    read. ``tree_names`` are its hierarchies, the best first, of: rockridge, udf, joliet, iso9660, enhanced. UDF comes
    before Joliet because Windows media keep their files there alone. Only the first session is read.
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
        self._sun_label = head[508:510] == b"\xda\xbe"
        self.tree_names: tuple[str, ...] = self._find_trees()
        self.mbr: partitions.Mbr | None = partitions.read_mbr(head)
        self.gpt: partitions.Gpt | None = partitions.read_gpt(source, head)

    @property
    def volume_id(self) -> str:
        """The volume's label: of the primary descriptor where there is one, else of the UDF volume."""
        if self.primary:
            return self.primary.volume_id
        return self.udf.logical_volume_id if self.udf else ""

    @property
    def volume_size(self) -> int:
        """Bytes the volume claims: of the primary descriptor where there is one, else of the UDF volume.

        0 for a UDF volume on write-once media, which does not record how far it was filled.
        """
        if self.primary:
            return self.primary.size
        return self.udf.size if self.udf else 0

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
        """How the image boots as a CD-ROM, of: bios, uefi, mac, openfirmware, ipl.

        From the bootable El Torito entries whose image is in the file: x86 is bios (or ipl, when the image is the
        s390 loader that s390x media put there), efi is uefi, powerpc is openfirmware. Open Firmware also boots media
        with /ppc/bootinfo.txt (CHRP), a PReP partition or a Sun disk label, none of which need El Torito.
        """
        self._source.begin()
        modes = set()
        for entry in self.boot.entries if self.boot else ():
            if entry.bootable and entry.offset < self.size and entry.platform in _MODES:
                s390 = entry.platform == "x86" and is_s390_loader(self._source, entry.offset)
                modes.add("ipl" if s390 else _MODES[entry.platform])
        if "openfirmware" not in modes and not modes & {"bios", "uefi"} and self._boots_open_firmware():
            modes.add("openfirmware")
        return tuple(mode for mode in ("bios", "uefi", "mac", "openfirmware", "ipl") if mode in modes)

    @property
    def bootable(self) -> bool:
        """Whether the image boots in any mode."""
        return bool(self.boot_modes)

    @cached_property
    def boot_evidence(self) -> tuple[BootEvidence, ...]:
        """What proves the architectures, one piece each: see ``isobay.image.architecture``."""
        self._source.begin()
        return boot_evidence(self._source, self._best_hierarchy(), self.boot)

    @property
    def boot_architectures(self) -> tuple[str, ...]:
        """Architectures the boot files prove, as libosinfo spells them, 64-bit ones first; may be empty."""
        return tuple(evidence.architecture for evidence in self.boot_evidence)

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

    def _find_trees(self) -> tuple[str, ...]:
        primary = self.primary
        rocky = primary and Iso9660Hierarchy(self._source, primary, "iso9660").rock_ridge_skip() is not None
        present = (("rockridge", rocky), ("udf", self.udf), ("joliet", self.joliet), ("iso9660", primary))
        return tuple(name for name, there in (*present, ("enhanced", self.enhanced)) if there)

    def _read_udf(self) -> None:
        try:
            self.udf = read_volume(self._source)
        except ImageError as error:
            if self.primary is None:
                raise
            self.udf_problem = error.message

    def _best_hierarchy(self) -> Hierarchy | None:
        return self._hierarchy(self.tree_names[0]) if self.tree_names else None

    def _boots_open_firmware(self) -> bool:
        if self._sun_label or (self.mbr and any(partition.type == _PREP for partition in self.mbr.partitions)):
            return True
        hierarchy = self._best_hierarchy()
        try:
            return hierarchy is not None and find_small(hierarchy, "ppc/bootinfo.txt") is not None
        except ImageError:
            # a tree that cannot be read, as in an unfinished download, is no reason to boot from it
            return False

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
        _check_whole(image, source)
    return image


def _check_whole(image: Image, source: Source) -> None:
    """Raise ImageError ``truncated`` when the volume, or a boot partition appended to it, ends behind the file.

    Up to ``PADDING`` bytes may be missing when every file of the tree is seen to end before the file does; a tree
    too large to see within one call's work counts as truncated.
    """
    volume = max(image.primary.size if image.primary else 0, image.udf.size if image.udf else 0)
    appended = _appended_end(image, volume)
    claimed = max(volume, appended)
    if claimed <= image.size:
        return
    if appended <= image.size and volume - image.size <= PADDING:
        try:
            if _ends_inside(image, source):
                return
        except ImageError:
            # what cannot be read proves that the missing part is not padding
            pass
    raise damaged(
        f"The image is truncated: its volume has {claimed} bytes, the file only {image.size}. Fetch it again.",
        "truncated",
        volume_size=claimed,
        size=image.size,
    )


def _appended_end(image: Image, volume: int) -> int:
    """Return where the partitions end that hold El Torito boot images behind the volume; 0 when there are none."""
    spans = [
        (part.start * 512, (part.start + part.count) * 512) for part in (image.mbr.partitions if image.mbr else ())
    ]
    if image.gpt:
        size = image.gpt.sector_size
        spans += [(part.first * size, (part.last + 1) * size) for part in image.gpt.partitions]
    boots = [entry.offset for entry in (image.boot.entries if image.boot else ()) if entry.bootable]
    return max((end for start, end in spans if start >= volume and start in boots), default=0)


def _ends_inside(image: Image, source: Source) -> bool:
    source.begin()
    work = 0
    for entry in image.walk():
        work += source.work
        source.work = work
        source.spend(0)
        if any(extent.offset is not None and extent.offset + extent.size > image.size for extent in entry.extents):
            return False
    return True
