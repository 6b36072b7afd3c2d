"""The page that shows the OpenAPI document to people. It fetches nothing from elsewhere."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

_METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


def api_page(document: dict[str, Any]) -> bytes:
    """Render the document as one page of HTML."""
    tags: dict[str, list[tuple[str, str, Any]]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                tags.setdefault(operation["tags"][0], []).append((path, method.upper(), operation))
    # Imported with the first page: a start without one need not wait for it.
    from jinja2 import Environment, PackageLoader

    templates = Environment(loader=PackageLoader("isobay.pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return templates.get_template("api.html").render(document=document, tags=tags.items(), named=_named).encode()


def _named(part: Any) -> Markup:
    """Links to the objects that a part of the document refers to."""
    names = dict.fromkeys(re.findall(r"#/components/schemas/(\w+)", repr(part)))
    return Markup(", ").join(Markup('<a href="#schema-{0}">{0}</a>').format(name) for name in names)
