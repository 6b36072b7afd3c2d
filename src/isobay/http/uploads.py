"""Uploads: tus 1.0.0 for what has to go on after a cut, and a plain PUT for curl."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

from isobay.access import Visit
from isobay.errors import InvalidFieldsError, IsobayError, MethodNotAllowedError, NotFoundError
from isobay.http import tus
from isobay.http.endpoint import REFUSALS, Call, Endpoints, Reply
from isobay.http.environments import ENVIRONMENT, environment_parameters
from isobay.http.fields import read_query, read_values
from isobay.http.paths import ROOT
from isobay.http.taking import Taken
from isobay.model import Iso, NewUpload, Upload
from isobay.model.upload import UNKNOWN

UPLOADS = f"{ENVIRONMENT}/uploads"
UPLOAD = f"{UPLOADS}/{{upload_id:str}}"
PATHS = frozenset({UPLOADS, UPLOAD})
OCTETS = "application/octet-stream"
ERRORS = (400, 401, 403, 404, 412)
TAKING = (*ERRORS, 408, 409, 413, 415, 423, 460, 503, 507)

endpoints = Endpoints("uploads")


def _header(name: str, description: str, *, required: bool = True, **schema: Any) -> dict[str, Any]:
    schema = {"type": "string", **schema}
    return {"name": name, "in": "header", "required": required, "schema": schema, "description": description}


_VERSION = _header("Tus-Resumable", "The version of the protocol.", enum=[tus.VERSION])
_OFFSET = _header("Upload-Offset", "Where the bytes belong: as many as are there.", pattern="^[0-9]{1,18}$")
_PROOF = _header("Upload-Checksum", "An algorithm, a blank, and the digest of this body in base64.", required=False)


@endpoints.add(
    "POST",
    UPLOADS,
    "Begin an upload",
    returns=Upload,
    parameters=(
        *environment_parameters(),
        _VERSION,
        _header("Upload-Length", "The size of the image in bytes.", pattern="^[1-9][0-9]{4,17}$"),
        _header("Upload-Metadata", "Keys and values in base64: what is said of the image.", required=False),
        _PROOF,
    ),
    status=201,
    errors=TAKING,
    takes=tus.OCTET_STREAM,
    activity="iso.upload",
)
def start_upload(call: Call) -> Reply:
    """tus' creation. A body, if there is one, is the beginning of the image."""
    here, headers = call.visit("write"), call.headers()
    tus.check_version(headers)
    length, proof = tus.length(headers), tus.proof(headers)
    has_body = tus.has_body(headers)
    if has_body:
        tus.check_type(headers)
        tus.check_fits(headers, 0, length)
    upload = here.engine.start_upload(here.place, tus.wanted(headers), length)
    _record(call, here, "iso.upload", upload.id, upload.name)

    def created(upload: Upload) -> Reply:
        location = f"{ROOT}/services/{'/'.join(_quoted(call))}/uploads/{upload.id}"
        return Reply({"data": upload}, status=201, headers={"Location": location, **tus.state(upload)})

    if not has_body:
        return created(upload)
    with _undoing(here, upload):
        receiving = here.engine.receive_upload(here.place, upload.id, 0, proof)
    return Reply(taken=Taken(receiving, created, refused=_refusal(call, here, upload)))


@endpoints.add(
    "GET",
    UPLOAD,
    "Ask how far an upload is",
    returns=Upload,
    parameters=(*environment_parameters("upload_id"), _VERSION),
    errors=ERRORS,
)
def get_upload(call: Call) -> Reply:
    """tus asks by HEAD. Upload-Offset tells where to go on."""
    here = call.visit("write")
    tus.check_version(call.headers())
    upload = here.engine.get_upload(here.place, call.path["upload_id"])
    return Reply({"data": upload}, headers=tus.state(upload))


@endpoints.add(
    "PATCH",
    UPLOAD,
    "Send more of an upload",
    parameters=(*environment_parameters("upload_id"), _VERSION, _OFFSET, _PROOF),
    status=204,
    errors=TAKING,
    wrapped=False,
    takes=tus.OCTET_STREAM,
)
def continue_upload(call: Call) -> Reply:
    """The last byte makes it an ISO that is ready, before this is answered."""
    here, headers = call.visit("write"), call.headers()
    tus.check_version(headers)
    tus.check_type(headers)
    offset, proof = tus.offset(headers), tus.proof(headers)
    upload = here.engine.get_upload(here.place, call.path["upload_id"])
    if upload.status == "uploading" and upload.length >= 0:
        tus.check_fits(headers, min(offset, upload.offset), upload.length)
    receiving = here.engine.receive_upload(here.place, upload.id, offset, proof)

    def answered(upload: Upload) -> Reply:
        return Reply(status=204, headers=tus.state(upload))

    return Reply(taken=Taken(receiving, answered, refused=_refusal(call, here, upload)))


