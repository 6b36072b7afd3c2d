"""What was done: tasks that a caller can follow, and the activity log."""

from __future__ import annotations

from isobay.access.administration import seen_by
from isobay.catalog import Catalog
from isobay.errors import NotFoundError, WrongStateError
from isobay.model import Activity, Identity, Listing, Page, Task


class Records:
    """Tasks and the log, each seen by those who may enter its environment."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def task(self, identity: Identity, task_id: str) -> Task:
        """One task. Raises NotFoundError for one of an environment the caller may not enter, or another key's link."""
        with self._catalog.reading() as tx:
            task = self._catalog.tasks.get(tx, task_id)
        if task is None or not identity.may_enter(task.environment_id) or not _may_read(identity, task):
            raise NotFoundError.of("tasks", task_id)
        return task

    def cancel(self, identity: Identity, task_id: str) -> Task:
        """Ask whoever works on a task to stop. Raises NotFoundError as ``task`` does, WrongStateError when it ended."""
        self.task(identity, task_id)  # who may not see it must not stop it
        with self._catalog.writing() as tx:
            is_asked = self._catalog.tasks.cancel(tx, task_id)
        task = self.task(identity, task_id)
        if not is_asked:
            raise WrongStateError(
                f"The task {task_id!r} has ended with {task.status}; only one that is PENDING can be cancelled.",
                type="tasks",
                id=task_id,
                status=task.status,
            )
        return task

    def activity(self, identity: Identity, listing: Listing) -> Page[Activity]:
        """Some of the log of the environments that the caller may enter, newest first."""
        with self._catalog.reading() as tx:
            return self._catalog.activities.page(tx, seen_by(identity), listing)


def _may_read(identity: Identity, task: Task) -> bool:
    """A result that names a key is for that key alone, and for the operator, who has none."""
    return identity.key_id in ("", (task.result or {}).get("keyId", identity.key_id))
