"""What a guest's screen says about its boot: the firmware's own words, or something else. Pure: pictures in.

Firmware is known by how its lines begin, wherever on the screen they are: their ends tell of versions and codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from typing import Any

from msgspec import Struct
from PIL import Image, ImageChops

MAX_PIXELS = 1 << 25
MAX_PICTURE_BYTES = 1 << 20
CONTRAST = 24  # of 255: what differs less from the background is not seen
CELL = (8, 16)  # pixels, about a character
BEGINNING = 48  # pixels of a line, about six characters
SENTENCE = 240  # pixels of a line: UEFI begins all that it says alike, and countdowns and codes come later
TEXT_HEIGHT = 32  # pixels: what is higher is a sign, which stays where it is and is nobody's last word
BLINKING = 2  # cells, as a cursor's
SUBSTANCE = 16  # cells, about a short sentence
# A firmware that found nothing to boot lists what it looked at, and has the last word.
LISTING = 160
CALM = 0.02  # of all cells: less is a clock or a countdown


class Speech(Struct, frozen=True):
    """How a firmware speaks: how its lines begin, and what it writes last when it found nothing to boot; digests."""

    beginnings: frozenset[str] = frozenset()
    last: str = ""


class _Line(Struct, frozen=True):
    beginning: str
    sentence: str
    cells: int
    is_text: bool


def heard(png: bytes, speech: Speech) -> Speech:
    """The speech of a firmware that has come to show this screen."""
    lines = _readable(png)
    beginnings = speech.beginnings.union(line.beginning for line in lines)
    last = _last(lines)
    return Speech(beginnings, last.sentence if last else speech.last)


def is_shown(png: bytes, firmware: Speech) -> bool:
    """Whether a screen has something of substance that is not the firmware's."""
    lines = _readable(png)
    others = sum(line.cells for line in lines if line.beginning not in firmware.beginnings)
    last = _last(lines)
    is_over = last is not None and last.beginning in firmware.beginnings
    return others >= (LISTING if is_over else SUBSTANCE)


def has_given_up(png: bytes, firmware: Speech) -> bool:
    """Whether the firmware has had its last word: it found nothing to boot, or what it booted came back."""
    last = _last(_readable(png))
    return last is not None and last.sentence == firmware.last


def is_calm(before: bytes, after: bytes) -> bool:
    """Whether one screen is the other, but for what blinks and counts."""
    first, second = _opened(before), _opened(after)
    if first.size != second.size:
        return False
    changed = _seen(ImageChops.difference(first, second))
    return _cells(changed) <= CALM * (first.width / CELL[0]) * (first.height / CELL[1])


def picture_of(png: bytes) -> bytes:
    """The screen as a PNG of at most 1 MiB: in fewer colours, and then smaller, where it has to be."""
    picture = _opened(png)
    written = _written(picture)
    while len(written) > MAX_PICTURE_BYTES:
        written = _written(picture.quantize(256))
        picture = picture.reduce(2)
    return written


def _readable(png: bytes) -> list[_Line]:
    return [line for line in _lines(_ink(_opened(png))) if line.cells > BLINKING]


def _last(lines: list[_Line]) -> _Line | None:
    return next((line for line in reversed(lines) if line.is_text), None)


def _opened(png: bytes) -> Image.Image:
    with Image.open(BytesIO(png), formats=("PNG",)) as image:
        if image.width * image.height > MAX_PIXELS:
            # What is larger is looked at from farther away.
            return image.convert("RGB").reduce(4)
        return image.convert("RGB")


def _written(picture: Image.Image) -> bytes:
    written = BytesIO()
    picture.save(written, "PNG", optimize=True)
    return written.getvalue()


def _ink(image: Image.Image) -> Image.Image:
    """What is on a screen's background, which is its commonest colour."""
    counted: list[tuple[int, Any]] = image.getcolors(image.width * image.height) or [(0, (0, 0, 0))]
    _, background = max(counted)
    return _seen(ImageChops.difference(image, Image.new("RGB", image.size, background)))


def _seen(difference: Image.Image) -> Image.Image:
    red, green, blue = difference.split()
    strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return strongest.point([255 * (value > CONTRAST) for value in range(256)])


def _lines(ink: Image.Image) -> Iterator[_Line]:
    """The lines of a screen from its top: rows of pixels with something on them, between rows without."""
    rows, width = ink.tobytes(), ink.width
    top = 0
    for y in range(ink.height + 1):
        if y < ink.height and 255 in rows[y * width : (y + 1) * width]:
            continue
        if y > top:
            yield _line(ink.crop((0, top, width, y)))
        top = y + 1


def _line(ink: Image.Image) -> _Line:
    return _Line(_digest(ink, BEGINNING), _digest(ink, SENTENCE), _cells(ink), ink.height <= TEXT_HEIGHT)


def _digest(ink: Image.Image, width: int) -> str:
    left = (ink.getbbox() or (0, 0, 0, 0))[0]
    start = ink.crop((left, 0, left + width, ink.height))
    start = start.crop(start.getbbox())
    return sha256(b"%d %d " % start.size + start.tobytes()).hexdigest()


def _cells(ink: Image.Image) -> int:
    """How many cells have something in them."""
    shrunk = ink.reduce(CELL)
    return len(shrunk.tobytes()) - shrunk.tobytes().count(0)
