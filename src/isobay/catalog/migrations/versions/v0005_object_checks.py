"""When the bytes of images were last read and compared with their hash, and the way to the ISOs that lost theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BINARY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
WAS_WHOLE = sa.text("status = 'failed' AND sha256 <> ''")


def upgrade() -> None:
    """Make the table and the index."""
    op.create_table(
        "object_checks",
        sa.Column("object_id", ID, nullable=False),
        sa.Column("checked", BINARY, nullable=False),
        sa.Column("claimed", BINARY, nullable=False),
        sa.PrimaryKeyConstraint("object_id"),
    )
    op.create_index("ix_isos_was_whole", "isos", ["seq"], sqlite_where=WAS_WHOLE, postgresql_where=WAS_WHOLE)
