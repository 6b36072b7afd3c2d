"""Alembic's entry: runs the steps inside the transaction that the caller opened."""

from __future__ import annotations

from alembic import context

from isobay.catalog.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
