"""Windows Imaging Format: what its XML data says about the images in a file (Microsoft, "WIM File Format", 2007).

The header's resource for the XML data stands at 0x48: seven bytes of size, one of flags, eight of offset. The XML
is UTF-16LE and lies at the end of a file of several gigabytes, so it is read by offset.
"""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from contextlib import suppress
from dataclasses import dataclass

from isobay.osdetect.evidence.filetree import MOST_TEXT, FileTree, printable

__all__ = ["WimImage", "read_images"]

MAGIC = b"MSWIM\0\0\0"
HEADER_SIZE = 0xD0
XML_RESOURCE = 0x48
COMPRESSED = 0x04  # RESHDR_FLAG_COMPRESSED
MOST_IMAGES = 256
# PROCESSOR_ARCHITECTURE_… of winnt.h
ARCHITECTURES = {"0": "i686", "5": "armv7l", "6": "ia64", "9": "x86_64", "12": "aarch64"}


@dataclass(frozen=True, slots=True)
class WimImage:
    """One ``<IMAGE>``: ``build`` is 0 and the texts are empty for what it does not say."""

    name: str
    edition: str
    installation: str
    architecture: str
    version: tuple[int, int]
    build: int


def read_images(tree: FileTree, path: str) -> list[WimImage]:
    """Return the images that the WIM or ESD file ``path`` describes; none when it is no such file."""
    header = tree.read_at(path, 0, HEADER_SIZE)
    if header is None or len(header) < HEADER_SIZE or header[:8] != MAGIC:
        return []
    packed, offset = struct.unpack_from("<QQ", header, XML_RESOURCE)
    size, flags = packed & 0xFFFFFFFFFFFFFF, packed >> 56
    if flags & COMPRESSED or not size or offset < HEADER_SIZE:
        return []
    data = tree.read_at(path, offset, min(size, MOST_TEXT))
    return _parse(data) if data else []


def _parse(data: bytes) -> list[WimImage]:
    text = data.decode("utf-16-le", "replace").removeprefix("\ufeff")
    # Only a document type can make a small text expand without bound, and WIM has none.
    if "<!DOCTYPE" in text:
        return []
    target = _Images()
    parser = ET.XMLParser(target=target)  # noqa: S314 -- no document type, so no entities to expand or fetch
    # What is cut off after the limit is no error: the images before it are whole.
    with suppress(ET.ParseError, ValueError):
        parser.feed(text)
    return [_image(element) for element in target.found[:MOST_IMAGES]]


class _Images(ET.TreeBuilder):
    """Collects every ``<IMAGE>`` as it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[ET.Element] = []

    def end(self, tag: str) -> ET.Element:
        element = super().end(tag)
        if tag == "IMAGE":
            self.found.append(element)
        return element


def _image(element: ET.Element) -> WimImage:
    def field(path: str) -> str:
        return printable(element.findtext(path) or "")

    return WimImage(
        name=field("DISPLAYNAME") or field("NAME"),
        edition=field("WINDOWS/EDITIONID") or field("FLAGS"),
        installation=field("WINDOWS/INSTALLATIONTYPE"),
        architecture=ARCHITECTURES.get(field("WINDOWS/ARCH"), ""),
        version=(_number(field("WINDOWS/VERSION/MAJOR")), _number(field("WINDOWS/VERSION/MINOR"))),
        build=_number(field("WINDOWS/VERSION/BUILD")),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
