"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BINARY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ISOS_FOUND_BY = (
    "id",
    "name",
    "description",
    "size",
    "ready",
    "bootable",
    "os_type_id",
    "os_type_name",
    "zone_id",
    "zone_name",
    "architecture_width",
    "available_publicly",
    "extractable",
    "created",
    "status",
    "architecture",
    "os_id",
    "os_version",
    "os_variant",
    "live",
    "installer",
    "volume_label",
    "visibility",
    "featured",
    "updated",
)


def upgrade() -> None:
    """Make every table with its indexes."""
    _scopes()
    _connections()
    _zones()
    _environments()
    _api_keys()
    _key_environments()
    _isos()
    _tasks()
    _activities()


def _scopes() -> None:
    op.create_table(
        "scopes",
        sa.Column("id", SEQUENCE, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )


def _connections() -> None:
    op.create_table(
        "connections",
        sa.Column("id", ID, nullable=False),
        sa.Column("service_code", BINARY, nullable=False),
        sa.Column("name", BINARY, nullable=False),
        sa.Column("type", BINARY, nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("scope_id", SEQUENCE, nullable=False),
        sa.Column("reachable", sa.Boolean(), nullable=False),
        sa.Column("last_updated", BINARY, nullable=False),
        sa.Column("created", BINARY, nullable=False),
        sa.ForeignKeyConstraint(
            ["scope_id"],
            ["scopes.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("service_code"),
    )


def _zones() -> None:
    op.create_table(
        "zones",
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("name", BINARY, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "name"),
    )


def _environments() -> None:
    op.create_table(
        "environments",
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("scope_id", SEQUENCE, nullable=False),
        sa.Column("name", BINARY, nullable=False),
        sa.Column("description", BINARY, nullable=False),
        sa.Column("membership", BINARY, nullable=False),
        sa.Column("created", BINARY, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
        ),
        sa.ForeignKeyConstraint(
            ["scope_id"],
            ["scopes.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "name"),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("verifier", sa.LargeBinary(), nullable=False),
        sa.Column("name", BINARY, nullable=False),
        sa.Column("role", BINARY, nullable=False),
        sa.Column("created", BINARY, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("fingerprint"),
    )


def _key_environments() -> None:
    op.create_table(
        "key_environments",
        sa.Column("key_id", ID, nullable=False),
        sa.Column("environment_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_id", "environment_id"),
    )
    op.create_index("ix_key_environments_environment_id", "key_environments", ["environment_id"])


def _isos() -> None:
    op.create_table(
        "isos",
        sa.Column("seq", SEQUENCE, nullable=False),
        sa.Column("scope_id", SEQUENCE, nullable=False),
        sa.Column("environment_id", ID, nullable=False),
        sa.Column("object_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", BINARY, nullable=False),
        sa.Column("description", BINARY, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("bootable", sa.Boolean(), nullable=False),
        sa.Column("os_type_id", ID, nullable=False),
        sa.Column("os_type_name", BINARY, nullable=False),
        sa.Column("zone_id", ID, nullable=False),
        sa.Column("zone_name", BINARY, nullable=False),
        sa.Column("architecture_width", sa.BigInteger(), nullable=False),
        sa.Column("available_publicly", sa.Boolean(), nullable=False),
        sa.Column("extractable", sa.Boolean(), nullable=False),
        sa.Column("created", BINARY, nullable=False),
        sa.Column("status", BINARY, nullable=False),
        sa.Column("architecture", BINARY, nullable=False),
        sa.Column("os_id", BINARY, nullable=False),
        sa.Column("os_version", BINARY, nullable=False),
        sa.Column("os_variant", BINARY, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("installer", sa.Boolean(), nullable=False),
        sa.Column("volume_label", BINARY, nullable=False),
        sa.Column("visibility", BINARY, nullable=False),
        sa.Column("featured", sa.Boolean(), nullable=False),
        sa.Column("updated", BINARY, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
        ),
        sa.ForeignKeyConstraint(
            ["scope_id"],
            ["scopes.id"],
        ),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_isos_environment_id", "isos", ["environment_id"])
    op.create_index("ix_isos_object_id", "isos", ["object_id"])
    op.create_index("ix_isos_scope_seq", "isos", ["scope_id", "seq"])
    for name in ISOS_FOUND_BY:
        op.create_index(f"ix_isos_scope_{name}", "isos", ["scope_id", name, "seq"])


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", BINARY, nullable=False),
        sa.Column("status", BINARY, nullable=False),
        sa.Column("environment_id", BINARY, nullable=False),
        sa.Column("created", BINARY, nullable=False),
        sa.Column("ended", BINARY, nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("errors", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_tasks_ended", "tasks", ["ended"])


def _activities() -> None:
    op.create_table(
        "activities",
        sa.Column("seq", SEQUENCE, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("created", BINARY, nullable=False),
        sa.Column("operation", BINARY, nullable=False),
        sa.Column("key_id", BINARY, nullable=False),
        sa.Column("key_name", BINARY, nullable=False),
        sa.Column("environment_id", BINARY, nullable=False),
        sa.Column("object_id", BINARY, nullable=False),
        sa.Column("object_name", BINARY, nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_activities_environment_seq", "activities", ["environment_id", "seq"])
