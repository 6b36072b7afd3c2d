"""ISOs that are shared with some environments: the sets of environments that see something together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "share_sets",
        sa.Column("scope_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("environment_id", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"]),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("scope_id"),
        sa.UniqueConstraint("environment_id", "digest"),
    )
    op.create_table(
        "share_members",
        sa.Column("environment_id", ID, nullable=False),
        sa.Column("scope_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["scope_id"], ["share_sets.scope_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("environment_id", "scope_id"),
    )
    op.create_index("ix_share_members_scope_id", "share_members", ["scope_id"])
