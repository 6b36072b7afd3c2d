"""Several machines with one catalogue in PostgreSQL and one store in S3."""

from __future__ import annotations

from contextlib import ExitStack
from uuid import uuid4

import pytest
from pieces import PIECE, first, piece

from isobay.catalog import open_catalog
from isobay.errors import ConflictError
from isobay.objects.s3 import S3Objects
from isobay.objects.s3_place import Place
from isobay.settings import Settings


def test_who_holds_an_object_holds_it_against_other_machines(store, postgresql_server):
    """With the catalogue's database in between; a machine that dies, or loses the database, lets go."""

    object_id = str(uuid4())
    place = Place.of(Settings.load(store.options))
    with postgresql_server.database(template=postgresql_server.migrated) as url:
        here, there = open_catalog(url), open_catalog(url)
        mine, yours = S3Objects(place, here.holding.hold), S3Objects(place, there.holding.hold)
        with ExitStack() as stack:
            part = stack.enter_context(mine.resume(object_id))
            part.append(piece(0))
            part.sync()
            for objects in (mine, yours):
                with pytest.raises(ConflictError, match=object_id), objects.resume(object_id):
                    pass
            assert yours.sweep(lambda _id: False) == 0
            postgresql_server.end_sessions(url)
            with yours.resume(object_id) as other:
                other.append(piece(1))
            part.append(piece(7))
            with pytest.raises(ConflictError):
                part.publish()
            with pytest.raises(ConflictError, match="gone for a moment"):
                stack.close()
        with mine.resume(object_id) as part:
            assert part.read_at(0, part.size) == first(2 * PIECE)
        here.close()
        there.close()
