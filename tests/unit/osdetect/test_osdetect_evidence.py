"""What the files of an image say, with rules of 2022: the releases since then must still get their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from isobay.errors import ImageError
from isobay.osdetect import Detection, Files, Medium, Rules, identify

MakeFiles = Callable[[Mapping[str, bytes | str]], Files]
UNLABELLED = Medium("CDROM")


def treeinfo(name: str, version: str, arch: str = "x86_64", variant: str = "") -> str:
    """Write a .treeinfo as pungi and lorax do (productmd 1.2)."""
    return (
        f"[general]\n; WARNING.0 = This section provides compatibility with pre-productmd treeinfos.\narch = {arch}\n"
        f"family = {name}\nname = {name} {version}\nplatforms = {arch},xen\nvariant = {variant}\n"
        f"version = {version}\n\n"
        f"[header]\ntype = productmd.treeinfo\nversion = 1.2\n\n[release]\nname = {name}\nshort = X\n"
        f"version = {version}\n\n[stage2]\nmainimage = images/install.img\n\n[tree]\narch = {arch}\n"
        "build_timestamp = 1700000000\nplatforms = x\nvariants = Server\n"
    )


def found(detection: Detection) -> tuple[str, str, str, str]:
    """Take what the tests compare: id, name, version, architecture."""
    return detection.os_id, detection.name, detection.version, detection.architecture


TREEINFO = [
    (("Fedora", "45"), ("http://fedoraproject.org/fedora/45", "Fedora Linux 45", "45")),
    (("Fedora", "36"), ("http://fedoraproject.org/fedora/36", "Fedora Linux 36", "36")),
    (
        ("Red Hat Enterprise Linux", "10.2"),
        ("http://redhat.com/rhel/10.2", "Red Hat Enterprise Linux 10.2", "10.2"),
    ),
    (("CentOS Stream", "10"), ("http://centos.org/centos-stream/10", "CentOS Stream 10", "10")),
    (("Rocky Linux", "10.1"), ("http://rockylinux.org/rocky/10", "Rocky Linux 10", "10")),
    (("AlmaLinux", "10.0"), ("http://almalinux.org/almalinux/10", "AlmaLinux 10", "10")),
    (("AlmaLinux Kitten", "10"), ("http://almalinux.org/almalinux-kitten/10", "AlmaLinux Kitten 10", "10")),
    (("Fedora", "100"), ("http://fedoraproject.org/fedora/100", "Fedora Linux 100", "100")),
    (
        ("Scientific Linux", "7.10"),
        ("http://scientificlinux.org/scientificlinux/7.10", "Scientific Linux 7.10", "7.10"),
    ),
    (("Oracle Linux", "9.6"), ("http://oracle.com/ol/9.6", "Oracle Linux 9.6", "9.6")),
]


@pytest.mark.parametrize(("written", "expected"), TREEINFO, ids=lambda value: "-".join(value)[:40])
@pytest.mark.parametrize("path", [".treeinfo", "TREEINFO.;1", "_TREEINFO"])
def test_treeinfo_names_the_release(
    files: MakeFiles, debian_rules: Rules, path: str, written: tuple[str, str], expected: tuple[str, str, str]
) -> None:
    """Fedora and its kin are told by .treeinfo, in whatever way the medium spells that name."""
    detection = identify(UNLABELLED, files({path: treeinfo(*written, arch="aarch64")}), debian_rules)
    assert found(detection) == (*expected, "aarch64")
    assert detection.installer
    assert not detection.live
    assert written[0] in detection.evidence[0]


DISK_INFO = [
    (
        'Ubuntu-Server 24.04.1 LTS "Noble Numbat" - Release amd64 (20240827)',
        ("http://ubuntu.com/ubuntu/24.04", "Ubuntu 24.04", "24.04", "x86_64"),
        "server",
    ),
    (
        'Ubuntu 26.10 "Some Animal" - Release arm64 (20261015)',
        ("http://ubuntu.com/ubuntu/26.10", "Ubuntu 26.10", "26.10", "aarch64"),
        "desktop",
    ),
    (
        'Kubuntu 22.04.3 LTS "Jammy Jellyfish" - Release amd64 (20230807.1)',
        ("http://ubuntu.com/ubuntu/22.04", "Ubuntu 22.04 LTS", "22.04", "x86_64"),
        "kubuntu",
    ),
    (
        'Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST with firmware 20240210-11:27',
        ("http://debian.org/debian/12", "Debian 12", "12", "x86_64"),
        "",
    ),
    (
        'Debian GNU/Linux 14.0.0 "Forky" - Official ppc64el DVD Binary-1 20270701-10:00',
        ("http://debian.org/debian/14", "Debian 14", "14", "ppc64le"),
        "",
    ),
    (
        'Debian GNU/Linux testing "Trixie" - Official Snapshot i386 NETINST 20240805-03:15',
        ("http://debian.org/debian/testing", "Debian testing", "testing", "i686"),
        "",
    ),
    ('Linux Mint 21.3 "Virginia" - Release amd64 20240110', ("", "Linux Mint 21.3", "21.3", "x86_64"), ""),
    (
        'Pop_OS 22.04 "Jammy Jellyfish" - Release amd64 (20240401)',
        ("http://system76.com/popos/22.04", "Pop!_OS 22.04", "22.04", "x86_64"),
        "",
    ),
    (
        'Trisquel 11.0 "Aramo" - Release amd64 (20230319)',
        ("http://trisquel.info/trisquel/11", "Trisquel 11", "11", "x86_64"),
        "",
    ),
]


@pytest.mark.parametrize(("line", "expected", "variant"), DISK_INFO, ids=[row[0][:24] for row in DISK_INFO])
@pytest.mark.parametrize("path", [".disk/info", "_DISK/INFO.;1"])
def test_disk_info_names_the_release(
    files: MakeFiles, debian_rules: Rules, path: str, line: str, expected: tuple[str, ...], variant: str
) -> None:
    """Debian, Ubuntu and their kin are told by .disk/info: release, architecture and edition."""
    detection = identify(UNLABELLED, files({path: line}), debian_rules)
    assert found(detection) == expected
    assert detection.variant == variant
    assert line in detection.evidence[0]


SMALL_FILES: list[tuple[dict[str, bytes | str], tuple[str, str, str, str]]] = [
    (
        {".discinfo": "1700000000.123456\nRed Hat Enterprise Linux 9.9\nx86_64\n"},
        ("http://redhat.com/rhel/9.9", "Red Hat Enterprise Linux 9.9", "9.9", "x86_64"),
    ),
    (
        {"media.repo": "[InstallMedia]\nname=CentOS Stream 10\nmediaid=1\n"},
        ("http://centos.org/centos-stream/10", "CentOS Stream 10", "10", ""),
    ),
    (
        {"dists/trixie/Release": "Origin: Debian\nVersion: 13.1\nCodename: trixie\nArchitectures: riscv64 all\n"},
        ("http://debian.org/debian/13", "Debian 13", "13", "riscv64"),
    ),
    (
        {"media.1/products": "/ SLES 15.7-0\n", "media.1/media": "SUSE - SLE-15-SP7-Full-x86_64-Build1-Media\n"},
        ("http://suse.com/sle/15.7", "SUSE Linux Enterprise 15 SP7", "15.7", "x86_64"),
    ),
    (
        {"media.1/products": "/ openSUSE-Leap 15.6-1\n", "media.1/media": "openSUSE - x86_64-Media\n"},
        ("http://opensuse.org/opensuse/15.6", "openSUSE Leap 15.6", "15.6", "x86_64"),
    ),
    (
        {"content": "CONTENTSTYLE     11\nDISTRO cpe:/o:suse:sles:12:sp5,SUSE Linux Enterprise Server 12 SP5\n"},
        ("http://suse.com/sles/12.5", "SUSE Linux Enterprise Server 12 SP5", "12.5", ""),
    ),
    (
        {".alpine-release": "alpine-standard-3.22.1 250715\n", "apks/aarch64/APKINDEX.tar.gz": ""},
        ("http://alpinelinux.org/alpinelinux/3.22", "Alpine Linux 3.22", "3.22", "aarch64"),
    ),
    (
        {"arch/version": "2026.05.01\n", "arch/x86_64/airootfs.sfs": ""},
        ("http://archlinux.org/archlinux/rolling", "Arch Linux", "", "x86_64"),
    ),
    (
        {"7.8/amd64/bsd.rd": "", "etc/boot.conf": ""},
        ("http://openbsd.org/openbsd/7.8", "OpenBSD 7.8", "7.8", "x86_64"),
    ),
    (
        {"bin/freebsd-version": '#!/bin/sh\nUSERLAND_VERSION="15.0-RELEASE"\n', "usr/freebsd-dist/MANIFEST": ""},
        ("http://freebsd.org/freebsd/15.0", "FreeBSD 15.0", "15.0", ""),
    ),
    (
        {"etc/release": "NetBSD 10.1/amd64\n"},
        ("http://netbsd.org/netbsd/10.1", "NetBSD 10.1", "10.1", "x86_64"),
    ),
    (
        {"ANNOUNCE.15_0": "", "slackware64/a/x.txz": ""},
        ("http://slackware.com/slackware/15.0", "Slackware 15.0", "15.0", "x86_64"),
    ),
    (
        {".cd-info": "PRODUCT='pve'\nPRODUCTLONG='Proxmox Virtual Environment'\nRELEASE='8.2'\n"},
        ("", "Proxmox 8.2", "8.2", ""),
    ),
]


@pytest.mark.parametrize(("content", "expected"), SMALL_FILES, ids=[next(iter(row[0])) for row in SMALL_FILES])
def test_smaller_files_name_the_release(
    files: MakeFiles, debian_rules: Rules, content: dict[str, bytes | str], expected: tuple[str, ...]
) -> None:
    """The small files of many other systems name them too, and their architecture where they say it."""
    detection = identify(UNLABELLED, files(content), debian_rules)
    assert found(detection) == expected
    assert next(iter(content)).partition("/")[0] in detection.evidence[0]


def test_evidence_needs_no_rules(files: MakeFiles, no_rules: Rules) -> None:
    """On a machine without libosinfo's database the image still names itself, spelled as libosinfo would."""
    detection = identify(UNLABELLED, files({".treeinfo": treeinfo("Fedora", "44")}), no_rules)
    assert found(detection) == ("http://fedoraproject.org/fedora/44", "Fedora Linux 44", "44", "x86_64")
    assert any("do not know this release" in sentence for sentence in detection.evidence)


