"""What this machine can do for isobay, in sentences. What is wrong with one thing does not hide the others."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from isobay.catalog import Catalog
from isobay.engines.local.checkup_hosts import Fact, examine_host
from isobay.engines.local.instance_hosts import Hosts
from isobay.errors import IsobayError
from isobay.inspection import RulesShelf
from isobay.model import Zone

SPARE_BYTES, ROOMY_BYTES = 64 << 20, 8 << 30
OLD_DAYS = 365


class Checkup:
    """Looks at everything. ``open_catalog`` and ``hosts`` are called when it comes to them."""

    def __init__(
        self,
        data_dir: Path,
        rules: RulesShelf,
        open_catalog: Callable[[], Catalog],
        hosts: Callable[[Catalog], Hosts],
    ) -> None:
        self._data_dir = data_dir
        self._rules = rules
        self._open_catalog = open_catalog
        self._hosts = hosts

    def facts(self) -> Iterator[Fact]:
        """What there is to say, each as soon as it is known."""
        yield self._room()
        yield self._rule_version()
        try:
            catalog = self._open_catalog()
        except IsobayError as error:
            yield Fact("database", "problem", error.message)
            return
        try:
            yield Fact("database", "ok", f"{'PostgreSQL' if catalog.server else 'SQLite'} answers.")
            yield from self._instances(catalog)
        finally:
            catalog.close()

    def _room(self) -> Fact:
        free = shutil.disk_usage(self._data_dir).free
        said = f"{self._data_dir} has {free >> 20} MiB free"
        if free <= SPARE_BYTES:
            return Fact("disk", "problem", f"{said}, and nothing more is taken. Make room there.")
        if free < ROOMY_BYTES:
            return Fact("disk", "notice", f"{said}: not enough for many images and disks. Make room there.")
        return Fact("disk", "ok", f"{said}.")

    def _rule_version(self) -> Fact:
        advice = "`isobay rules update` brings newer ones."
        try:
            version = self._rules.rules().version
        except IsobayError as error:
            return Fact("rules", "problem", error.message)
        if not version:
            return Fact("rules", "notice", f"There are no rules to know systems by. Install osinfo-db, or {advice}")
        age = datetime.now(UTC) - datetime.strptime(version, "%Y%m%d").replace(tzinfo=UTC)
        if age.days > OLD_DAYS:
            return Fact("rules", "notice", f"The rules to know systems by are of {version}. {advice}")
        return Fact("rules", "ok", f"The rules to know systems by are of {version}.")

    def _instances(self, catalog: Catalog) -> Iterator[Fact]:
        hosts = self._hosts(catalog)
        named: dict[str, list[Zone]] = {}
        with catalog.reading() as tx:
            for connection in catalog.connections.all(tx):
                for zone in catalog.connections.zones(tx, connection.id):
                    named.setdefault(hosts.uri(zone), []).append(zone)
        for uri, zones in named.items():
            names = ", ".join(zone.name for zone in zones)
            if uri:
                yield Fact("instances", "ok", f"Those of {names} run on {uri}.")
                yield from examine_host(uri, hosts.of(zones[0]))
            else:
                yield Fact("instances", "ok", f"{names} has no host, as ISOBAY_LIBVIRT says: there are no instances.")
