"""The shelf: ISOs kept, found, paged and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, update

from isobay.catalog import queries
from isobay.catalog.checks import begin_checks, end_checks
from isobay.catalog.connections import new_revision
from isobay.catalog.places import Place
from isobay.catalog.remembered import Remembered
from isobay.catalog.sharing import forget_if_empty
from isobay.catalog.tables import FOUND_BY, environments, instance_isos, isos, scopes
from isobay.errors import InvalidFieldsError, NotFoundError
from isobay.model import Iso, IsoRecord, Listing, Page, Zone

SORT_FIELDS = FOUND_BY
FILTER_FIELDS = FOUND_BY
STREAM_ROWS = 500
FEW = 10_000  # rows that are sorted in less time than they are looked for in another order
COUNTS_KEPT = 4096
ANCHORS_KEPT = 4096

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Iso).decode
_BY_ID = select(isos.c.record, isos.c.environment_id, isos.c.object_id, isos.c.scope_id).where(
    isos.c.id == bindparam("iso_id")
)


class Kept(Struct, frozen=True):
    """An ISO, the environment it belongs to, and the object that holds its bytes."""

    iso: Iso
    environment_id: str
    object_id: str


class Isos:
    """The ISOs. What is counted is remembered under the revision of the scopes it was counted in."""

    def __init__(self) -> None:
        self._counts: Remembered[int] = Remembered(COUNTS_KEPT)
        self._anchors: Remembered[queries.Anchor] = Remembered(ANCHORS_KEPT)

    def get(self, tx: Connection, place: Place, iso_id: str) -> Kept | None:
        """The ISO with this id, if it is seen from the place."""
        row = tx.execute(_BY_ID, {"iso_id": iso_id}).first()
        return _kept(row) if row and row.scope_id in place.scopes else None

    def by_id(self, tx: Connection, iso_id: str) -> Kept | None:
        """The ISO with this id, wherever it is."""
        return _kept(tx.execute(_BY_ID, {"iso_id": iso_id}).first())

    def add(self, tx: Connection, place: Place, iso: Iso, object_id: str) -> None:
        """Put a new ISO of the place's environment on the shelf."""
        scope = _scope(iso, place)
        values = {**_columns(iso), "scope_id": scope, "environment_id": place.environment_id, "object_id": object_id}
        tx.execute(insert(isos).values(values))
        if iso.ready:
            begin_checks(tx, object_id, iso.updated)
        _moved(tx, scope)

    def replace(
        self, tx: Connection, place: Place, iso: Iso, object_id: str = "", shared_scope: int | None = None
    ) -> None:
        """Write an ISO of the place's environment anew. Its bytes stay those that they were unless an object is named.

        One that is shared stays in the set that it is in, unless the scope of another is given.

        Raises NotFoundError when the ISO was deleted meanwhile.
        """
        row = tx.execute(select(isos.c.scope_id, isos.c.object_id).where(isos.c.id == iso.id)).first()
        if row is None:
            raise NotFoundError.of("isos", iso.id)
        before = row.scope_id
        scope = _scope(iso, place, shared_scope or before)
        values = {**_columns(iso), "scope_id": scope}
        if object_id:
            values["object_id"] = object_id
        tx.execute(update(isos).where(isos.c.id == iso.id).values(values))
        if object_id and iso.ready:
            begin_checks(tx, object_id, iso.updated)
        if object_id:
            end_checks(tx, row.object_id)
        _moved(tx, before, scope)
        if before not in (scope, place.private_scope, place.public_scope):
            forget_if_empty(tx, before)

    def delete(self, tx: Connection, iso_id: str) -> None:
        """Take an ISO off the shelf."""
        row = tx.execute(select(isos.c.scope_id, isos.c.visibility, isos.c.object_id).where(isos.c.id == iso_id)).one()
        tx.execute(delete(isos).where(isos.c.id == iso_id))
        end_checks(tx, row.object_id)
        _moved(tx, row.scope_id)
        if row.visibility == "shared":
            forget_if_empty(tx, row.scope_id)

    def put_into(self, tx: Connection, connection_id: str, zones: Sequence[Zone]) -> None:
        """Put all ISOs of a connection into more zones. Nobody changed them: ``updated`` stays."""
        own = set(tx.execute(select(environments.c.id).where(environments.c.connection_id == connection_id)).scalars())
        # Asked for those of the connection alone, SQLite sorts all of them for each piece.
        some = (
            select(isos.c.seq, isos.c.scope_id, isos.c.environment_id, isos.c.record)
            .where(isos.c.seq > bindparam("after"))
            .order_by(isos.c.seq)
            .limit(STREAM_ROWS)
        )
        written = update(isos).where(isos.c.seq == bindparam("of_seq"))
        after = 0
        while rows := tx.execute(some, {"after": after}).all():
            after = rows[-1].seq
            found = [row for row in rows if row.environment_id in own]
            if found:
                tx.execute(written, [{"of_seq": row.seq, **_in_more(_decode(row.record), zones)} for row in found])
                _moved(tx, *{row.scope_id for row in found})

    def needs(self, tx: Connection, object_id: str) -> bool:
        """Whether some ISO's bytes are this object."""
        return tx.execute(select(isos.c.seq).where(isos.c.object_id == object_id)).first() is not None

    def share(
        self, tx: Connection, iso_id: str, is_there: Callable[[str, int], bool], *, within: bool = False
    ) -> list[str]:
        """Let an ISO that is ready, and all others with equal bytes, wherever they are, have one object.

        Where it is to stay ``within`` its environment, the ISOs of others keep theirs.

        That is its own, which was hashed when it came: an older one may have rotted meanwhile. ``is_there`` tells
        whether an object has so many bytes. Gives the objects that nobody needs any more, to be deleted when this
        is committed. An ISO that an instance uses keeps its own: a guest has it open.
        """
        known = select(isos.c.sha256, isos.c.size, isos.c.object_id, isos.c.environment_id)
        own = tx.execute(known.where(isos.c.id == iso_id, isos.c.ready)).first()
        if own is None or not own.sha256:
            return []
        equal = [isos.c.sha256 == own.sha256, isos.c.size == own.size, isos.c.ready]
        if within:
            equal.append(isos.c.environment_id == own.environment_id)
        others = tx.execute(select(isos.c.object_id).where(*equal).order_by(isos.c.seq)).scalars()
        objects = dict.fromkeys([own.object_id, *others])
        if len(objects) == 1:
            return []
        kept = next((each for each in objects if is_there(each, own.size)), None)
        if kept is None:
            return []
        tx.execute(update(isos).where(*equal, ~_is_used(isos.c.id)).values(object_id=kept))
        left = [each for each in objects if not self.needs(tx, each)]
        for each in left:
            end_checks(tx, each)
        return left

    def doubles(self, tx: Connection, limit: int, *, within: bool = False) -> list[str]:
        """The ids of ISOs that are ready and have bytes of their own, though an older one has equal bytes.

        The older one is of the same environment where they are shared ``within`` one only.
        """
        older = isos.alias("older")
        is_older = select(older.c.seq).where(
            older.c.sha256 == isos.c.sha256,
            older.c.size == isos.c.size,
            older.c.ready,
            older.c.seq < isos.c.seq,
            older.c.object_id != isos.c.object_id,
        )
        if within:
            is_older = is_older.where(older.c.environment_id == isos.c.environment_id)
        is_double = is_older.exists()
        statement = select(isos.c.id).where(isos.c.sha256 != "", isos.c.ready, is_double, ~_is_used(isos.c.id))
        return list(tx.execute(statement.order_by(isos.c.seq).limit(limit)).scalars())

    def usage(self, tx: Connection, environment_id: str) -> tuple[int, int]:
        """How many ISOs belong to an environment, and their bytes in all."""
        statement = select(func.count(), func.coalesce(func.sum(isos.c.size), 0)).where(
            isos.c.environment_id == environment_id
        )
        count, size = tx.execute(statement).one()
        return int(count), int(size)

    def page(self, tx: Connection, place: Place, listing: Listing) -> Page[IsoRecord]:
        """One page of what is seen from the place; ``listing.limit`` must be set.

        A deep page costs what the first costs: the row before it is found by its key (``cursor``), or
        was remembered when the page before it was read, or is looked for once in the index alone.
        """
        shape = queries.Shape.of(listing, len(place.shared))
        values = {**_scopes(place), **queries.values_of(listing)}
        total = self._count(tx, place, shape, values)
        shape = _told(shape, total)
        anchor = queries.decode_cursor(listing.cursor, listing) if listing.cursor else None
        if listing.offset >= total:
            return Page([], total)
        if listing.offset:
            anchor = self._anchor(tx, place, shape, values, listing.offset)
        records, seqs = self._found(tx, shape, values, anchor, listing.limit + 1)
        if len(records) <= listing.limit:
            return Page([IsoRecord(record) for record in records], total)
        records.pop()
        last = _anchor_at(shape, records[-1], seqs[-2])
        if not listing.cursor:
            self._anchors.put(_key(place, shape, values, listing.offset + len(records)), last)
        return Page([IsoRecord(record) for record in records], total, queries.encode_cursor(last, listing))

    def stream(self, tx: Connection, place: Place, listing: Listing) -> Iterator[list[IsoRecord]]:
        """All that is seen from the place, a bounded number at a time."""
        shape = queries.Shape.of(listing, len(place.shared))
        values = {**_scopes(place), **queries.values_of(listing)}
        if shape.filters:
            shape = _told(shape, self._count(tx, place, shape, values))
        anchor = None
        while True:
            records, seqs = self._found(tx, shape, values, anchor, STREAM_ROWS)
            if records:
                yield [IsoRecord(record) for record in records]
            if len(records) < STREAM_ROWS:
                return
            anchor = _anchor_at(shape, records[-1], seqs[-1])

    def _found(
        self, tx: Connection, shape: queries.Shape, values: queries.Values, anchor: queries.Anchor | None, limit: int
    ) -> tuple[list[str], list[int]]:
        statement = queries.page_statement(shape, anchor is not None, tx.dialect.name)
        bound = {**values, "limit": limit}
        if anchor:
            bound |= {"after_key": anchor.key, "after_seq": anchor.seq}
        return queries.found(tx.execute(statement, bound).all(), tx.dialect.name)

    def _count(self, tx: Connection, place: Place, shape: queries.Shape, values: queries.Values) -> int:
        key = _key(place, shape.unsorted(), values, 0)
        total = self._counts.get(key)
        if total is None:
            total = int(tx.execute(queries.count_statement(shape.unsorted()), values).scalar_one())
            self._counts.put(key, total)
        return total

    def _anchor(
        self, tx: Connection, place: Place, shape: queries.Shape, values: queries.Values, offset: int
    ) -> queries.Anchor:
        key = _key(place, shape, values, offset)
        anchor = self._anchors.get(key)
        if anchor is None:
            row = tx.execute(queries.anchor_statement(shape, tx.dialect.name), {**values, "offset": offset - 1}).first()
            if row is None:  # rows went away since they were counted
                raise InvalidFieldsError({"page_number": "the list became shorter meanwhile; ask again"})
            anchor = queries.Anchor(row[0], row[-1])
            self._anchors.put(key, anchor)
        return anchor


