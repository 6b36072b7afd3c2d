"""Uploads, the hash that tells equal images, keys that expire, quotas of environments, and who did what from where."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BINARY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
# The record is the ISO as it is told; what is only in it so far is read out of it once.
SHA256 = {
    "sqlite": "UPDATE isos SET sha256 = coalesce(json_extract(record, '$.checksums.sha256'), '')",
    "postgresql": "UPDATE isos SET sha256 = coalesce(record::json -> 'checksums' ->> 'sha256', '')",
}


def upgrade() -> None:
    """Add the columns and the table."""
    for table, column in (
        ("isos", sa.Column("sha256", BINARY, nullable=False, server_default="")),
        ("api_keys", sa.Column("expires", BINARY, nullable=False, server_default="")),
        ("activities", sa.Column("address", BINARY, nullable=False, server_default="")),
        ("activities", sa.Column("result", BINARY, nullable=False, server_default="SUCCESS")),
        ("environments", sa.Column("max_bytes", sa.BigInteger(), nullable=False, server_default="0")),
        ("environments", sa.Column("max_isos", sa.BigInteger(), nullable=False, server_default="0")),
    ):
        op.add_column(table, column)
    op.execute(SHA256[op.get_bind().dialect.name])
    op.create_index("ix_isos_sha256", "isos", ["sha256"])
    # What an environment holds is added up before whatever comes in: without a look at any of its rows.
    op.drop_index("ix_isos_environment_id", "isos")
    op.create_index("ix_isos_environment_size", "isos", ["environment_id", "size"])
    op.create_table(
        "uploads",
        sa.Column("iso_id", ID, nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("expires", BINARY, nullable=False),
        sa.ForeignKeyConstraint(["iso_id"], ["isos.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("iso_id"),
    )
    op.create_index("ix_uploads_expires", "uploads", ["expires"])
