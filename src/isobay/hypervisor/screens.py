"""Screens of guests, as PNG."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image

from isobay.errors import HypervisorError
from isobay.hypervisor.interface import Screen

MAX_BYTES = 64 << 20


def take_screen(opened: Any, domain: Any) -> Screen:
    """What a running guest shows. Raises libvirtError, or HypervisorError for a screen too large."""
    stream = opened.newStream()
    domain.screenshot(stream, 0)
    taken = bytearray()
    while piece := stream.recv(1 << 18):
        taken += piece
        if len(taken) > MAX_BYTES:
            stream.abort()
            raise HypervisorError(f"The guest's screen has more than {MAX_BYTES} bytes. Let it show a smaller one.")
    stream.finish()
    # QEMU writes the picture itself, in one of these formats by its version.
    with Image.open(BytesIO(taken), formats=("PPM", "PNG")) as image:
        written = BytesIO()
        image.convert("RGB").save(written, "PNG")
        return Screen(written.getvalue(), image.width, image.height)