def _in_more(iso: Iso, zones: Sequence[Zone]) -> dict[str, str]:
    """The columns that change: to write the others too takes ten times as long, for their indexes."""
    among = [*iso.available_in_zones, *(zone.id for zone in zones)]
    only = zones[0] if len(among) == 1 else Zone("", "")
    iso = msgspec.structs.replace(iso, available_in_zones=among, zone_id=only.id, zone_name=only.name)
    return {"zone_id": iso.zone_id, "zone_name": iso.zone_name, "record": _encode(iso).decode()}


def _is_used(iso_id: ColumnElement[str]) -> ColumnElement[bool]:
    return select(instance_isos.c.slot).where(instance_isos.c.iso_id == iso_id).exists()


def _kept(row: Row[*tuple[str, str, str, int]] | None) -> Kept | None:
    return Kept(_decode(row[0]), row[1], row[2]) if row else None


def _anchor_at(shape: queries.Shape, record: str, seq: int) -> queries.Anchor:
    return queries.Anchor(getattr(_decode(record), shape.sort_by) if shape.sort_by else seq, seq)


def _told(shape: queries.Shape, total: int) -> queries.Shape:
    return msgspec.structs.replace(shape, few=True) if shape.filters and total <= FEW else shape


def _scopes(place: Place) -> dict[str, int]:
    return dict(zip(queries.scope_names(len(place.shared)), place.scopes, strict=True))


def _key(place: Place, shape: queries.Shape, values: queries.Values, offset: int) -> object:
    return (place.revisions, shape, tuple(values.items()), offset)


def _scope(iso: Iso, place: Place, shared: int = 0) -> int:
    if iso.visibility == "shared" and shared:
        return shared
    return place.public_scope if iso.visibility == "public" else place.private_scope


def _columns(iso: Iso) -> dict[str, object]:
    found = {name: getattr(iso, name) for name in FOUND_BY}
    problems = {name: problem for name, value in found.items() if (problem := queries.problem_of(isos.c[name], value))}
    if problems:
        raise InvalidFieldsError(problems)
    record = _encode(iso)
    try:
        _decode(record)  # one row that cannot be read would break every list it is in
    except msgspec.ValidationError as error:
        raise InvalidFieldsError({"iso": str(error)}) from error
    return {"record": record.decode(), "sha256": iso.checksums.get("sha256", ""), **found}


def _moved(tx: Connection, *scope_ids: object) -> None:
    tx.execute(update(scopes).where(scopes.c.id.in_(scope_ids)).values(revision=new_revision()))
