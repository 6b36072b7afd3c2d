"""Screens drawn for the tests, as firmware, boot loaders and systems write them."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageDraw

SIZE = (720, 400)
BLACK, GREY, BLUE = (0, 0, 0), (170, 170, 170), (0, 0, 170)
FIRMWARE = ["SeaBIOS (version 1.16)", "Booting from DVD/CD...", "Boot failed: no medium (3)", "No bootable device."]


def png(image: Image.Image) -> bytes:
    """The picture's bytes."""
    written = BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def text(*lines: str, background: tuple[int, int, int] = BLACK, cursor: bool = False, top: int = 0) -> bytes:
    """A screen of text."""
    image = Image.new("RGB", SIZE, background)
    drawing = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        drawing.text((0, top + 16 * number), line, fill=GREY)
    if cursor:
        drawing.rectangle((0, top + 16 * len(lines) + 13, 8, top + 16 * len(lines) + 14), fill=GREY)
    return png(image)
