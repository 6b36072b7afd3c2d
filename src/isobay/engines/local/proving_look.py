"""Looking at a guest while it boots, until it is known what came of that."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from isobay.errors import HypervisorError, NotFoundError, WrongStateError
from isobay.hypervisor import Hypervisor
from isobay.tasks import StoppedError, Work

if TYPE_CHECKING:  # Pillow comes with the extra libvirt, without which there is nothing to look at
    from isobay.engines.local.proving_screens import Speech

REPORT_SECONDS = 2.0
SPEECH = 4  # lines that a firmware writes when it found nothing to boot; before that it is silent, or shows a sign


class Patience(Struct, frozen=True):
    """Seconds: between two looks at a guest, without a change until it is believed that no more comes, and in all.

    The same of a firmware with nothing to boot, whose signs pass quickly, and which counts down before its last word.
    """

    look: float = 1.0
    calm: float = 8.0
    limit: float = 60.0
    glance: float = 0.1
    silence: float = 8.0
    hearing: float = 180.0

    @classmethod
    def of(cls, limit: float) -> Patience:
        """What fits a limit."""
        return cls(look=min(1.0, limit / 20), calm=min(8.0, limit / 5), limit=limit, silence=min(8.0, limit))

    def times(self, factor: float) -> Patience:
        """The same, longer, for a guest that is emulated."""
        return msgspec.structs.replace(self, calm=self.calm * factor, limit=self.limit * factor)


class Looked(Struct, frozen=True):
    """What was seen: after how many seconds, the picture if anything was shown, and else a sentence."""

    seconds: float
    picture: bytes = b""
    message: str = ""


def look_at(host: Hypervisor, work: Work, firmware: Speech, patience: Patience) -> Looked:
    """Look until the guest shows something and is calm, until it ends, or until the time is over.

    Raises HypervisorError where nothing could be seen, and what ``Work`` raises.
    """
    from isobay.engines.local.proving_screens import has_given_up, is_calm, is_shown, picture_of

    seconds, since, shown_at = 0.0, 0.0, -1.0
    before = picture = b""
    for seconds, png in _screens(host, work, patience.look, patience.limit):
        if not before or not is_calm(before, png):
            since = seconds
        if before and is_shown(png, firmware) and is_shown(before, firmware):
            shown_at = shown_at if shown_at >= 0 else seconds
            picture = png
        before = png
        if seconds - since >= patience.calm and (picture or has_given_up(png, firmware)):
            break
    if picture:
        return Looked(shown_at, picture_of(picture))
    if before and has_given_up(before, firmware):
        return Looked(seconds, message="The firmware found nothing on it that it would boot.")
    if seconds < patience.limit - 2 * patience.look:
        return Looked(seconds, message="It switched itself off, or rebooted, before it showed anything.")
    return Looked(seconds, message="It showed nothing but what the firmware says.")


def listen_to(host: Hypervisor, work: Work, patience: Patience) -> Speech:
    """How the firmware of a guest speaks that has nothing to boot. Raises HypervisorError where it is never done."""
    from isobay.engines.local.proving_screens import Speech, heard

    speech, before, since = Speech(), b"", 0.0
    for seconds, png in _screens(host, work, patience.glance, patience.hearing):
        if png != before:
            after = heard(png, speech)
            since = since if after == speech else seconds
            speech, before = after, png
        if len(speech.beginnings) >= SPEECH and seconds - since >= patience.silence:
            return speech
    raise HypervisorError(
        f"The guest's firmware did not come to its end in {patience.hearing:.0f} seconds without anything to boot. See "
        "what else the host does."
    )


def _screens(host: Hypervisor, work: Work, every: float, limit: float) -> Iterator[tuple[float, bytes]]:
    """What the guest of a task shows, now and then until it ends or the time is over, each after how many seconds."""
    began, told_at, has_seen = monotonic(), 0.0, False
    refusal: HypervisorError | None = None
    while (seconds := monotonic() - began) < limit:
        if seconds - told_at >= REPORT_SECONDS:
            told_at = seconds
            work.report(bytes_done=0, bytes_total=0)  # which tells too whether anybody still wants to know
        try:
            png = host.screen(work.task.id).png
        except (NotFoundError, WrongStateError):
            return
        except HypervisorError as error:
            refusal = error
            if host.get(work.task.id) is None:
                return
        else:
            has_seen = True
            yield seconds, png
        if work.stopping.wait(every):
            raise StoppedError
    if refusal and not has_seen:
        raise refusal
