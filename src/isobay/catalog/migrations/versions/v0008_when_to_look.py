"""What workers look for again and again is found by an index; and nobody asked for the task of an import here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")

# An object without a row was never read again, and counts from when its ISO was made, as before.
BEGIN_CHECKS = sa.text(
    "INSERT INTO object_checks (object_id, checked, claimed) SELECT object_id, min(created), '' FROM isos "
    "WHERE ready AND object_id NOT IN (SELECT object_id FROM object_checks) GROUP BY object_id"
)
END_CHECKS = sa.text("DELETE FROM object_checks WHERE object_id NOT IN (SELECT object_id FROM isos)")


# Whoever received one before may have died with its last byte.
LOOK_AT_UPLOADS = sa.text("UPDATE uploads SET whole = true")


def upgrade() -> None:
    """Note of every object when it was checked, of every upload that all may be there, and drop what nobody reads."""
    op.execute(BEGIN_CHECKS)
    op.execute(END_CHECKS)
    op.create_index("ix_object_checks_checked", "object_checks", ["checked", "object_id"])
    op.add_column("uploads", sa.Column("whole", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(LOOK_AT_UPLOADS)
    op.create_table(
        "unsettled",
        sa.Column("iso_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["iso_id"], ["isos.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("iso_id"),
    )
    op.drop_index("ix_imports_task_id", "imports")
    op.drop_column("imports", "task_id")
