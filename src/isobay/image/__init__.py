"""A pure, lazy reader of disk images: ISO 9660, Joliet, Rock Ridge, UDF, El Torito, hybrid MBR and GPT.

``open_image(read_at, size)`` describes an image from a few reads; ``open_path(path)`` does so for a local file.
Nothing in an image is trusted: whatever is wrong with its bytes is an ImageError with ``context["reason"]``.
"""

from __future__ import annotations

from isobay.image.architecture import BootEvidence
from isobay.image.descriptors import VolumeDescriptor
from isobay.image.eltorito import BootCatalog, BootEntry
from isobay.image.entry import Entry, Extent
from isobay.image.file import open_path
from isobay.image.image import Image, open_image
from isobay.image.partitions import Gpt, GptPartition, Mbr, MbrPartition
from isobay.image.signatures import SMALLEST
from isobay.image.source import ReadAt
from isobay.image.tree import Tree
from isobay.image.udf import UdfVolume

__all__ = [
    "SMALLEST",
    "BootCatalog",
    "BootEntry",
    "BootEvidence",
    "Entry",
    "Extent",
    "Gpt",
    "GptPartition",
    "Image",
    "Mbr",
    "MbrPartition",
    "ReadAt",
    "Tree",
    "UdfVolume",
    "VolumeDescriptor",
    "open_image",
    "open_path",
]
