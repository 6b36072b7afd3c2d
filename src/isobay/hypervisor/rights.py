"""Rights for the account that QEMU runs as: it reads what it is shown, and owns nothing of isobay's.

They are POSIX access control lists (POSIX 1003.1e draft 17), as the kernel keeps them: acl(5), xattr(7).
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from pathlib import Path

from msgspec import Struct

from isobay.errors import HypervisorError
from isobay.hypervisor.public import UNREADABLE

READ, PASS = 4, 1
_XATTR = "system.posix_acl_access"
_VERSION = 2
_OWNER, _USER, _OWNING_GROUP, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF


class Account(Struct, frozen=True):
    """Who QEMU runs as on this machine."""

    uid: int
    gid: int


def admit(image: Path, below: Path, account: Account) -> None:
    """Let the account read an image, and pass through the directories to it: ours are those from ``below`` on.

    Raises HypervisorError where that cannot be, with what to do.
    """
    let_pass(image.parent, below, account)
    if not _may(image, account, READ):
        _grant(image, account, READ)


def let_pass(directory: Path, below: Path, account: Account) -> None:
    """Let the account pass through a directory and those above it. See ``admit``."""
    for step in (*reversed(directory.parents), directory):
        if _may(step, account, PASS):
            continue
        if not step.is_relative_to(below):
            raise HypervisorError(
                f"The account that guests run as may not pass through {step}. Grant it: "
                f"sudo setfacl -m u:{account.uid}:x {step}",
                public=UNREADABLE,
            )
        _grant(step, account, PASS)


def _may(path: Path, account: Account, wanted: int) -> bool:
    try:
        status = path.stat()
    except OSError as error:
        said = f"{path} cannot be shown to a guest: {os.strerror(error.errno or 0)}."
        raise HypervisorError(said, public=UNREADABLE) from error
    if account.uid == 0:
        return True
    entries = _entries(path, status.st_mode)
    allowed = entries[_OTHER, _NOBODY]
    mask = entries.get((_MASK, _NOBODY), 7)
    if status.st_uid == account.uid:
        allowed = entries[_OWNER, _NOBODY]
    elif (_USER, account.uid) in entries:
        allowed = entries[_USER, account.uid] & mask
    elif status.st_gid == account.gid:
        allowed = entries[_OWNING_GROUP, _NOBODY] & mask
    elif (_GROUP, account.gid) in entries:
        allowed = entries[_GROUP, account.gid] & mask
    return allowed & wanted == wanted


def _grant(path: Path, account: Account, wanted: int) -> None:
    entries = _entries(path, path.stat().st_mode)
    entries[_USER, account.uid] = entries.get((_USER, account.uid), 0) | wanted
    bounded = [right for (tag, _), right in entries.items() if tag in (_USER, _OWNING_GROUP, _GROUP)]
    entries[_MASK, _NOBODY] = bounded[0]
    for right in bounded:
        entries[_MASK, _NOBODY] |= right
    packed = struct.pack("<I", _VERSION)
    for (tag, who), right in sorted(entries.items()):
        packed += struct.pack("<HHI", tag, right, who)
    try:
        os.setxattr(path, _XATTR, packed)
    except OSError as error:
        raise HypervisorError(
            f"The account that guests run as (its number is {account.uid}) cannot be let to {path}: "
            f"{os.strerror(error.errno or 0)}. Keep isobay's data directory on a file system with access control "
            "lists, owned by isobay's account.",
            public=UNREADABLE,
        ) from error


def _entries(path: Path, mode: int) -> dict[tuple[int, int], int]:
    """Rights by tag and id: those of the list, or of the mode where there is none."""
    try:
        packed = os.getxattr(path, _XATTR)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOTSUP):
            said = f"The rights of {path} cannot be read: {os.strerror(error.errno or 0)}."
            raise HypervisorError(said, public=UNREADABLE) from error
        bits = stat.S_IMODE(mode)
        owner, group, other = bits >> 6 & 7, bits >> 3 & 7, bits & 7
        return {(_OWNER, _NOBODY): owner, (_OWNING_GROUP, _NOBODY): group, (_OTHER, _NOBODY): other}
    return {(tag, who): right for tag, right, who in struct.iter_unpack("<HHI", packed[4:])}
