"""Bytes that come piece by piece, and a process that receives them and is killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from stores import Store

PIECE = 512 << 10


def piece(number: int) -> bytes:
    """The bytes that come in as the ``number``-th."""
    return sha256(str(number).encode()).digest() * (PIECE // 32)


def first(size: int) -> bytes:
    """The first ``size`` bytes of all that comes in."""
    return b"".join(piece(number) for number in range(-(-size // PIECE)))[:size]


@contextmanager
def receiving(store: Store, object_id: str, pieces: int, then: str = "pass") -> Iterator[subprocess.Popen[str]]:
    """Run a process that appends pieces, says its size after each, does something, says so, and waits to be killed."""
    code = (
        "import sys; from pieces import piece; from stores import opened\n"
        "with opened(sys.argv[1]).resume(sys.argv[2]) as part:\n"
        "    for number in range(int(sys.argv[3])):\n"
        "        part.append(piece(number)); print(part.size, flush=True)\n"
        f"    {then}; print('done', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, store.described, object_id, str(pieces)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
    ) as process:
        try:
            yield process
        finally:
            process.kill()