def test_an_exact_version_beats_a_stand_in(files: MakeFiles, debian_rules: Rules) -> None:
    """A rule for releases that are not known yet gives way to the file that names one, and stays among the matches."""
    medium = Medium("RHEL-9-9-0-BaseOS-x86_64", "LINUX")
    detection = identify(medium, files({".treeinfo": treeinfo("Red Hat Enterprise Linux", "9.9")}), debian_rules)
    assert (detection.os_id, detection.version) == ("http://redhat.com/rhel/9.9", "9.9")
    assert [match.system.short_id for match in detection.matches] == ["rhel9-unknown"]


def test_a_label_names_what_only_a_stand_in_fits(files: MakeFiles, debian_rules: Rules) -> None:
    """Without any file the volume id itself names the release, where the rules have only a stand-in."""
    detection = identify(Medium("Fedora-S-dvd-x86_64-45", "LINUX"), files({}), debian_rules)
    assert found(detection) == ("http://fedoraproject.org/fedora/45", "Fedora Linux 45", "45", "x86_64")


def test_rules_and_files_that_agree_are_both_told(files: MakeFiles, debian_rules: Rules) -> None:
    """Where rule and file say the same the rule names the system, and both are in the evidence."""
    line = 'Debian GNU/Linux 11.5.0 "Bullseye" - Official amd64 NETINST 20220910-10:38'
    medium = Medium("Debian 11.5.0 amd64 n", "", "", "")
    detection = identify(medium, files({".disk/info": line}), debian_rules)
    assert (detection.os_id, detection.variant) == ("http://debian.org/debian/11", "universal-netinst")
    assert "Debian 11.5.0 amd64 n" in detection.evidence[0]
    assert line in detection.evidence[1]


