"""How an ISO that came onto the shelf is told."""

from __future__ import annotations

from isobay.cli import terminal
from isobay.model import Iso


def tell_shelved(verb: str, iso: Iso) -> None:
    """Print one line of an ISO that is ready: a sentence on a terminal, else columns."""
    if terminal.is_terminal():
        boots = f"boots {' and '.join(iso.boot_modes)}" if iso.bootable else "not bootable"
        size = terminal.bytes_text(iso.size)
        terminal.line(f"{verb} {iso.name}  {iso.id}  {iso.os_type_name}, {iso.architecture or '?'}, {boots}, {size}")
    else:
        terminal.line(iso.id, iso.name, iso.os_type_name, iso.architecture, ",".join(iso.boot_modes), iso.size)
