"""Which ISOs are to be booted as a proof, and the pictures of those that were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table; what boots and is there already waits for its turn."""
    op.create_table(
        "boot_proofs",
        sa.Column("iso_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["iso_id"], ["isos.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("iso_id"),
    )
    op.create_index("ix_boot_proofs_task_id", "boot_proofs", ["task_id"])
    op.execute("INSERT INTO boot_proofs (iso_id, task_id) SELECT id, '' FROM isos WHERE ready AND bootable")