def test_files_of_another_release_win_over_the_label(files: MakeFiles, debian_rules: Rules) -> None:
    """A file that names another release of the product that a rule names is believed, and the rule is told."""
    medium = Medium("Fedora-S-dvd-x86_64-36", "LINUX")
    detection = identify(medium, files({".treeinfo": treeinfo("Fedora", "44")}), debian_rules)
    assert detection.os_id == "http://fedoraproject.org/fedora/44"
    assert any("Fedora Linux 36" in sentence for sentence in detection.evidence)


def test_files_of_another_product_do_not_win_over_an_exact_rule(files: MakeFiles, debian_rules: Rules) -> None:
    """A medium made from another product's files keeps the name that its own label has in the rules."""
    medium = Medium("OL-8-5-0-BaseOS-x86_64", "LINUX")
    detection = identify(medium, files({".treeinfo": treeinfo("Red Hat Enterprise Linux", "8.5")}), debian_rules)
    assert detection.os_id == "http://oracle.com/ol/8.5"
    assert any("Red Hat Enterprise Linux" in sentence for sentence in detection.evidence)


LIVE: list[tuple[dict[str, bytes | str], bool]] = [
    ({"casper/filesystem.squashfs": ""}, True),
    ({"LIVE/FILESYSTEM.SQUASHFS;1": ""}, True),
    ({"LiveOS/squashfs.img": ""}, True),
    ({"LiveOS/squashfs.img": "", ".treeinfo": "[stage2]\nmainimage = LiveOS/squashfs.img\n"}, False),
    ({"install/vmlinuz": ""}, False),
]


