"""Instances, the ISOs in their drives, and the id of this installation, which its guests carry."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the three tables, and the id."""
    installation = op.create_table("installation", sa.Column("id", ID, nullable=False), sa.PrimaryKeyConstraint("id"))
    op.bulk_insert(installation, [{"id": str(uuid4())}])
    op.create_table(
        "instances",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("environment_id", ID, nullable=False),
        sa.Column("zone_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"]),
        sa.ForeignKeyConstraint(["zone_id"], ["zones.id"]),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_instances_environment_seq", "instances", ["environment_id", "seq"])
    op.create_table(
        "instance_isos",
        sa.Column("instance_id", ID, nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("iso_id", ID, nullable=False),
        sa.Column("leaving", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["iso_id"], ["isos.id"]),
        sa.PrimaryKeyConstraint("instance_id", "slot"),
    )
    op.create_index("ix_instance_isos_iso_id", "instance_isos", ["iso_id"])
