"""Every option of isobay. Each has a variable in the environment, ``ISOBAY_`` and its name in capitals."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct

from isobay.errors import SettingsError

PREFIX = "ISOBAY_"
_SECRET = frozenset(
    {"admin_key", "secret_key", "proxy", "database_url", "s3_secret_key"}
)  # may hold a password: never shown


def _default_data_dir() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "isobay"


class Settings(Struct, kw_only=True, frozen=True):
    """The options, checked. ``Settings.load()`` reads them."""

    host: Annotated[str, Meta(description="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The port to listen on; 0 takes a free one.")] = 8080
    workers: Annotated[int, Meta(ge=1, le=64, description="How many processes answer requests.")] = 1
    data_dir: Annotated[
        Path, Meta(description="Where the catalogue, the images and imported rules are kept; made if missing.")
    ] = msgspec.field(default_factory=_default_data_dir)
    database_url: Annotated[
        str, Meta(description="The catalogue's database; empty is SQLite in the data directory.")
    ] = ""
    admin_key: Annotated[
        str,
        Meta(max_length=256, description="The administrator key of the first start; empty makes a random one."),
    ] = ""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="debug logs every request, info only those that change something or fail."),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"], Meta(description="How log lines are written, to standard error.")
    ] = "text"
    max_body_bytes: Annotated[
        int, Meta(ge=1024, le=1 << 30, description="The largest request body that is read, in bytes.")
    ] = 1 << 20
    max_head_bytes: Annotated[
        int, Meta(ge=4096, le=1 << 20, description="The largest head of a request, its line and its headers, in bytes.")
    ] = 32_768
    request_seconds: Annotated[
        int,
        Meta(
            ge=1,
            le=3600,
            description="How long the head of a request may take to come, and then its body where that is no image.",
        ),
    ] = 30
    requests_per_minute_key: Annotated[
        int, Meta(ge=0, description="How many requests a minute are answered to one key; 0 is no limit.")
    ] = 0
    requests_per_minute_address: Annotated[
        int, Meta(ge=0, description="How many requests a minute are answered to one address; 0 is no limit.")
    ] = 0
    max_page_size: Annotated[int, Meta(ge=1, le=10_000, description="The largest page_size of a list.")] = 1000
    max_iso_bytes: Annotated[int, Meta(ge=1, description="The largest image that is taken, in bytes.")] = 128 << 30
    task_days: Annotated[int, Meta(ge=1, le=3650, description="How many days a task is kept after it ended.")] = 7
    environment_bytes: Annotated[
        int, Meta(ge=0, description="How many bytes of images an environment may hold; 0 is no limit.")
    ] = 0
    environment_isos: Annotated[
        int, Meta(ge=0, description="How many ISOs an environment may hold; 0 is no limit.")
    ] = 0
    environment_instances: Annotated[
        int, Meta(ge=1, le=10_000, description="How many instances an environment may have, destroyed ones too.")
    ] = 1000
    libvirt: Annotated[
        str,
        Meta(
            description="Where instances run: a libvirt URI for all zones, one for each as zone1=URI,zone2=URI, or off."
        ),
    ] = "qemu:///system"
    instance_stop_seconds: Annotated[
        int,
        Meta(ge=1, le=3600, description="How long an instance may take to stop when its power button is pressed."),
    ] = 60
    boot_proof: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            description="Whether ISOs that become ready are booted once as a proof: auto where a host for instances "
            "answers, on says so in the log where none does."
        ),
    ] = "auto"
    boot_proof_seconds: Annotated[
        int,
        Meta(
            ge=1,
            le=3600,
            description="How long an ISO that is booted as a proof may take to show something; twice where its "
            "processor is emulated.",
        ),
    ] = 60
    tasks_at_once: Annotated[
        int,
        Meta(
            ge=0,
            le=64,
            description="How many tasks a worker runs at once; with 0 `isobay serve` starts none and leaves all to "
            "`isobay worker`.",
        ),
    ] = 4
    allowed_networks: Annotated[
        str,
        Meta(description="Networks that may be fetched from though they are not public, as 10.0.0.0/8,192.168.7.20."),
    ] = ""
    trusted_proxies: Annotated[
        str,
        Meta(
            description="Proxies in front of isobay, as 127.0.0.1,10.0.0.0/8; "
            "what they say of where a caller is, is believed."
        ),
    ] = ""
    ca_file: Annotated[
        str, Meta(description="A PEM file of certificate authorities that are trusted beside the system's.")
    ] = ""
    netrc_file: Annotated[
        str, Meta(description="A netrc file with the logins of hosts that images are fetched from.")
    ] = ""
    proxy: Annotated[
        str, Meta(description="The proxy to fetch through, as http://proxy:3128 or socks5h://proxy; empty is none.")
    ] = ""
    fetch_retries: Annotated[
        int, Meta(ge=0, le=1000, description="How often in a row a fetch is tried again that brings nothing.")
    ] = 8
    fetch_retry_seconds: Annotated[
        int,
        Meta(ge=0, le=3600, description="How long to wait before the first of them; each next waits twice as long."),
    ] = 1
    fetch_stall_seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="How long a server may send nothing before the connection is cut.")
    ] = 60
    fetch_hours: Annotated[int, Meta(ge=1, le=8760, description="How long an import may take in all, in hours.")] = 24
    upload_hours: Annotated[
        int, Meta(ge=1, le=8760, description="How long an upload is kept that nobody goes on with, in hours.")
    ] = 24
    upload_stall_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="How long who uploads may send nothing before the connection is cut.")
    ] = 60
    verify_bytes_per_second: Annotated[
        int,
        Meta(ge=0, description="How many bytes of stored images a worker reads a second to verify them; 0 is none."),
    ] = 16 << 20
    verify_days: Annotated[
        int, Meta(ge=1, le=3650, description="How many days after it was verified an image is verified again.")
    ] = 30
    signing_keys: Annotated[
        str,
        Meta(
            description="A file or directory of OpenPGP certificates whose signatures of checksum files are believed."
        ),
    ] = ""
    download_hours: Annotated[
        int, Meta(ge=1, le=8760, description="How long a link to download an ISO leads to it, in hours.")
    ] = 24
    console_idle_seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="A console through which nothing goes for so long is closed.")
    ] = 1800
    public_url: Annotated[
        str,
        Meta(description="What links begin with, as https://isos.example.org; empty takes the host that was asked."),
    ] = ""
    secret_key: Annotated[
        str,
        Meta(
            max_length=256,
            description="What logins are sealed and links signed with; empty keeps a random one in the data directory.",
        ),
    ] = ""
    objects_url: Annotated[
        str,
        Meta(description="Where images lie, as s3://bucket/prefix; empty is the data directory."),
    ] = ""
    s3_endpoint: Annotated[
        str, Meta(description="The S3 server, as https://s3.example.org; empty is Amazon's for the region.")
    ] = ""
    s3_region: Annotated[str, Meta(description="The region of the bucket.")] = "us-east-1"
    s3_access_key: Annotated[
        str, Meta(description="The key's id for S3; empty takes what boto3 finds: environment, profile or role.")
    ] = ""
    s3_secret_key: Annotated[str, Meta(description="The key's secret for S3.")] = ""
    s3_redirect: Annotated[
        bool, Meta(description="Whether a download by link is sent on to S3 instead of going through isobay.")
    ] = True
    rules_url: Annotated[
        str, Meta(description="Where `isobay rules update` fetches libosinfo's database when no --url is given.")
    ] = "https://releases.pagure.org/libosinfo/"

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
        """Read the options: those given (None is not given), then the environment, then the defaults.

        Raises SettingsError that names the variable, its value and what it may be.
        """
        environ = os.environ if environ is None else environ
        hints = get_type_hints(cls, include_extras=True)
        values: dict[str, Any] = {}
        for name in cls.__struct_fields__:
            raw = given.get(name)
            if raw is None:
                raw = environ.get(PREFIX + name.upper())
            if raw is None or raw == "":
                continue
            try:
                values[name] = (
                    Path(raw).absolute() if name == "data_dir" else msgspec.convert(raw, hints[name], strict=False)
                )
            except msgspec.ValidationError as error:
                shown = "its value" if name in _SECRET else repr(str(raw))
                raise SettingsError(
                    f"{PREFIX}{name.upper()} cannot be {shown}: {error}. Change it or leave it out.", option=name
                ) from error
        return cls(**values)

    @property
    def catalog_url(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'isobay.db'}"

    @property
    def objects_dir(self) -> Path:
        """Where the images' bytes lie."""
        return self.data_dir / "objects"

    @property
    def rules_dir(self) -> Path:
        """Where imported operating system rules lie."""
        return self.data_dir / "osinfo"

    @property
    def cache_dir(self) -> Path:
        """What can be thrown away and is made again."""
        return self.data_dir / "cache"
