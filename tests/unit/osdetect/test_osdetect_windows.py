"""Windows media, by the XML inside WIM files that wimlib wrote."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from isobay.osdetect import Files, Medium, Rules, identify

MakeFiles = Callable[[Mapping[str, bytes | str]], Files]
MakeWim = Callable[..., bytes]
CLIENT = Medium("CCCOMA_X64FRE_EN-US_DV9", "", "MICROSOFT CORPORATION", "CDIMAGE 2.56 (01/01/2005 TM)")
SERVER = Medium("SSS_X64FREE_EN-US_DV9", "", "MICROSOFT CORPORATION", "CDIMAGE 2.56 (01/01/2005 TM)")


@pytest.fixture
def wim(tmp_path: Path) -> MakeWim:
    """Give a way to write a WIM file: its images are (name, edition, installation type, build, architecture)."""

    def make(*images: tuple[str, str, str, str, int]) -> bytes:
        (tmp_path / "root").mkdir(exist_ok=True)
        (tmp_path / "root" / "file.txt").write_text("content")
        path = tmp_path / "made.wim"
        for index, (name, edition, installation, build, arch) in enumerate(images, start=1):
            major, minor, number = build.split(".")
            properties = {
                "ARCH": arch,
                "EDITIONID": edition,
                "INSTALLATIONTYPE": installation,
                "VERSION/MAJOR": major,
                "VERSION/MINOR": minor,
                "VERSION/BUILD": number,
            }
            command = "wimcapture" if index == 1 else "wimappend"
            options = [f"--image-property=WINDOWS/{key}={value}" for key, value in properties.items()]
            subprocess.run(
                [command, str(tmp_path / "root"), str(path), name, *options], check=True, capture_output=True
            )
        return path.read_bytes()

    return make


RELEASES = [
    (("Windows 11 Pro", "Professional", "Client", "10.0.26100", 9), "win11", "x86_64"),
    (("Windows 11 Pro", "Professional", "Client", "10.0.22000", 12), "win11", "aarch64"),
    (("Windows 10 Pro", "Professional", "Client", "10.0.19045", 0), "win10", "i686"),
    (("Windows 8.1 Pro", "Professional", "Client", "6.3.9600", 9), "win8.1", "x86_64"),
    (("Windows 7 ULTIMATE", "Ultimate", "Client", "6.1.7601", 9), "win7", "x86_64"),
    (("Windows Server 2025 Standard", "ServerStandard", "Server", "10.0.26100", 9), "win2k25", "x86_64"),
    (("Windows Server 2022 Standard", "ServerStandard", "Server Core", "10.0.20348", 9), "win2k22", "x86_64"),
    (("Windows Server 2019 Datacenter", "ServerDatacenter", "Server", "10.0.17763", 9), "win2k19", "x86_64"),
    (("Windows Server 2016 Standard", "ServerStandard", "Server", "10.0.14393", 9), "win2k16", "x86_64"),
    (("Windows Server 2012 R2", "ServerStandard", "Server", "6.3.9600", 9), "win2k12r2", "x86_64"),
]


@pytest.mark.parametrize(("image", "short_id", "architecture"), RELEASES, ids=[row[1] + row[2] for row in RELEASES])
def test_the_build_of_the_image_names_the_release(
    files: MakeFiles,
    debian_rules: Rules,
    wim: MakeWim,
    image: tuple[str, str, str, str, int],
    short_id: str,
    architecture: str,
) -> None:
    """The build and the edition in install.wim name the release, also one that the rules of 2022 do not know."""
    detection = identify(Medium("CUSTOM"), files({"SOURCES/INSTALL.WIM;1": wim(image)}), debian_rules)
    assert (detection.short_id, detection.architecture) == (short_id, architecture)
    assert detection.variant == image[1].lower()
    assert image[0] in detection.evidence[0]
    assert image[3] in detection.evidence[0]


@pytest.mark.parametrize(
    ("medium", "image", "os_id"),
    [
        (CLIENT, RELEASES[0][0], "http://microsoft.com/win/11"),
        (CLIENT, RELEASES[2][0], "http://microsoft.com/win/10"),
        (SERVER, RELEASES[5][0], "http://microsoft.com/win/2k25"),
        (SERVER, RELEASES[7][0], "http://microsoft.com/win/2k19"),
    ],
)
def test_the_image_decides_between_releases_with_the_same_label(
    files: MakeFiles,
    debian_rules: Rules,
    wim: MakeWim,
    medium: Medium,
    image: tuple[str, str, str, str, int],
    os_id: str,
) -> None:
    """Microsoft gives several releases one volume id; the image inside tells which one this is."""
    detection = identify(medium, files({"sources/install.esd": wim(image)}), debian_rules)
    assert detection.os_id == os_id
    assert len(detection.matches) > 1
    assert detection.installer


def test_several_editions_have_no_one_variant(files: MakeFiles, debian_rules: Rules, wim: MakeWim) -> None:
    """A file with several editions names the release and how many images there are, and no edition."""
    content = wim(RELEASES[0][0], ("Windows 11 Home", "Core", "Client", "10.0.26100", 9))
    detection = identify(CLIENT, files({"sources/install.wim": content}), debian_rules)
    assert (detection.short_id, detection.variant) == ("win11", "")
    assert any("and 1 more" in sentence for sentence in detection.evidence)


@pytest.mark.parametrize(("medium", "short_id"), [(CLIENT, "win11"), (SERVER, "win2k25")])
def test_setup_alone_takes_client_or_server_from_the_label(
    files: MakeFiles, debian_rules: Rules, wim: MakeWim, medium: Medium, short_id: str
) -> None:
    """boot.wim is the same on clients and servers of one build, so the label says which it is."""
    setup = wim(("Microsoft Windows Setup (amd64)", "WindowsPE", "WindowsPE", "10.0.26100", 9))
    assert identify(medium, files({"sources/boot.wim": setup}), debian_rules).short_id == short_id


def test_the_branch_names_the_release_without_images(files: MakeFiles, debian_rules: Rules) -> None:
    """idwbinfo.txt alone names the branch, which dates the build."""
    text = "[BUILDINFO]\r\nBuildArch=arm64\r\nBuildType=fre\r\nBuildBranch=ge_release\r\n"
    detection = identify(Medium("X"), files({"sources/idwbinfo.txt": text}), debian_rules)
    assert (detection.short_id, detection.architecture) == ("win11", "aarch64")


def test_the_xml_is_read_by_offset_and_bounded(files: MakeFiles, no_rules: Rules, wim: MakeWim) -> None:
    """However large the file and however much XML its header promises, at most 256 KiB are asked for at once."""
    whole = bytearray(wim(RELEASES[0][0]))
    packed, offset = struct.unpack_from("<QQ", whole, 0x48)
    whole += bytes(1 << 20)
    struct.pack_into("<Q", whole, 0x48, (packed >> 56 << 56) | (1 << 40))
    image = files({"sources/install.wim": bytes(whole)})
    assert identify(Medium("X"), image, no_rules).short_id == "win11"
    assert image.most_asked <= 256 << 10  # type: ignore[attr-defined] # the tests' own files note it
    assert offset < len(whole)


@pytest.mark.parametrize(("at", "value"), [(0, b"XSWIM"), (0x48, b"\0" * 7), (0x50, b"\xff" * 8), (0x4F, b"\x04")])
def test_a_damaged_header_is_no_evidence(
    files: MakeFiles, no_rules: Rules, wim: MakeWim, at: int, value: bytes
) -> None:
    """A header that is none, promises nothing, points outside or has packed XML names no system."""
    whole = bytearray(wim(RELEASES[0][0]))
    whole[at : at + len(value)] = value
    assert identify(Medium("X"), files({"sources/install.wim": bytes(whole)}), no_rules).name == ""


def test_a_document_type_is_no_evidence(files: MakeFiles, no_rules: Rules, wim: MakeWim) -> None:
    """XML that could expand without bound is not parsed."""
    whole = bytearray(wim(RELEASES[0][0]))
    offset = struct.unpack_from("<Q", whole, 0x50)[0]
    bomb = '<!DOCTYPE W [<!ENTITY a "' + "a" * 99 + '">]>'
    text = "\ufeff" + bomb + whole[offset + 2 :].decode("utf-16-le", "ignore")
    data = text.encode("utf-16-le")
    whole[offset:] = data
    struct.pack_into("<Q", whole, 0x48, len(data))
    assert identify(Medium("X"), files({"sources/install.wim": bytes(whole)}), no_rules).name == ""
