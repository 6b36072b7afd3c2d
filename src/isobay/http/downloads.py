"""Downloads: whole images, by key or by link, and how bytes are answered with."""

from __future__ import annotations

from base64 import b64encode
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import lru_cache
from secrets import token_hex
from urllib.parse import quote

import msgspec

from isobay.clock import utc_now
from isobay.engines.opened import Opened
from isobay.errors import ForbiddenError, NotFoundError, WrongStateError
from isobay.http.endpoint import Call, Endpoints, Reply
from isobay.http.environments import ENVIRONMENT, environment_parameters, path_parameter
from isobay.http.links import with_url
from isobay.http.paths import DOWNLOADS
from isobay.http.ranges import Part, Span, Validators, content_range, is_unchanged, multipart, wanted_spans
from isobay.http.sending import Sent
from isobay.http.tasks import told
from isobay.transfer.links import no_such_link

OCTETS = "application/octet-stream"
IMAGES_KNOWN = 1024  # who fetches an image in many ranges is told the same of it each time
REDIRECT_SECONDS = 300  # in which a download has to begin; our own link is good for longer, and leads anew

endpoints = Endpoints("downloads")


@endpoints.add(
    "POST",
    f"{ENVIRONMENT}/isos/{{iso_id:str}}",
    "Make a link by which an ISO can be downloaded without a key, for a while",
    operation="generateDownloadUrl",
    activity="iso.link",
    wrapped=False,
    parameters=environment_parameters("iso_id"),
    errors=(400, 401, 403, 404, 409),
)
def generate_download_url(call: Call) -> Reply:
    """Answers with a task that has ended: its result has ``url`` and ``expires``, and only this key can read it."""
    here = call.visit()
    expires = utc_now(timedelta(hours=call.services.settings.download_hours))
    task = here.engine.link_iso(here.place, here.identity, call.path["iso_id"], expires)
    call.services.door.record(
        here.identity,
        "iso.link",
        environment_id=here.place.environment_id,
        object_id=task.subject,
        name=(task.result or {}).get("name", ""),
        expires=expires,
    )
    return Reply(told(with_url(call, task)))


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/isos/{{iso_id:str}}/content",
    "Download an ISO",
    parameters=environment_parameters("iso_id"),
    errors=(401, 403, 404, 409, 412, 416, 503, 507),
    media_type=OCTETS,
    wrapped=False,
    recalled=True,
)
def get_iso_content(call: Call) -> Reply:
    """Its bytes, or the ranges of them that are asked for. Another environment's must be extractable."""
    here = call.visit()
    opened = here.engine.open_iso(here.place, call.path["iso_id"])
    return sent(call, opened, _file_name(opened.name))


@endpoints.add(
    "GET",
    f"/{DOWNLOADS}/{{token:str}}/{{name:str}}",
    "Download an ISO by a link",
    parameters=(
        path_parameter("token", "What the link has been given."),
        path_parameter("name", "A name for the file; any is as good."),
    ),
    errors=(404, 412, 416, 503, 507),
    media_type=OCTETS,
    wrapped=False,
    redirects=True,
)
def get_download(call: Call) -> Reply:
    """Its bytes, or the ranges of them that are asked for, as long as it is there and extractable. No key is needed.

    Where images lie in S3 the answer may be a redirect to the same bytes there.
    """
    link = call.services.links.read(call.path["token"])
    try:
        there = call.services.door.follow(link.environment_id)
        opened = there.engine.open_iso(there.place, link.iso_id, by_link=True)
    except (NotFoundError, WrongStateError, ForbiddenError) as error:
        raise no_such_link() from error
    with ExitStack() as stack:
        stack.callback(opened.close)
        url = opened.link(disposition(_file_name(opened.name)), REDIRECT_SECONDS) if _may_go_elsewhere(call) else ""
        if url:
            return Reply(status=302, headers={"Location": url, "Cache-Control": "no-store"})
        stack.pop_all()
    return sent(call, opened, _file_name(opened.name))


def _may_go_elsewhere(call: Call) -> bool:
    """Whether another server would answer as we do: one that knows no tag of ours, and one range at most."""
    headers = call.headers()
    is_plain = "," not in headers.get("range", "") and not any(name.startswith("if-") for name in headers)
    return is_plain and not call.is_head


def sent(call: Call, opened: Opened, file_name: str) -> Reply:
    """Answer with what is open, as far as the request's headers ask for it; whatever happens, it is closed."""
    try:
        reply = _reply(call, opened, file_name)
    except BaseException:
        opened.close()
        raise
    if reply.sent is None:
        opened.close()
    return reply


def _reply(call: Call, opened: Opened, file_name: str) -> Reply:
    headers = call.headers()
    validators, known = _said(opened.tag, opened.modified)
    if is_unchanged(headers, validators):
        return Reply(status=304, headers={**known})
    # A range is defined for GET alone (RFC 9110, 14.2).
    spans = [] if call.is_head else wanted_spans(headers, validators, opened.size)
    body = _described(opened, file_name, spans)
    parts = [] if call.is_head else body.parts
    return Reply(
        status=206 if spans else 200,
        media_type=body.media_type,
        headers={**known, **body.headers, "Content-Length": str(body.size)},
        sent=Sent(opened, parts),
    )


@lru_cache(IMAGES_KNOWN)
def _said(tag: str, modified: str) -> tuple[Validators, dict[str, str]]:
    """What tells this version from others, and the headers that say so."""
    validators = Validators(tag, datetime.fromisoformat(modified))
    return validators, {
        "ETag": validators.etag,
        "Last-Modified": validators.last_modified,
        "Cache-Control": "private, no-cache",  # whoever keeps it must ask whether it may still be had
    }


class _Body(msgspec.Struct, frozen=True):
    parts: list[Part]
    size: int
    media_type: str
    headers: dict[str, str]


def _described(opened: Opened, file_name: str, spans: list[Span]) -> _Body:
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(file_name),
        "X-Content-Type-Options": "nosniff",
        **_digests(opened.sha256),
    }
    if len(spans) > 1:
        boundary = token_hex(16)
        parts, size = multipart(spans, opened.size, OCTETS, boundary)
        return _Body(parts, size, f"multipart/byteranges; boundary={boundary}", headers)
    span = spans[0] if spans else Span(0, opened.size)
    if spans:
        headers["Content-Range"] = content_range(span, opened.size)
    return _Body([Part(b"", span)], span.size, OCTETS, headers)


@lru_cache(IMAGES_KNOWN)
def _digests(sha256: str) -> dict[str, str]:
    """Of the whole, whichever part is sent: RFC 9530, 3, and for older clients RFC 3230, 4.3.2."""
    if not sha256:
        return {}
    digest = b64encode(bytes.fromhex(sha256)).decode()
    return {"Repr-Digest": f"sha-256=:{digest}:", "Digest": f"sha-256={digest}"}


@lru_cache(IMAGES_KNOWN)
def disposition(name: str) -> str:
    """A Content-Disposition that saves under a name, and is safe for any (RFC 6266, 4; RFC 8187, 3.2)."""
    # What leads elsewhere, or would be shown as another name than it is.
    harmless = "".join(each if each.isprintable() and each not in '/\\"' else "_" for each in name)
    harmless = harmless.lstrip(". ") or "file"
    plain = "".join(each if each.isascii() and each != "%" else "_" for each in harmless)
    extended = quote(harmless.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}"


def _file_name(name: str) -> str:
    return name if name.lower().endswith(".iso") else f"{name}.iso"
