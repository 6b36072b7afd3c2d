"""What a screen says about a boot, told from screens that are drawn here; real ones are looked at where guests boot."""

from __future__ import annotations

from io import BytesIO
from random import Random

import pytest
from PIL import Image

from drawn import BLUE, FIRMWARE, SIZE, png, text
from isobay.engines.local.proving_screens import (
    MAX_PICTURE_BYTES,
    Speech,
    has_given_up,
    heard,
    is_calm,
    is_shown,
    picture_of,
)


@pytest.fixture
def firmware() -> Speech:
    """How the firmware speaks, which wrote one line after the other."""
    return heard(text(*FIRMWARE), heard(text(*FIRMWARE[:2]), Speech()))


@pytest.mark.parametrize(
    "screen",
    [
        text(),
        text(cursor=True),
        text(*FIRMWARE),
        text(*FIRMWARE[:2], cursor=True),
        text(*FIRMWARE, top=64),
        text("SeaBIOS (version 1.17)", "Booting from DVD/CD...", "Boot failed: it cannot be read (code 4)"),
        text(*FIRMWARE[:2], "FS0: one disk, its name, and where it is found", FIRMWARE[3]),
        png(Image.new("RGB", SIZE, BLUE)),
    ],
    ids=["black", "cursor", "same", "begun", "lower", "others", "listing", "uniform"],
)
def test_what_firmware_says_shows_nothing(screen: bytes, firmware: Speech):
    """The firmware's words prove nothing, wherever they stand and however they end; nor does an empty screen."""
    assert not is_shown(screen, firmware)


@pytest.mark.parametrize(
    "screen",
    [
        text(*FIRMWARE[:2], "ISOLINUX 6.04 20200816 ETCD"),
        text("GNU GRUB version 2.06", "Install", "Rescue mode", background=BLUE),
        text(*FIRMWARE[:2], *["iPXE 1.0: Open Source Network Boot Firmware"] * 8, *FIRMWARE[2:]),
        png(Image.radial_gradient("L").resize(SIZE).convert("RGB")),
    ],
    ids=["loader", "menu", "fallen back", "picture"],
)
def test_what_firmware_does_not_say_is_shown(screen: bytes, firmware: Speech):
    """A line of a loader, a menu, a picture, and what stands above the firmware's last words are shown."""
    assert is_shown(screen, firmware)


def test_the_firmwares_last_word_ends_it(firmware: Speech):
    """The firmware gives up with its last line, whatever stands above it; before that it does not."""
    assert has_given_up(text(*FIRMWARE, cursor=True), firmware)
    assert has_given_up(text("A loader that came back.", FIRMWARE[-1]), firmware)
    assert not has_given_up(text(*FIRMWARE[:2]), firmware)
    assert not has_given_up(text(), firmware)


def test_a_firmware_that_begins_all_alike_is_not_thought_done():
    """UEFI begins its lines alike: it gives up with the last of them alone, and not below its sign."""
    failed, done = "BdsDxe: failed to load Boot0001 from its place", "BdsDxe: Press any key to enter the menu."
    firmware = heard(with_sign(text(failed, done)), Speech())
    assert has_given_up(with_sign(text(failed, failed, done)), firmware)
    assert not has_given_up(with_sign(text("BdsDxe: starting Boot0001 from its place")), firmware)
    assert not has_given_up(with_sign(text()), firmware)


def test_what_stands_above_the_firmwares_sign_is_shown():
    """The sign of a firmware stays on the screen below what a loader writes there."""
    firmware = heard(with_sign(text("BdsDxe: Press any key")), Speech())
    assert is_shown(with_sign(text("BdsDxe: starting it", "Welcome to a system")), firmware)
    assert not is_shown(with_sign(text("BdsDxe: starting it")), firmware)


def with_sign(screen: bytes) -> bytes:
    """A screen with a firmware's sign at its bottom."""
    with Image.open(BytesIO(screen)) as opened:
        picture = opened.convert("RGB")
    picture.paste((255, 128, 0), (200, SIZE[1] - 60, 400, SIZE[1] - 4))
    return png(picture)


def test_clocks_and_cursors_are_calm():
    """A blinking cursor or a countdown changes nothing; another screen, or one of another size, does."""
    first = text("GNU GRUB", "starts in 5 seconds")
    assert is_calm(first, text("GNU GRUB", "starts in 4 seconds", cursor=True))
    assert not is_calm(first, text(*["The system writes what it does, line by line."] * 8))
    assert not is_calm(first, png(Image.new("RGB", (640, 480))))


def test_pictures_are_bounded():
    """A screen that does not compress is kept in at most 1 MiB; one of text as it is."""
    noise = Image.frombytes("RGB", (1280, 800), Random(1).randbytes(1280 * 800 * 3))
    kept = picture_of(png(noise))
    assert len(kept) <= MAX_PICTURE_BYTES
    with Image.open(BytesIO(kept)) as image:
        assert image.format == "PNG"
        assert image.width >= 320
    screen = text(*FIRMWARE)
    with Image.open(BytesIO(picture_of(screen))) as after, Image.open(BytesIO(screen)) as before:
        assert after.tobytes() == before.tobytes()