@pytest.mark.parametrize(("content", "live"), LIVE)
def test_live_systems_are_told_by_their_root_file_system(
    files: MakeFiles, no_rules: Rules, content: dict[str, bytes | str], live: bool
) -> None:
    """A live system's root file system makes a medium live, unless it is the one that an installer runs from."""
    assert identify(UNLABELLED, files(content), no_rules).live is live


def test_the_boot_files_tell_the_architecture_last(files: MakeFiles, debian_rules: Rules) -> None:
    """What boots decides the architecture only where neither rule nor file names one."""
    nothing = Medium("CDROM", boot_architectures=("riscv64", "x86_64"))
    assert identify(nothing, files({}), debian_rules).architecture == "riscv64"
    told = files({".treeinfo": treeinfo("Fedora", "44", "s390x")})
    assert identify(nothing, told, debian_rules).architecture == "s390x"


def test_an_unknown_medium_is_nothing(files: MakeFiles, debian_rules: Rules) -> None:
    """A medium that nothing speaks for has no system, is neither live nor an installer, and is no error."""
    assert identify(Medium("PHOTOS"), files({"a.jpg": "", "README": "hello"}), debian_rules) == Detection()


def test_damage_is_evidence_and_no_error(debian_rules: Rules) -> None:
    """A part of the image that cannot be read is told, once, and the rest still counts."""

    class Damaged:
        """Files of which none can be read."""

        def names(self, path: str) -> list[str]:
            """Fail as the image reader does."""
            raise ImageError(f"The directory /{path} lies outside the image.")

        read = read_at = names  # type: ignore[assignment] # the same failure, whatever the arguments

    detection = identify(Medium("Fedora-S-dvd-x86_64-36", "LINUX"), _as_files(Damaged()), debian_rules)
    assert detection.short_id == "fedora36"
    assert len([sentence for sentence in detection.evidence if "lies outside the image" in sentence]) == 1


def _as_files(anything: Any) -> Files:
    """Let a stand-in pass for files."""
    files: Files = anything
    return files