@endpoints.add(
    "DELETE",
    UPLOAD,
    "Stop an upload and delete what came of it",
    parameters=(*environment_parameters("upload_id"), _VERSION),
    status=204,
    errors=(*ERRORS, 409),
    wrapped=False,
    activity="upload.delete",
)
def delete_upload(call: Call) -> Reply:
    """tus' termination. One of which all came is an ISO, and deleted as such."""
    here = call.visit("write")
    tus.check_version(call.headers())
    task = here.engine.delete_upload(here.place, here.identity, call.path["upload_id"])
    _record(call, here, "upload.delete", call.path["upload_id"], (task.result or {}).get("name", ""))
    return Reply(status=204, headers={"Tus-Resumable": tus.VERSION})


@endpoints.add(
    "POST",
    UPLOAD,
    "Do one of these where only POST gets through",
    parameters=(
        *environment_parameters("upload_id"),
        _VERSION,
        _header("X-HTTP-Method-Override", "The method that is meant.", enum=["PATCH", "DELETE", "HEAD"]),
    ),
    status=204,
    errors=(*TAKING, 405),
    wrapped=False,
    takes=tus.OCTET_STREAM,
)
def override_upload(call: Call) -> Reply:
    """Some proxies know no other method."""
    meant = {"PATCH": continue_upload, "DELETE": delete_upload, "HEAD": get_upload}
    given = call.headers().get("x-http-method-override", "").upper()
    if given not in meant:
        call.visit("write")
        raise MethodNotAllowedError(
            f"POST to an upload needs the header X-HTTP-Method-Override with one of {', '.join(meant)}."
        )
    reply = meant[given](call)
    return Reply(status=204, headers=reply.headers) if given == "HEAD" else reply


@endpoints.add(
    "PUT",
    UPLOAD,
    "Send a whole image at once",
    returns=Iso,
    parameters=(
        *environment_parameters("upload_id"),
        *(
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": said}
            for name, said in (
                ("name", "The ISO's name; without it that of the file, the last part of the path."),
                ("description", "What it is."),
                ("checksum", "What the image has to have: sha256:… or bare hex digits."),
            )
        ),
    ),
    status=201,
    errors=(400, 401, 403, 404, 408, 409, 413, 503, 507),
    takes=OCTETS,
    activity="iso.upload",
)
def put_upload(call: Call) -> Reply:
    """Answered when the ISO is ready. It comes whole or not at all: nothing is kept where the body breaks off."""
    here, headers = call.visit("write"), call.headers()
    chunked = "transfer-encoding" in headers
    if not chunked and not tus.has_body(headers):
        raise InvalidFieldsError({"body": "is empty; send the image"})
    given = dict(read_query(call.query))
    if unknown := given.keys() - {"name", "description", "checksum"}:
        raise InvalidFieldsError(dict.fromkeys(sorted(unknown), "is no parameter here"))
    wanted = read_values({"filename": call.path["upload_id"], **given}, NewUpload)
    length = UNKNOWN if chunked else int(headers["content-length"])
    upload = here.engine.start_upload(here.place, wanted, length)

    def ready(upload: Upload) -> Reply:
        _record(call, here, "iso.upload", upload.id, upload.name)
        return Reply({"data": here.engine.get_iso(here.place, upload.id)}, status=201)

    with _undoing(here, upload):
        receiving = here.engine.receive_upload(here.place, upload.id, 0)
    return Reply(taken=Taken(receiving, ready, lambda: _undo(here, upload), _refusal(call, here, upload)))


@contextmanager
def _undoing(here: Visit, upload: Upload) -> Iterator[None]:
    """Let nothing stay of a new upload that the store refuses: nobody was told its id, and its size counts."""
    try:
        yield
    except BaseException:
        _undo(here, upload)
        raise


def _undo(here: Visit, upload: Upload) -> None:
    with suppress(NotFoundError):  # what is no ISO is gone already
        here.engine.delete_upload(here.place, here.identity, upload.id)


def _refusal(call: Call, here: Visit, upload: Upload) -> Callable[[IsobayError], None]:
    """What writes into the log that an upload was refused by its bytes."""

    def refused(error: IsobayError) -> None:
        if error.status in REFUSALS:
            _record(call, here, "iso.upload", upload.id, "", str(error.code))

    return refused


def _record(call: Call, here: Visit, operation: str, upload_id: str, name: str, result: str = "SUCCESS") -> None:
    environment_id = here.place.environment_id
    call.services.door.record(
        here.identity, operation, environment_id=environment_id, object_id=upload_id, name=name, result=result
    )


def _quoted(call: Call) -> list[str]:
    return [quote(call.path[name], safe="") for name in ("service_code", "environment_name")]
