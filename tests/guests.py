"""A bootable image whose guest says on its serial line what it sees, made of Debian's kernel, busybox and GRUB.

The guest lists what is in its drives whenever that changes, and does what the names of files there ask for:
``reboot`` and ``poweroff``. It switches itself off when its power button is pressed, unless a file is called ``deaf``.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from servers import leave_out

FIRST_LINE = "guest is up"
MODULES = ("ata_piix", "ahci", "sr_mod", "isofs", "button", "evdev")
GRUB = """
serial --unit=0
terminal_output console serial
set timeout=0
menuentry guest {
    linux /vmlinuz console=ttyS0 quiet panic=1
    initrd /initrd
}
"""
INIT = """#!/busybox sh
/busybox mkdir -p /bin /proc /sys /dev /media
/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
echo "guest is up"
while read -r module; do insmod "/modules/$module"; done </modules/order
look() {
    for drive in /sys/block/sr*; do
        [ -e "$drive" ] || continue
        name=${drive##*/}
        if mount -t iso9660 -o ro "/dev/$name" /media 2>/dev/null; then
            echo "$name has" $(ls /media)
            umount /media
        else
            echo "$name is empty"
        fi
    done
}
for device in /dev/input/event*; do
    { head -c 24 $device >/dev/null && [ ! -e /deaf ] && echo "guest switches off" && poweroff -f; } &
done
while true; do
    look >/now
    if ! cmp -s /now /before; then
        cat /now
        mv /now /before
        grep -qw deaf /before && touch /deaf
        grep -qw reboot /before && echo "guest reboots" && reboot -f
        grep -qw poweroff /before && echo "guest switches off" && poweroff -f
    fi
    sleep 0.5
done
"""


def guest_image(path: Path, *asked: str) -> Path:
    """Make the image, which boots by BIOS and UEFI; ``asked``: files in it that ask the guest for something."""
    kernel = _kernel()
    busybox = Path("/bin/busybox")
    if not busybox.exists() or b"statically" not in _said("file", "-L", str(busybox)):
        leave_out("A static busybox is missing: install Debian's busybox-static and file")
    tree = path.with_suffix(".tree")
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/grub/grub.cfg").write_text(GRUB)
    for name in asked:
        (tree / name).touch()
    shutil.copyfile(kernel, tree / "vmlinuz")
    (tree / "initrd").write_bytes(_initramfs(path.with_suffix(".root"), kernel.name.partition("-")[2], busybox))
    _said("grub-mkrescue", "-o", str(path), str(tree))
    shutil.rmtree(tree)
    return path


def _kernel() -> Path:
    found = sorted(Path("/boot").glob("vmlinuz-*-cloud-amd64"))
    if not found:
        leave_out("A kernel for a guest is missing: install Debian's linux-image-cloud-amd64")
    return found[-1]


def _initramfs(root: Path, release: str, busybox: Path) -> bytes:
    (root / "modules").mkdir(parents=True)
    shutil.copy(busybox, root / "busybox")
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    files = _modules(Path("/lib/modules") / release)
    for file in files:
        shutil.copyfile(file, root / "modules" / file.name)
    (root / "modules/order").write_text("".join(f"{file.name}\n" for file in files))
    names = "\n".join(str(found.relative_to(root)) for found in sorted(root.rglob("*"))).encode()
    packed = _said("cpio", "--create", "--format=newc", "--quiet", cwd=root, given=names)
    shutil.rmtree(root)
    return packed


def _modules(directory: Path) -> list[Path]:
    """The files of the modules and of what they need, in the order to load them; what is built in has none."""
    needs = {}
    for line in (directory / "modules.dep").read_text().splitlines():
        file, _, needed = line.partition(":")
        needs[Path(file).stem.replace("-", "_")] = [*reversed(needed.split()), file]
    files = [directory / file for name in MODULES for file in needs.get(name, [])]
    return list(dict.fromkeys(files))


def _said(*command: str, cwd: Path | None = None, given: bytes = b"") -> bytes:
    if not shutil.which(command[0]):
        leave_out(f"{command[0]} is missing: install Debian's cpio, file, grub-common, grub-pc-bin, xorriso and mtools")
    return subprocess.run(command, cwd=cwd, input=given, capture_output=True, check=True).stdout
