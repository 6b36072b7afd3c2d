"""The seed's two calls, word for word, with true values."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from images import debian_like, packaged, tool, windows_like
from service import KEY, SEED, Service

SEED_FIELDS = {
    "id": str,
    "name": str,
    "description": str,
    "size": int,
    "ready": bool,
    "bootable": bool,
    "osTypeId": str,
    "osTypeName": str,
    "zoneId": str,
}
MADE = {"debian-like": debian_like, "windows-like": windows_like}
MODES = {"BIOS": "bios", "UEFI": "uefi"}


@pytest.fixture(scope="module")
def shelved(service: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict]]:
    """Put every image on the shelf once: its file, and the ISO as the API shows it."""
    images = {name: packaged(name) for name in ("memtest86+x64", "memtest86+ia32", "ipxe", "grub-rescue")}
    made = tmp_path_factory.mktemp("made")
    images |= {name: make(made / f"{name}.iso") for name, make in MADE.items()}
    return {name: (path, service.add(path, name)) for name, path in images.items()}


def test_the_seeds_own_curl_lines_are_answered_in_the_seeds_shape(service, shelved):
    """The list and the single ISO have exactly the printed envelope, and every printed field with its type."""
    url = f"{service.address}{SEED}/isos"
    listed = _curl(url)
    assert listed.keys() == {"data", "metadata"}
    assert listed["metadata"] == {"recordCount": len(shelved)}
    for told in listed["data"]:
        one = _curl(f"{service.address}/v1/services/compute-on/test_area/ISOs/{told['id']}")
        assert one == {"data": told}
        for name, kind in SEED_FIELDS.items():
            assert type(told[name]) is kind, name
        assert all(str(UUID(told[name])) == told[name] for name in ("id", "osTypeId", "zoneId"))


@pytest.mark.parametrize("name", ["memtest86+x64", "memtest86+ia32", "ipxe", "grub-rescue", *MADE])
def test_what_is_told_of_an_image_is_true(service, shelved, name):
    """Size, digest, label, boot and zone agree with the file, xorriso and isoinfo; the OS type can be retrieved."""
    path, iso = shelved[name]
    content = path.read_bytes()
    assert (iso["name"], iso["size"], iso["ready"], iso["status"]) == (name, len(content), True, "ready")
    assert iso["checksums"] == {"sha256": hashlib.sha256(content).hexdigest()}
    modes = _modes_by_xorriso(path)
    assert iso["bootModes"] == modes
    assert iso["bootable"] is bool(modes)
    said = subprocess.run([tool("isoinfo"), "-d", "-i", str(path)], capture_output=True, text=True, check=True).stdout
    assert iso["volumeLabel"] == re.search(r"^Volume id: (.*)$", said, re.MULTILINE)[1].rstrip()
    assert ("joliet" in iso["formats"]) == ("Joliet with UCS" in said)
    assert ("rockridge" in iso["formats"]) == ("Rock Ridge signatures" in said)
    zone = service.get(f"{SEED}/zones/{iso['zoneId']}")
    assert (iso["zoneName"], iso["availableInZones"]) == (zone["name"], [zone["id"]])


@pytest.mark.parametrize(
    ("name", "architecture", "width"),
    [
        ("memtest86+x64", "x86_64", 64),
        ("memtest86+ia32", "i686", 32),
        ("grub-rescue", "i686", 32),
        ("debian-like", "x86_64", 64),
        ("windows-like", "x86_64", 64),
    ],
)
def test_the_architecture_is_the_loaders(shelved, name, architecture, width):
    """What the boot files are made for is what is told."""
    _, iso = shelved[name]
    assert (iso["architecture"], iso["architectureWidth"]) == (architecture, width)


@pytest.mark.parametrize(
    ("name", "os_id", "os_name", "version"),
    [
        ("debian-like", "http://debian.org/debian/14", "Debian", "14"),
        ("windows-like", "http://microsoft.com/win/11", "Windows 11", "11"),
    ],
)
def test_an_operating_system_newer_than_the_rules_is_named_by_the_image(shelved, name, os_id, os_name, version):
    """What the rules on this machine may not know, the files in the image say."""
    _, iso = shelved[name]
    assert iso["osId"] == os_id
    assert os_name in iso["osTypeName"]
    assert iso["osVersion"].split(".")[0] == version
    assert iso["installer"] is True


def test_an_image_without_an_operating_system_has_a_generic_type(service, shelved):
    """The generic types carry the image's width, and can be retrieved by their ids."""
    for name, expected in (("memtest86+x64", "Other (64-bit)"), ("memtest86+ia32", "Other (32-bit)")):
        iso = shelved[name][1]
        assert iso["osTypeName"] == expected
        assert service.get(f"{SEED}/ostypes/{iso['osTypeId']}")["name"] == expected


def _curl(url: str) -> dict:
    command = ["curl", "-s", "-X", "GET", "-H", f"MC-Api-Key: {KEY}", url]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def _modes_by_xorriso(path: Path) -> list[str]:
    command = [tool("xorriso"), "-indev", str(path), "-report_el_torito", "plain"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.findall(r"El Torito boot img :\s+\d+\s+(\S+)\s+y", said)
    return [MODES[platform] for platform in dict.fromkeys(found)]
