"""The only place that constructs things."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from msgspec import Struct

from isobay.access import Connections, Door, Environments, KeyRing, Records, furnish, make_zones
from isobay.catalog import Catalog, open_catalog
from isobay.engines.interface import Engine
from isobay.engines.local import (
    KIND,
    OPERATIONS,
    PROVE,
    Adder,
    Checker,
    Checkup,
    Connect,
    Hosts,
    Importer,
    Imports,
    InstanceTools,
    InstanceWorker,
    LeftDisks,
    LocalEngine,
    LocalInstances,
    Mender,
    OsTypes,
    ProofPatience,
    Prover,
    Proving,
    Quota,
    Sharing,
    Survey,
    Tending,
    Tools,
    Uploads,
    UploadTools,
    Verifying,
    Watching,
    parse_hosts,
    zones_of,
)
from isobay.errors import SettingsError
from isobay.hypervisor import Hypervisor
from isobay.hypervisor.opening import open_hypervisor
from isobay.inspection import RulesShelf
from isobay.inspection.doctor import Doctor
from isobay.objects import DiskObjects, HeldFiles, Objects
from isobay.osdetect import Rules
from isobay.settings import Settings
from isobay.tasks import Delivery, Lane, Runner, Runners, open_delivery
from isobay.transfer.fetching import Patience
from isobay.transfer.guard import AddressGuard
from isobay.transfer.network import Network
from isobay.transfer.sealing import load_seal, load_secret

if TYPE_CHECKING:  # the command line builds everything but the web application, and starts without it
    from isobay.http.paths import ASGIApp

THREADS = 4
SLOW_THREADS = 4  # what they do waits for others' servers, and costs this machine little
SLOW_WAITING = 16
STREAMS = 100
READERS = 4  # what they do waits for the disk
WRITERS = 8  # what they do waits for the disk too, and may hash a whole image
UPLOADS = 128
HOST_THREADS = 8  # what they do waits for the hosts that run guests
HOST_WAITING = 64
CONSOLES = 64
PROOFS_AT_ONCE = 1  # nobody waits for them
INSTANCES_AT_ONCE = 8  # what is done with them waits for their hosts and their systems
DOWNLOADS = 256  # each has at most two pieces of 1 MiB in memory

# Imports last for hours; what somebody does with an instance, and what nobody waits for, has its own turn.
LANES = (
    Lane("", OPERATIONS | {PROVE}, takes_rest=True),
    Lane("instances", OPERATIONS),
    Lane("proofs", frozenset({PROVE})),
)


class Isobay(Struct, frozen=True):
    """Everything, built."""

    settings: Settings
    catalog: Catalog
    objects: Objects
    rules: RulesShelf
    adder: Adder
    runner: Runners
    tending: Tending
    watching: Watching
    left_disks: LeftDisks
    proving: Proving
    verifying: Verifying
    door: Door
    environments: Environments
    connections: Connections
    keys: KeyRing
    records: Records
    first_key: str

    def damaged_isos(self) -> int:
        """How many ISOs were ready once and lost their bytes."""
        with self.catalog.reading() as tx:
            return self.catalog.checks.count_lost(tx)

    def sweep(self) -> int:
        """Settle and delete what processes that died left on the disk; how many files were deleted."""

        def is_needed(object_id: str) -> bool:
            with self.catalog.reading() as tx:
                return self.catalog.isos.needs(tx, object_id)

        Sharing(self.catalog, self.objects).settle_all()
        return self.objects.sweep(is_needed)

    def survey(self, *, hashes: bool, repairs: bool) -> Survey:
        """A pass over the whole store. See ``Survey``."""
        checker = Checker(self.catalog, self.objects)
        mender = Mender(self.catalog, self.objects, checker)
        return Survey(self.catalog, checker, mender, self.left_disks, hashes=hashes, repairs=repairs)


def build(settings: Settings, connect: Connect | None = None) -> Isobay:
    """Build everything for these settings, furnishing an empty catalogue and making the zones that lack.

    ``connect`` makes the hypervisor of a connection URI, on libvirt unless it is given.
    Raises SettingsError, StorageError or UnavailableError with what to do about it.
    """
    _make(settings.data_dir)
    zones = zones_of(parse_hosts(settings.libvirt))
    network = build_network(settings)
    seal = load_seal(settings.secret_key, settings.data_dir)
    catalog = open_catalog(settings.catalog_url, settings.task_days)
    make_zones(catalog, "local", zones)
    delivery, instance_delivery, proof_delivery = (open_delivery(catalog, settings.data_dir, lane) for lane in LANES)
    objects = _objects(settings, catalog)
    rules = RulesShelf(settings.rules_dir, settings.cache_dir)
    os_types = OsTypes(rules)
    quota = Quota(settings.environment_isos, settings.environment_bytes)
    imports = Imports(catalog, objects, os_types, delivery, seal, network.guard, quota)
    doctor = Doctor(network, rules.rules, settings.max_iso_bytes)
    sending = _sending(settings, catalog, objects, rules, os_types, quota)
    hosting = _hosting(settings, catalog, objects, connect)
    instances = LocalInstances(hosting, rules, instance_delivery)
    proving = Proving(hosting, proof_delivery, settings.boot_proof)
    engines: dict[str, Engine] = {
        "local": LocalEngine(catalog, objects, os_types, imports, Uploads(sending), quota, doctor, instances, proving)
    }
    door = Door(catalog, engines)
    importer = Importer(catalog, imports, _tools(settings, catalog, objects, rules, os_types, network, quota))
    return Isobay(
        settings=settings,
        catalog=catalog,
        objects=objects,
        rules=rules,
        adder=Adder(catalog, objects, rules, os_types, settings.max_iso_bytes),
        runner=Runners(
            Runner(catalog, delivery, {KIND: importer}, settings.tasks_at_once),
            *_hosting_runners(settings, hosting, instance_delivery, proof_delivery),
        ),
        tending=Tending(sending),
        verifying=Verifying(catalog, objects, settings.verify_bytes_per_second, settings.verify_days),
        watching=Watching(hosting, instance_delivery),
        left_disks=LeftDisks(hosting),
        proving=proving,
        door=door,
        environments=Environments(catalog, door),
        connections=Connections(catalog, door, engines, zones),
        keys=KeyRing(catalog, door),
        records=Records(catalog),
        first_key=furnish(catalog, settings.admin_key, zones),
    )


def _tools(
    settings: Settings,
    catalog: Catalog,
    objects: Objects,
    rules: RulesShelf,
    os_types: OsTypes,
    network: Network,
    quota: Quota,
) -> Tools:
    return Tools(
        objects=objects,
        catalog=catalog,
        rules=rules,
        os_types=os_types,
        network=network,
        patience=Patience(settings.fetch_retries, settings.fetch_retry_seconds, settings.fetch_hours * 3600),
        quota=quota,
        limit=settings.max_iso_bytes,
        signing_keys=settings.signing_keys,
    )


def _sending(
    settings: Settings, catalog: Catalog, objects: Objects, rules: RulesShelf, os_types: OsTypes, quota: Quota
) -> UploadTools:
    return UploadTools(
        catalog, objects, rules, os_types, quota, settings.max_iso_bytes, timedelta(hours=settings.upload_hours)
    )


def _hosting(settings: Settings, catalog: Catalog, objects: Objects, connect: Connect | None) -> InstanceTools:
    with catalog.reading() as tx:
        installation = catalog.instances.installation(tx)

    def connect_libvirt(uri: str) -> Hypervisor:
        return open_hypervisor(uri, installation, settings.data_dir)

    return InstanceTools(
        catalog=catalog,
        objects=objects,
        hosts=Hosts(parse_hosts(settings.libvirt), connect or connect_libvirt),
        most=settings.environment_instances,
        stop_seconds=settings.instance_stop_seconds,
    )


def _hosting_runners(
    settings: Settings, hosting: InstanceTools, instances: Delivery, proofs: Delivery
) -> tuple[Runner, Runner]:
    prover = Prover(hosting, settings.cache_dir, ProofPatience.of(settings.boot_proof_seconds))
    return (
        Runner(hosting.catalog, instances, InstanceWorker(hosting).handlers, INSTANCES_AT_ONCE),
        Runner(hosting.catalog, proofs, {PROVE: prover}, PROOFS_AT_ONCE),
    )


def _make(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"ISOBAY_DATA_DIR {data_dir} cannot be made: {os.strerror(error.errno or 0)}. "
            "Name a directory you can write to."
        ) from error


def _objects(settings: Settings, catalog: Catalog) -> Objects:
    if not settings.objects_url:
        return DiskObjects(settings.objects_dir)
    from isobay.objects.s3 import S3Objects  # boto3 takes longer to load than a quick command to run
    from isobay.objects.s3_place import Place

    # Who has no server for the catalogue has one machine.
    hold = catalog.holding.hold if catalog.server else HeldFiles(settings.data_dir / "held")
    with catalog.reading() as tx:
        installation = catalog.instances.installation(tx)
    return S3Objects(Place.of(settings), hold, installation)


def build_checkup(settings: Settings) -> Checkup:
    """Build what looks at this machine and its hosts. Raises SettingsError."""
    _make(settings.data_dir)
    uris = parse_hosts(settings.libvirt)

    def hosts(catalog: Catalog) -> Hosts:
        with catalog.reading() as tx:
            installation = catalog.instances.installation(tx)
        return Hosts(uris, lambda uri: open_hypervisor(uri, installation, settings.data_dir))

    rules = RulesShelf(settings.rules_dir, settings.cache_dir)
    return Checkup(settings.data_dir, rules, lambda: open_catalog(settings.catalog_url, settings.task_days), hosts)


def build_doctor(settings: Settings, rules: Callable[[], Rules]) -> Doctor:
    """Build what looks at URLs, for a command that has no catalogue. Raises SettingsError."""
    return Doctor(build_network(settings), rules, settings.max_iso_bytes)


def build_network(settings: Settings) -> Network:
    """Build the way out to other servers, as the settings say. Raises SettingsError."""
    network = Network(
        guard=AddressGuard.of(settings.allowed_networks),
        ca_file=settings.ca_file,
        netrc_file=settings.netrc_file,
        proxy=settings.proxy,
        stall_seconds=settings.fetch_stall_seconds,
    )
    network.check()
    if settings.signing_keys and not os.access(settings.signing_keys, os.R_OK):
        raise SettingsError(
            f"ISOBAY_SIGNING_KEYS names {settings.signing_keys}, which cannot be read. Check the path and its rights."
        )
    return network


def web() -> ASGIApp:
    """Build everything from the environment: what each of several server processes calls."""
    from isobay.telemetry.logs import configure  # takes as long to load as a quick command takes to run

    settings = Settings.load()
    configure(settings.log_level, settings.log_format)
    Thread(target=_end_with_parent, daemon=True).start()
    return web_application(build(settings))


def _end_with_parent() -> None:
    """End this process in good order when the one that started it is gone: orphans would hold the port."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def web_application(built: Isobay) -> ASGIApp:
    """Build the web application over what is built."""
    from isobay.http.application import application
    from isobay.http.responses import Streams
    from isobay.http.services import Services
    from isobay.http.threads import Threads
    from isobay.telemetry.metrics import Metrics
    from isobay.transfer.links import Links
    from isobay.transfer.tickets import Tickets

    secret = load_secret(built.settings.secret_key, built.settings.data_dir)

    return application(
        Services(
            settings=built.settings,
            door=built.door,
            environments=built.environments,
            connections=built.connections,
            keys=built.keys,
            records=built.records,
            metrics=Metrics(built.damaged_isos),
            threads=Threads(THREADS),
            slow_threads=Threads(SLOW_THREADS, SLOW_WAITING),
            streams=Streams(
                STREAMS,
                "streams of events",
                "Ask for the object itself now and then, or try again when others have ended.",
            ),
            readers=Threads(READERS),
            downloads=Streams(DOWNLOADS, "downloads at once", "Try again when others have ended."),
            writers=Threads(WRITERS),
            uploads=Streams(UPLOADS, "uploads at once", "Send on when others have ended."),
            links=Links(secret),
            host_threads=Threads(HOST_THREADS, HOST_WAITING),
            consoles=Streams(CONSOLES, "consoles at once", "Try again when others have ended."),
            tickets=Tickets(secret),
            is_ready=built.catalog.answers,
        )
    )
