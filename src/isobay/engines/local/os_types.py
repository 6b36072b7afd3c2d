"""The OS types of this engine: the rules' operating systems, and the generic ones."""

from __future__ import annotations

from functools import lru_cache

from isobay import osdetect
from isobay.errors import NotFoundError
from isobay.inspection import Report, RulesShelf
from isobay.model import OsType
from isobay.osdetect import Rules


class OsTypes:
    """OS types by the rules in use."""

    def __init__(self, rules: RulesShelf) -> None:
        self._rules = rules

    def all(self) -> list[OsType]:
        """Every OS type, by name."""
        return list(_all(self._rules.rules()).values())

    def get(self, os_type_id: str) -> OsType | None:
        """The OS type with this id."""
        return _all(self._rules.rules()).get(os_type_id)

    def require(self, os_type_id: str) -> OsType:
        """The OS type with this id. Raises NotFoundError."""
        found = self.get(os_type_id)
        if found is None:
            raise NotFoundError(
                f"There is no OS type {os_type_id!r}; GET …/ostypes lists them.", type="ostypes", id=os_type_id
            )
        return found

    def of(self, report: Report) -> OsType:
        """The OS type of an image: its own, or the generic one of its width."""
        if report.os.id:
            return OsType(id=str(osdetect.os_type_id(report.os.id)), name=report.os.name, os_id=report.os.id)
        wanted = f"Other ({report.architecture_width}-bit)"
        return next(each for each in self.all() if each.name == wanted)


@lru_cache(2)
def _all(rules: Rules) -> dict[str, OsType]:
    types = [OsType(id=str(each.id), name=each.name, os_id=each.os_id) for each in osdetect.os_types(rules)]
    return {each.id: each for each in sorted(types, key=lambda each: each.name.lower())}
