"""docs/api.md lists the endpoints that there are, and the fields that an ISO has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

import msgspec
import pytest

from isobay.access import ROLES
from isobay.http.application import ENDPOINTS
from isobay.http.endpoint import Endpoint
from isobay.http.instances import NOT_HERE
from isobay.http.isos import endpoints as isos
from isobay.http.tasks import told
from isobay.inspection.diagnosis import Diagnosis
from isobay.model import Instance, Iso, NewInstance, NewIso, Task, TaskStatus

Document = Callable[[str], str]
Table = Callable[[str, str], list[list[str]]]


def test_the_endpoints_of_the_document_are_those_there_are(document: Document) -> None:
    """Every endpoint stands in the document once as a row, and nothing else does."""
    rows = re.findall(r"^\| `(GET|POST|PUT|PATCH|DELETE) (/\S*)` \|", document("docs/api.md"), re.MULTILINE)
    assert sorted(rows) == sorted(map(_call, ENDPOINTS))


def test_every_call_that_the_document_names_exists(document: Document) -> None:
    """A call named in the running text of any document is an endpoint too."""
    there = set(map(_call, ENDPOINTS))
    for path in ("README.md", "docs/api.md", "docs/errors.md", "docs/operating.md", "docs/images.md", "docs/rules.md"):
        named = set(re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s]*)`", document(path)))
        assert named <= there, path


def test_every_field_of_an_iso_is_in_the_document(table: Table) -> None:
    """The table of an ISO's fields has all of them and no other."""
    named = [name for row in table("docs/api.md", "Field") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(named) == sorted(field.encode_name for field in msgspec.structs.fields(Iso))


def test_every_field_of_an_import_is_in_the_document(table: Table) -> None:
    """The table of what an import takes has all fields and no other."""
    named = [name for row in table("docs/api.md", "Body") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(named) == sorted(field.encode_name for field in msgspec.structs.fields(NewIso))


def test_every_field_of_a_diagnosis_is_in_the_document(table: Table) -> None:
    """The table of what the import doctor answers has all fields and no other."""
    named = [name for row in table("docs/api.md", "Answer") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(named) == sorted(field.encode_name for field in msgspec.structs.fields(Diagnosis))


@pytest.mark.parametrize(("heading", "kind"), [("Field of an instance", Instance), ("Field of a new one", NewInstance)])
def test_every_field_of_an_instance_is_in_the_document(
    table: Table, heading: str, kind: type[Instance | NewInstance]
) -> None:
    """The tables of what an instance has, and of what makes one, have all fields and no other."""
    named = [name for row in table("docs/api.md", heading) for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(named) == sorted(field.encode_name for field in msgspec.structs.fields(kind))


def test_every_field_of_cloudmcs_that_is_not_here_is_in_the_document(document: Document) -> None:
    """The section says of each that it is refused."""
    section = document("docs/api.md").partition("\n### Create an instance\n")[2].partition("\n## ")[0]
    assert [name for name in sorted(NOT_HERE) if f"`{name}`" not in section] == []


def test_every_field_of_a_task_is_in_the_document(document: Document) -> None:
    """The section on tasks names all that a task tells."""
    section = document("docs/api.md").partition("\n## Tasks\n")[2].partition("\n## ")[0]
    body = told(Task(id="", kind="", status="FAILED", created=""))
    assert all(f"`{name}`" in section for name in body if name != "data")
    assert all(f"`data.{name}`" in section for name in (*body["data"], "result"))
    assert all(f"| `{status}` |" in section for status in get_args(TaskStatus))


def test_the_parameters_of_lists_are_in_the_document(table: Table) -> None:
    """Every parameter of the list of ISOs that is no field of theirs has a row."""
    listing = next(each for each in isos.all if each.function.__name__ == "list_isos")
    fields = {field.encode_name for field in msgspec.structs.fields(Iso)}
    asked = {each["name"] for each in listing.described.parameters if each["in"] == "query"} - fields
    named = {name for row in table("docs/api.md", "Parameter") for name in re.findall(r"`(\w+)`", row[0])}
    assert named == asked


def test_the_roles_are_in_the_document(document: Document) -> None:
    """Every role has a row that says what it may."""
    for role in ROLES:
        assert f"\n| {role.name} | " in document("docs/api.md")


def _call(endpoint: Endpoint) -> tuple[str, str]:
    """The endpoint as the documents write it."""
    path = re.sub(r"\{(\w+):str\}", r":\1", endpoint.path)
    return endpoint.method, f"{path}?operation={endpoint.operation}" if endpoint.operation else path
