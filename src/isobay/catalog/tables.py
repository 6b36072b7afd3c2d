"""The tables. The migrations make them; a test holds the two alike."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData()

# Keyset paging compares in SQL what it sorted in SQL, and both databases must agree: bytes, no locale.
Binary = Text().with_variant(Text(collation="C"), "postgresql")
Id = String(36).with_variant(String(36, collation="C"), "postgresql")
# SQLite numbers rows by itself only where the key is exactly INTEGER. It gives the number of a deleted
# last row out again unless told not to, and then a cursor or a remembered answer would be of another row.
Sequence = BigInteger().with_variant(Integer(), "sqlite")

# A scope is a set of ISOs that are seen together: the private ones of an environment, the public ones of
# a connection, or those that one environment shares with the same others. Its revision moves with every
# change of what is in it.
scopes = Table(
    "scopes",
    metadata,
    Column("id", Sequence, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

connections = Table(
    "connections",
    metadata,
    Column("id", Id, primary_key=True),
    Column("service_code", Binary, nullable=False, unique=True),
    Column("name", Binary, nullable=False),
    Column("type", Binary, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("scope_id", ForeignKey("scopes.id"), nullable=False),
    Column("reachable", Boolean, nullable=False),
    Column("last_updated", Binary, nullable=False),
    Column("created", Binary, nullable=False),
)

zones = Table(
    "zones",
    metadata,
    Column("id", Id, primary_key=True),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    Column("name", Binary, nullable=False),
    UniqueConstraint("connection_id", "name"),
)

environments = Table(
    "environments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    Column("scope_id", ForeignKey("scopes.id"), nullable=False),
    Column("name", Binary, nullable=False),
    Column("description", Binary, nullable=False),
    Column("membership", Binary, nullable=False),
    Column("created", Binary, nullable=False),
    Column("max_bytes", BigInteger, nullable=False, server_default="0"),
    Column("max_isos", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("connection_id", "name"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    # The first half of the secret's SHA-256 finds the row; the second half is compared in constant time.
    Column("fingerprint", LargeBinary, nullable=False, unique=True),
    Column("verifier", LargeBinary, nullable=False),
    Column("name", Binary, nullable=False),
    Column("role", Binary, nullable=False),
    Column("created", Binary, nullable=False),
    Column("expires", Binary, nullable=False, server_default=""),
)

key_environments = Table(
    "key_environments",
    metadata,
    Column("key_id", ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
    Column("environment_id", ForeignKey("environments.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_key_environments_environment_id", "environment_id"),
)

# ``record`` is the ISO as it is told, in JSON; the columns between ``seq`` and it are there to find
# and sort by, each written from the same ISO by the same function.
isos = Table(
    "isos",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("scope_id", ForeignKey("scopes.id"), nullable=False),
    Column("environment_id", ForeignKey("environments.id"), nullable=False),
    Column("object_id", Id, nullable=False),
    Column("id", Id, nullable=False, unique=True),
    Column("name", Binary, nullable=False),
    Column("description", Binary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("ready", Boolean, nullable=False),
    Column("bootable", Boolean, nullable=False),
    Column("os_type_id", Id, nullable=False),
    Column("os_type_name", Binary, nullable=False),
    Column("zone_id", Id, nullable=False),
    Column("zone_name", Binary, nullable=False),
    Column("architecture_width", BigInteger, nullable=False),
    Column("available_publicly", Boolean, nullable=False),
    Column("extractable", Boolean, nullable=False),
    Column("created", Binary, nullable=False),
    Column("status", Binary, nullable=False),
    Column("architecture", Binary, nullable=False),
    Column("os_id", Binary, nullable=False),
    Column("os_version", Binary, nullable=False),
    Column("os_variant", Binary, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("installer", Boolean, nullable=False),
    Column("volume_label", Binary, nullable=False),
    Column("visibility", Binary, nullable=False),
    Column("featured", Boolean, nullable=False),
    Column("updated", Binary, nullable=False),
    Column("record", Text, nullable=False),
    Column("sha256", Binary, nullable=False, server_default=""),
    Index("ix_isos_sha256", "sha256"),
    Index("ix_isos_environment_size", "environment_id", "size"),
    Index("ix_isos_object_id", "object_id"),
    Index("ix_isos_scope_seq", "scope_id", "seq"),
    sqlite_autoincrement=True,
)
FOUND_BY = tuple(
    str(column.name)
    for column in isos.c
    if column.name not in {"seq", "scope_id", "environment_id", "object_id", "record", "sha256"}
)
for name in FOUND_BY:
    Index(f"ix_isos_scope_{name}", isos.c.scope_id, isos.c[name], isos.c.seq)

# An ISO that failed though its hash is known was whole once. Written out, or no database finds its index by it.
was_whole = text("status = 'failed' AND sha256 <> ''")
Index("ix_isos_was_whole", isos.c.seq, sqlite_where=was_whole, postgresql_where=was_whole)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Binary, nullable=False),
    Column("status", Binary, nullable=False),
    Column("environment_id", Binary, nullable=False),
    Column("subject", Binary, nullable=False, server_default=""),
    Column("attempt", BigInteger, nullable=False, server_default="0"),
    Column("cancelled", Boolean, nullable=False, server_default=false()),
    Column("created", Binary, nullable=False),
    Column("ended", Binary, nullable=False),
    Column("progress", Float, nullable=False),
    Column("message", Text, nullable=False),
    Column("bytes_done", BigInteger, nullable=False),
    Column("bytes_total", BigInteger, nullable=False),
    Column("bytes_per_second", BigInteger, nullable=False, server_default="0"),
    Column("result", Text, nullable=False),
    Column("errors", Text, nullable=False),
    Index("ix_tasks_ended", "ended"),
    Index("ix_tasks_status_created", "status", "created"),
)

# What an import was asked for, as long as its ISO is there. The catalogue reads neither of the two texts.
imports = Table(
    "imports",
    metadata,
    Column("iso_id", ForeignKey("isos.id", ondelete="CASCADE"), primary_key=True),
    Column("request", Text, nullable=False),
    Column("version", Text, nullable=False),
)

activities = Table(
    "activities",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("id", Id, nullable=False, unique=True),
    Column("created", Binary, nullable=False),
    Column("operation", Binary, nullable=False),
    Column("key_id", Binary, nullable=False),
    Column("key_name", Binary, nullable=False),
    Column("environment_id", Binary, nullable=False),
    Column("object_id", Binary, nullable=False),
    Column("object_name", Binary, nullable=False),
    Column("details", Text, nullable=False),
    Column("address", Binary, nullable=False, server_default=""),
    Column("result", Binary, nullable=False, server_default="SUCCESS"),
    Index("ix_activities_environment_seq", "environment_id", "seq"),
    sqlite_autoincrement=True,
)

uploads = Table(
    "uploads",
    metadata,
    Column("iso_id", ForeignKey("isos.id", ondelete="CASCADE"), primary_key=True),
    Column("length", BigInteger, nullable=False),
    Column("request", Text, nullable=False),
    Column("expires", Binary, nullable=False),
    Column("whole", Boolean, nullable=False, server_default=false()),
    Index("ix_uploads_expires", "expires"),
)

# The ISOs that became ready, and are to be compared with equal ones when nobody waits for an answer.
unsettled = Table(
    "unsettled",
    metadata,
    Column("iso_id", ForeignKey("isos.id", ondelete="CASCADE"), primary_key=True),
)

share_sets = Table(
    "share_sets",
    metadata,
    Column("scope_id", ForeignKey("scopes.id"), primary_key=True),
    Column("environment_id", ForeignKey("environments.id", ondelete="CASCADE"), nullable=False),
    # SHA-256 of the members' ids in their order: an index entry has a bound, and their number has not.
    Column("digest", LargeBinary, nullable=False),
    UniqueConstraint("environment_id", "digest"),
)

share_members = Table(
    "share_members",
    metadata,
    Column("environment_id", ForeignKey("environments.id", ondelete="CASCADE"), primary_key=True),
    Column("scope_id", ForeignKey("share_sets.scope_id", ondelete="CASCADE"), primary_key=True),
    Index("ix_share_members_scope_id", "scope_id"),
)

# The one row that tells this catalogue from all others: guests on a host say whose they are.
installation = Table("installation", metadata, Column("id", Id, primary_key=True))

# ``record`` is what is wanted of an instance and what its host does not tell, in JSON. ``task_id`` is the newest
# work on it: it goes on as long as that task is pending.
instances = Table(
    "instances",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("id", Id, nullable=False, unique=True),
    Column("environment_id", ForeignKey("environments.id"), nullable=False),
    Column("zone_id", ForeignKey("zones.id"), nullable=False),
    Column("task_id", Id, nullable=False),
    Column("record", Text, nullable=False),
    Index("ix_instances_environment_seq", "environment_id", "seq"),
    sqlite_autoincrement=True,
)

# No cascade from the ISO: one that an instance uses cannot be deleted.
instance_isos = Table(
    "instance_isos",
    metadata,
    Column("instance_id", ForeignKey("instances.id", ondelete="CASCADE"), primary_key=True),
    Column("slot", BigInteger, primary_key=True),
    Column("iso_id", ForeignKey("isos.id"), nullable=False),
    Column("leaving", Boolean, nullable=False),
    Index("ix_instance_isos_iso_id", "iso_id"),
)

# The ISOs that were booted as a proof, or are to be: those without a task wait for one. ``picture`` is a PNG.
boot_proofs = Table(
    "boot_proofs",
    metadata,
    Column("iso_id", ForeignKey("isos.id", ondelete="CASCADE"), primary_key=True),
    Column("task_id", Id, nullable=False),
    Column("picture", LargeBinary),
    Index("ix_boot_proofs_task_id", "task_id"),
)

# When an object was last compared with its hash, first of all when it came, and the last sign of life of who reads it
# now. A row is there from when an ISO is ready with the object, as long as one names it.
object_checks = Table(
    "object_checks",
    metadata,
    Column("object_id", Id, primary_key=True),
    Column("checked", Binary, nullable=False),
    Column("claimed", Binary, nullable=False),
    Index("ix_object_checks_checked", "checked", "object_id"),
)
