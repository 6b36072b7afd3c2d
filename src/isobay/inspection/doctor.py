"""The import doctor: says, before anything is imported, what importing a URL would meet."""

from __future__ import annotations

from collections.abc import Callable
from threading import BoundedSemaphore
from time import monotonic
from typing import Any, get_args

from isobay.errors import AddressError, ChecksumError, FetchError, ImageError, InvalidFieldsError, UnavailableError
from isobay.inspection.diagnosis import Diagnosis, Finding, Subject, Verdict
from isobay.inspection.doctor_checksums import beside
from isobay.inspection.doctor_image import Sight, look
from isobay.inspection.doctor_network import certificate_problem, resolved
from isobay.inspection.report import readable
from isobay.osdetect import Rules
from isobay.transfer.answers import Answer
from isobay.transfer.client import Client, HaltedError
from isobay.transfer.network import Network
from isobay.transfer.promises import fetch_small
from isobay.transfer.remote import RemoteFile
from isobay.transfer.sums_file import find_checksum
from isobay.transfer.url import SourceUrl

MAX_REQUESTS = 8
IMAGE_REQUESTS = 5
IMAGE_BYTES = 768 << 10
SECONDS = 20.0  # with the look-up of the name, half a minute: somebody waits
AT_ONCE = 2
_ORDER = {subject: number for number, subject in enumerate(get_args(Subject))}
_SUBJECTS: dict[str, Subject] = {"dns": "dns", "tls": "tls", "tls-handshake": "tls", "redirects": "redirect"}


class Doctor:
    """Examines URLs, a few at once. ``limit`` is the largest image that is taken, in bytes."""

    def __init__(self, network: Network, rules: Callable[[], Rules], limit: int) -> None:
        self._network = network
        self._rules = rules
        self._limit = limit
        self._free = BoundedSemaphore(AT_ONCE)

    def examine(
        self, url: str, *, checksum_url: str = "", room: int = -1, quota_left: int = -1, full: str = ""
    ) -> Diagnosis:
        """Look at a URL from afar: at most eight requests, about 1 MiB and half a minute. Nothing is kept.

        ``room`` and ``quota_left`` are the bytes that may still come; -1 is no bound, or none that is known.
        ``full`` is a sentence on why the environment takes no more ISOs at all, empty where it does.
        What the network does is told, never raised. Raises InvalidFieldsError for what is no URL,
        UnavailableError while others are looked at, RulesError.
        """
        source = SourceUrl.parse(url)
        sums = _checksum_url(checksum_url) if checksum_url else None
        if not self._free.acquire(blocking=False):
            raise UnavailableError(f"{AT_ONCE} URLs are being looked at already. Ask again in half a minute.")
        try:
            ends = monotonic() + SECONDS
            with Client(self._network, lambda: monotonic() > ends, MAX_REQUESTS) as client:
                examination = _Examination(client, source, sums)
                examination.addresses(self._network)
                examination.fullness(full)
                examination.answer(self._rules(), self._limit, room, -1 if full else quota_left)
                return examination.diagnosis()
        finally:
            self._free.release()


def _checksum_url(text: str) -> SourceUrl:
    try:
        return SourceUrl.parse(text)
    except InvalidFieldsError as error:
        raise InvalidFieldsError({"checksumUrl": error.context["fields"]["url"]}) from error


