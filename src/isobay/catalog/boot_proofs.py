"""Proofs that ISOs boot: which are still to be made, and the pictures of those that were."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from isobay.catalog.tables import boot_proofs, isos, tasks

NO_TASK = ""


class BootProofs:
    """The proofs. What came of one stands in its ISO's record."""

    def await_one(self, tx: Connection, iso_id: str) -> None:
        """Note that an ISO is to be booted when there is time."""
        self.begin(tx, iso_id, NO_TASK)

    def awaited(self, tx: Connection, limit: int) -> list[str]:
        """The ids of ISOs that wait and that no task works on yet, those first that came first."""
        statement = select(boot_proofs.c.iso_id).join_from(boot_proofs, isos, isos.c.id == boot_proofs.c.iso_id)
        statement = statement.where(boot_proofs.c.task_id == NO_TASK).order_by(isos.c.seq)
        return list(tx.execute(statement.limit(limit)).scalars())

    def begin(self, tx: Connection, iso_id: str, task_id: str) -> None:
        """Note which task works on it."""
        where = boot_proofs.c.iso_id == iso_id
        if not tx.execute(update(boot_proofs).where(where).values(task_id=task_id)).rowcount:
            tx.execute(insert(boot_proofs).values(iso_id=iso_id, task_id=task_id))

    def is_pending(self, tx: Connection, iso_id: str = "") -> bool:
        """Whether a task works on an ISO, or without one on any."""
        statement = select(tasks.c.id).join_from(boot_proofs, tasks, tasks.c.id == boot_proofs.c.task_id)
        statement = statement.where(tasks.c.status == "PENDING")
        if iso_id:
            statement = statement.where(boot_proofs.c.iso_id == iso_id)
        return tx.execute(statement.limit(1)).first() is not None

    def keep_picture(self, tx: Connection, iso_id: str, png: bytes) -> None:
        """Keep what an ISO showed instead of what it showed before; nothing where ``png`` is empty."""
        tx.execute(update(boot_proofs).where(boot_proofs.c.iso_id == iso_id).values(picture=png or None))

    def picture(self, tx: Connection, iso_id: str) -> bytes:
        """What an ISO showed, as PNG; empty where it showed nothing, or was not booted."""
        found = tx.execute(select(boot_proofs.c.picture).where(boot_proofs.c.iso_id == iso_id)).scalar()
        return bytes(found) if found else b""
