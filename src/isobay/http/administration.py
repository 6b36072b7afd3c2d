"""Service connections, roles, keys and the activity log."""

from __future__ import annotations

import msgspec

from isobay.access import ROLES
from isobay.catalog import LOG_FIELDS
from isobay.http.endpoint import Call, Endpoints, Reply
from isobay.http.environments import path_parameter
from isobay.http.fields import read_body
from isobay.http.lists import DEFAULT_PAGE_SIZE, ListOf
from isobay.model import Activity, ApiKey, Connection, NewApiKey, Role
from isobay.model.requests import KeyRequest, NewConnection

endpoints = Endpoints("administration")
_connections = ListOf(Connection)
_roles = ListOf(Role)
_keys = ListOf(ApiKey)
_activity = ListOf(Activity, LOG_FIELDS, searched=(), is_log=True)


@endpoints.add(
    "GET",
    "/services/connections",
    "List the service connections",
    returns=Connection,
    many=True,
    parameters=_connections.parameters(),
    errors=(400, 401),
)
def list_connections(call: Call) -> Reply:
    """Every connection; parameters are never read back."""
    call.identity()
    return _connections.of(call, call.services.connections.all())


@endpoints.add(
    "POST",
    "/services/connections",
    "Make a service connection",
    returns=Connection,
    body=NewConnection,
    errors=(400, 401, 403, 409),
    activity="connection.create",
)
def create_connection(call: Call) -> Reply:
    """For administrators."""
    identity = call.identity("administer")
    return Reply({"data": call.services.connections.create(identity, read_body(call.body, NewConnection))})


_CONNECTION = (path_parameter("connection_id", "The id of the connection."),)


@endpoints.add(
    "GET",
    "/services/connections/{connection_id:str}",
    "Retrieve a service connection",
    returns=Connection,
    parameters=_CONNECTION,
    errors=(401, 404),
)
def get_connection(call: Call) -> Reply:
    """One connection."""
    call.identity()
    return Reply({"data": call.services.connections.get(call.path["connection_id"])})


@endpoints.add(
    "POST",
    "/services/connections/{connection_id:str}/test",
    "Ask whether the service behind a connection answers",
    returns=Connection,
    parameters=_CONNECTION,
    errors=(401, 403, 404),
)
def test_connection(call: Call) -> Reply:
    """For administrators; the answer is in ``status``."""
    call.identity("administer")
    return Reply({"data": call.services.connections.test(call.path["connection_id"])})


@endpoints.add(
    "GET",
    "/roles",
    "List the roles",
    returns=Role,
    many=True,
    parameters=_roles.parameters(),
    errors=(400, 401),
)
def list_roles(call: Call) -> Reply:
    """The four roles."""
    call.identity()
    return _roles.of(call, ROLES)


@endpoints.add(
    "GET",
    "/api_keys",
    "List the keys you may manage, and your own",
    returns=ApiKey,
    many=True,
    parameters=_keys.parameters(),
    errors=(400, 401),
)
def list_keys(call: Call) -> Reply:
    """Never with their secrets."""
    identity = call.identity()
    return _keys.of(call, call.services.keys.all(identity))


@endpoints.add(
    "POST",
    "/api_keys",
    "Make a key",
    returns=NewApiKey,
    body=KeyRequest,
    errors=(400, 401, 403, 404),
    activity="api_key.create",
)
def create_key(call: Call) -> Reply:
    """For owners and administrators. The answer is the only place where the secret is seen."""
    identity = call.identity("manage")
    return Reply({"data": call.services.keys.create(identity, read_body(call.body, KeyRequest))})


@endpoints.add(
    "DELETE",
    "/api_keys/{key_id:str}",
    "Take a key back",
    parameters=(path_parameter("key_id", "The id of the key."),),
    status=204,
    errors=(401, 403, 404, 409),
    wrapped=False,
    activity="api_key.delete",
)
def delete_key(call: Call) -> Reply:
    """For owners and administrators."""
    identity = call.identity("manage")
    call.services.keys.delete(identity, call.path["key_id"])
    return Reply(status=204)


@endpoints.add(
    "GET",
    "/activity_log",
    "Read what was changed or refused, by whom, newest first",
    returns=Activity,
    many=True,
    parameters=_activity.parameters(),
    errors=(400, 401),
)
def list_activity(call: Call) -> Reply:
    """A page at a time: the log has no end."""
    identity = call.identity()
    asked = _activity.read(call)
    listing = msgspec.structs.replace(asked, limit=asked.limit or DEFAULT_PAGE_SIZE, order="DESC")
    return _activity.page(listing, call.services.records.activity(identity, listing))
