"""ISOs: the seed's two calls, and what changes them."""

from __future__ import annotations

from msgspec import UNSET

from isobay.access import Visit, require
from isobay.catalog import FILTER_FIELDS
from isobay.errors import InvalidFieldsError
from isobay.http.downloads import OCTETS, sent
from isobay.http.endpoint import Call, Endpoints, Reply
from isobay.http.environments import ENVIRONMENT, environment_parameters
from isobay.http.fields import given_fields, read_body, read_query
from isobay.http.lists import TEXT, ListOf
from isobay.http.tasks import started
from isobay.inspection.diagnosis import Diagnosis
from isobay.model import Iso, IsoEdit, IsoFile, NewIso, UrlToInspect
from isobay.transfer.url import problem_of

ISO_ERRORS = (400, 401, 403, 404)
MAX_FILES = 10_000

endpoints = Endpoints("isos")
_URLS = dict.fromkeys(("url", "checksumUrl", "signatureUrl"), problem_of)
_isos = ListOf(Iso, FILTER_FIELDS, cursor=True)
_path = {
    "name": "path",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "maxLength": 4096, "pattern": TEXT},
    "description": "A path inside the image; / is its root.",
}


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/isos",
    "List the environment's own and the public ISOs",
    returns=Iso,
    many=True,
    parameters=environment_parameters() + _isos.parameters(),
    errors=ISO_ERRORS,
    recalled=True,
)
def list_isos(call: Call) -> Reply:
    """The seed's first call. Without paging the whole list, written as it is read."""
    here = call.visit()
    listing = _isos.read(call)
    if listing.limit:
        return _isos.page(listing, here.engine.list_isos(here.place, listing))
    return _isos.stream(listing, here.engine.stream_isos(here.place, listing))


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/isos/{{iso_id:str}}",
    "Retrieve an ISO",
    returns=Iso,
    parameters=environment_parameters("iso_id"),
    errors=ISO_ERRORS,
    recalled=True,
)
def get_iso(call: Call) -> Reply:
    """The seed's second call."""
    here = call.visit()
    return Reply({"data": here.engine.get_iso(here.place, call.path["iso_id"])})


@endpoints.add(
    "POST",
    f"{ENVIRONMENT}/isos",
    "Import an ISO from a URL",
    returns=Iso,
    body=NewIso,
    parameters=environment_parameters(),
    errors=(*ISO_ERRORS, 409, 507),
    is_task=True,
    activity="iso.import",
)
def import_iso(call: Call) -> Reply:
    """Answers with the task that brings it, and the ISO, which is not ready yet."""
    here = call.visit("write")
    iso, task = here.engine.import_iso(here.place, read_body(call.body, NewIso, _URLS))
    _record(call, here, "iso.import", iso)
    return Reply(started(task, iso))


@endpoints.add(
    "POST",
    f"{ENVIRONMENT}/isos",
    "Ask the import doctor about a URL",
    operation="inspectUrl",
    returns=Diagnosis,
    body=NewIso,
    parameters=environment_parameters(),
    errors=(*ISO_ERRORS, 503),
    slow=True,
)
def inspect_url(call: Call) -> Reply:
    """What an import would meet; nothing is kept. Of the body only ``url`` is required."""
    here = call.visit("write")  # it makes this machine ask others
    wanted = read_body(call.body, UrlToInspect, _URLS)
    return Reply({"data": here.engine.inspect_url(here.place, wanted.url, wanted.checksum_url)})