class _Examination:
    """One URL and what was found."""

    def __init__(self, client: Client, url: SourceUrl, sums: SourceUrl | None) -> None:
        self._client = client
        self._url = url
        self._sums = sums
        self._findings: list[Finding] = []
        self._facts: dict[str, Any] = {}
        self._answer: Answer | None = None

    def diagnosis(self) -> Diagnosis:
        """All that was found, from the name to the image."""
        return Diagnosis(
            url=self._url.shown,
            importable=all(finding.verdict != "problem" for finding in self._findings),
            findings=sorted(self._findings, key=lambda finding: _ORDER[finding.subject]),
            requests=self._client.requests,
            bytes=self._client.received,
            **self._facts,
        )

    def addresses(self, network: Network) -> None:
        """Look the name up."""
        self._facts["addresses"], found = resolved(network, self._url)
        self._findings += found

    def fullness(self, full: str) -> None:
        """Pass on why no more ISOs are taken."""
        if full:
            self._say("quota", "problem", full)

    def answer(self, rules: Rules, limit: int, room: int, quota_left: int) -> None:
        """Ask the server, as far as it answers."""
        try:
            remote = RemoteFile(self._client, self._url, IMAGE_REQUESTS, IMAGE_BYTES)
            self._answer = remote.answer
            self._head(remote.answer)
            self._size(remote.size, limit, room, quota_left)
            self._ranges(remote)
            if self._sums:
                self._named_checksum(self._sums)
            self._image(remote, rules)
            if not self._sums:
                self._checksum_beside()
        except (FetchError, AddressError, HaltedError) as error:
            self._failed(error)
        if self._answer:
            self._encryption(self._answer)

    def _say(self, subject: Subject, verdict: Verdict, message: str) -> None:
        self._findings.append(Finding(subject, verdict, message))

    def _failed(self, error: FetchError | AddressError | HaltedError) -> None:
        if self._answer is None:
            self._facts["redirects"] = [hop.url.shown for hop in self._client.hops]
        if isinstance(error, HaltedError):
            self._say(
                "server",
                "problem",
                f"{self._url.shown}: the server did not give within {SECONDS:g} seconds what a look needs. "
                "Ask again later, or use a nearer server.",
            )
        elif isinstance(error, AddressError):
            self._say("address", "problem", error.message)
        else:
            reason = error.context.get("reason")
            self._facts.setdefault("status", error.context.get("httpStatus", 0))
            subject = _SUBJECTS.get(str(reason), "server")
            if subject != "dns" or not any(
                each.subject == "dns" and each.verdict == "problem" for each in self._findings
            ):
                self._say(subject, "problem", certificate_problem(error) if reason == "tls" else error.message)

    def _head(self, answer: Answer) -> None:
        server = readable(answer.header("server"))
        software = f", {server}," if server else ""
        self._facts |= {
            "redirects": [hop.url.shown for hop in answer.hops],
            "final_url": answer.url.shown,
            "server": server,
            "status": answer.status,
            "etag": readable(answer.header("etag")),
            "modified": readable(answer.header("last-modified")),
        }
        if answer.hops:
            times = "once" if len(answer.hops) == 1 else f"{len(answer.hops)} times"
            self._say("redirect", "ok", f"{self._url.shown} redirects {times}, to {answer.url.shown}.")
        address = answer.address or "The proxy"
        self._say("address", "ok", f"isobay may connect to {address}.")
        self._say("server", "ok", f"{answer.url.host}{software} answers with HTTP {answer.status}.")

    def _size(self, size: int, limit: int, room: int, quota_left: int) -> None:
        self._facts["size"] = size
        if size < 0:
            self._say("size", "notice", "The server does not say how large the file is: only an import will tell.")
        elif size > limit:
            self._say(
                "size",
                "problem",
                f"The file has {size} bytes, and at most {limit} are taken. Raise ISOBAY_MAX_ISO_BYTES to take it.",
            )
        else:
            self._say("size", "ok", f"The file has {size} bytes.")
        self._space(size, room)
        self._quota(size, quota_left)

    def _space(self, size: int, room: int) -> None:
        # No number: from how it changes an environment could learn what others keep.
        if room < 0:
            return
        if size > room or not room:
            advice = "Whoever runs this service makes room, or sets ISOBAY_DATA_DIR to a larger disk."
            self._say("space", "problem", f"The image does not fit on the disk. {advice}")
        else:
            self._say("space", "ok", "The image fits on the disk." if size >= 0 else "The disk is not full.")

    def _quota(self, size: int, left: int) -> None:
        if left < 0:
            return
        free = f"{left} bytes are free in the environment."
        if size > left or not left:
            self._say("quota", "problem", f"The image does not fit: {free} Delete an ISO, or have its maxBytes raised.")
        else:
            self._say("quota", "ok", free)

    def _ranges(self, remote: RemoteFile) -> None:
        self._facts["ranges"] = remote.has_ranges
        if remote.has_ranges:
            self._say("range", "ok", "The server gives parts of the file (Range).")
        else:
            self._say(
                "range",
                "notice",
                "The server gives the file as a whole only (no Range): an import that is cut off begins again. "
                "Use another mirror if the line is slow.",
            )
        if remote.answer.version().condition:
            self._say("version", "ok", "The server tells one version of the file from another (ETag or date).")
        else:
            self._say(
                "version",
                "notice",
                "The server gives nothing to tell one version of the file from another (no strong ETag, no date): "
                "an import that is cut off begins again. Use another mirror if the line is slow.",
            )

    def _image(self, remote: RemoteFile, rules: Rules) -> None:
        try:
            sight = look(remote, rules)
        except ImageError as error:
            self._say("image", "problem", error.message)
            return
        self._facts["report"] = sight.report
        self._say("image", "ok" if sight.is_whole and sight.report else "notice", _sentence(sight))

    def _named_checksum(self, sums: SourceUrl) -> None:
        try:
            found = find_checksum(fetch_small(self._client, sums), self._url.file_name, sums.file_name)
        except (FetchError, AddressError, ChecksumError) as error:
            # That so many redirects came before is no fault of the file.
            verdict: Verdict = "notice" if error.context.get("reason") == "budget" else "problem"
            self._say("checksum", verdict, error.message)
        else:
            self._promise(str(found), sums, "checksumUrl names it")

    def _checksum_beside(self) -> None:
        promise = beside(self._client, self._url)
        if promise:
            self._promise(str(promise[0]), promise[1], "give its URL as checksumUrl to have the import checked by it")
        else:
            self._say(
                "checksum",
                "notice",
                "No checksum was found beside the file. If its publisher shows one elsewhere, give it as checksum.",
            )

    def _promise(self, checksum: str, source: SourceUrl, what: str) -> None:
        self._facts |= {"checksum": checksum, "checksum_source": source.shown}
        self._say("checksum", "ok", f"{source.shown} promises {checksum}; {what}.")

    def _encryption(self, answer: Answer) -> None:
        plain = next((url for url in (*(hop.url for hop in answer.hops), answer.url) if url.scheme == "http"), None)
        if plain is None:
            self._say("tls", "ok", f"The certificate of {answer.url.host} is valid, and its authority is trusted.")
        elif str(self._facts.get("checksum_source", "")).startswith("https:"):
            self._say("tls", "ok", f"{plain.shown} comes without TLS, and the checksum over TLS: changes would show.")
        else:
            self._say(
                "tls",
                "notice",
                f"{plain.shown} comes without TLS, so it can be changed on its way. Use https, or give the checksum "
                "that the publisher shows elsewhere.",
            )


def _sentence(sight: Sight) -> str:
    packed = f"The file is packed with {sight.packing}; an import unpacks it. " if sight.packing else ""
    report = sight.report
    if report is None:
        return f"{packed}What could be fetched is too little to tell what the file is: only an import will tell."
    name = report.os.name or "no operating system that the rules know"
    label = f" {report.volume_label!r}" if report.volume_label else ""
    if not sight.is_whole:
        return (
            f"{packed}The image{label} holds {name}, by what could be fetched of it. How it boots and what it holds "
            "may be more than the report says: an import will tell."
        )
    boots = f"boots by {', '.join(report.boot_modes)}" if report.boot_modes else "does not boot"
    return f"{packed}The image{label} holds {name}, and {boots}."
