"""Tasks that outlive a crash, and what imports were asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BINARY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")


def upgrade() -> None:
    """Give tasks what an attempt at them needs, and imports a table."""
    for column in (
        sa.Column("subject", BINARY, nullable=False, server_default=""),
        sa.Column("attempt", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("cancelled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("bytes_per_second", sa.BigInteger(), nullable=False, server_default="0"),
    ):
        op.add_column("tasks", column)
    op.create_index("ix_tasks_status_created", "tasks", ["status", "created"])
    op.create_table(
        "imports",
        sa.Column("iso_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["iso_id"], ["isos.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("iso_id"),
    )
    op.create_index("ix_imports_task_id", "imports", ["task_id"])