@endpoints.add(
    "PUT",
    f"{ENVIRONMENT}/isos/{{iso_id:str}}",
    "Change an ISO's name, description, OS type, flags or visibility",
    returns=Iso,
    body=IsoEdit,
    parameters=environment_parameters("iso_id"),
    errors=(*ISO_ERRORS, 409),
    activity="iso.edit",
)
def edit_iso(call: Call) -> Reply:
    """What is left out stays as it is."""
    here = call.visit("write")
    edit = read_body(call.body, IsoEdit)
    if edit.featured is True:
        require(here.identity, "administer")
    shared_with = (
        call.services.environments.named(call.identity("write"), here.place, edit.shared_with)
        if edit.shared_with is not UNSET
        else ()
    )
    iso = here.engine.edit_iso(here.place, call.path["iso_id"], edit, shared_with)
    call.services.door.record(
        here.identity,
        "iso.edit",
        environment_id=here.place.environment_id,
        object_id=iso.id,
        name=iso.name,
        changed=given_fields(edit),
    )
    return Reply({"data": iso})


@endpoints.add(
    "POST",
    f"{ENVIRONMENT}/isos/{{iso_id:str}}",
    "Let a failed import go on from where it stopped",
    operation="retry",
    returns=Iso,
    parameters=environment_parameters("iso_id"),
    errors=(*ISO_ERRORS, 409),
    is_task=True,
    activity="iso.retry",
)
def retry_iso(call: Call) -> Reply:
    """Answers with the new task, and the ISO."""
    here = call.visit("write")
    iso, task = here.engine.retry_iso(here.place, call.path["iso_id"])
    _record(call, here, "iso.retry", iso)
    return Reply(started(task, iso))


@endpoints.add(
    "DELETE",
    f"{ENVIRONMENT}/isos/{{iso_id:str}}",
    "Delete an ISO",
    wrapped=False,
    parameters=environment_parameters("iso_id"),
    errors=ISO_ERRORS,
    activity="iso.delete",
)
def delete_iso(call: Call) -> Reply:
    """Answers with the task that deleted it."""
    here = call.visit("write")
    task = here.engine.delete_iso(here.place, here.identity, call.path["iso_id"])
    call.services.door.record(
        here.identity,
        "iso.delete",
        environment_id=here.place.environment_id,
        object_id=call.path["iso_id"],
        name=(task.result or {}).get("name", ""),
    )
    return Reply(started(task))


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/isos/{{iso_id:str}}/files",
    "List a directory inside the image",
    returns=IsoFile,
    many=True,
    parameters=(*environment_parameters("iso_id"), _path),
    errors=(*ISO_ERRORS, 409),
)
def list_iso_files(call: Call) -> Reply:
    """Read out of the image without mounting it; at most the first 10,000 entries."""
    here = call.visit()
    files = here.engine.iso_files(here.place, call.path["iso_id"], _inner_path(call), MAX_FILES)
    return Reply({"data": files, "metadata": {"recordCount": len(files)}})


@endpoints.add(
    "GET",
    f"{ENVIRONMENT}/isos/{{iso_id:str}}/files/content",
    "Fetch a file from inside the image",
    parameters=(*environment_parameters("iso_id"), {**_path, "required": True}),
    errors=(*ISO_ERRORS, 409, 412, 416, 503, 507),
    media_type=OCTETS,
    wrapped=False,
)
def get_iso_file(call: Call) -> Reply:
    """The bytes as they are in the image, or ranges of them; never shown as a page of ours."""
    path = _inner_path(call)
    here = call.visit()
    opened = here.engine.open_file(here.place, call.path["iso_id"], path)
    return sent(call, opened, opened.name)


def _record(call: Call, here: Visit, operation: str, iso: Iso) -> None:
    # The ISO's own URL, which is without credentials; the one that was sent may have some.
    call.services.door.record(
        here.identity,
        operation,
        environment_id=here.place.environment_id,
        object_id=iso.id,
        name=iso.name,
        url=iso.source_url,
    )


def _inner_path(call: Call) -> str:
    given = dict(read_query(call.query))
    if unknown := given.keys() - {"path"}:
        raise InvalidFieldsError(dict.fromkeys(sorted(unknown), "is not a parameter here; there is path"))
    path = given.get("path", "/")
    if len(path) > 4096 or "\0" in path:
        raise InvalidFieldsError({"path": "must have at most 4096 characters and no NUL"})
    return "/" + path.strip("/")
