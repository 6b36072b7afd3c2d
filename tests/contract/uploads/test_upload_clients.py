"""Other people's clients of tus: tuspy, and tus-js-client in Node, over connections that are cut."""

from __future__ import annotations

import gc
import shutil
import subprocess
from pathlib import Path

import pytest
from cutting import cutting
from sender import UPLOADS, Sender
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from processes import until
from servers import leave_out
from service import KEY

MIB = 1 << 20
CLIENT = Path(__file__).with_name("client")
ISOS = UPLOADS.replace("uploads", "isos")


@pytest.fixture(scope="session")
def large_file(large: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the large image as a file."""
    path = tmp_path_factory.mktemp("files") / "large.iso"
    path.write_bytes(large)
    return path


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Install tus-js-client; the command that uploads with it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        leave_out("Node and npm are not installed: install Debian's packages nodejs and npm")
    directory = tmp_path_factory.mktemp("javascript") / "client"
    shutil.copytree(CLIENT, directory, ignore=shutil.ignore_patterns("node_modules"))
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120)
    if done.returncode:
        leave_out(f"npm cannot install tus-js-client: {done.stderr[-500:]}")
    return [node, str(directory / "upload.js")]


def _client(address: str) -> TusClient:
    return TusClient(f"{address}{UPLOADS}", headers={"MC-Api-Key": KEY})


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # tuspy leaves what it opened to the garbage collector
@pytest.mark.parametrize("checksums", [False, True])
def test_tuspy_uploads_over_cuts(sender: Sender, large: bytes, large_file: Path, checksums: bool):
    """In chunks, with and without a checksum of each."""
    with cutting(sender.service.address, every=2 * MIB, most=4) as between, large_file.open("rb") as file:
        uploader = _client(between.address).uploader(
            file_stream=file,
            chunk_size=5 * MIB,
            metadata={"filename": "large.iso"},
            retries=20,
            retry_delay=0.1,
            upload_checksum=checksums,
        )
        for _ in range(between.most + 1):
            try:
                uploader.upload()
            except TusCommunicationError:  # it does not try again where the connection breaks
                assert until(lambda: _goes_on(uploader))
        assert between.cuts == between.most
    gc.collect()  # what tuspy leaves open is closed here, where that may be
    iso = sender.iso(uploader.url.removeprefix(between.address))
    assert (iso["status"], iso["name"]) == ("ready", "large")
    assert sender.stored(uploader.url) == large


@pytest.mark.parametrize("chunk", [0, 5 * MIB])
def test_tus_js_client_uploads_over_cuts(
    sender: Sender, large: bytes, large_file: Path, javascript: list[str], tmp_path: Path, chunk: int
):
    """In one stream, and in chunks: what Uppy and the pages of browsers use."""
    with cutting(sender.service.address, every=3 * MIB, most=3) as between:
        arguments = [large_file, between.address + UPLOADS, KEY, tmp_path / "urls.json", chunk]
        done = subprocess.run([*javascript, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert between.cuts == 3
    url = done.stdout.split()[-1]
    assert done.stdout.split()[:-1].count("retry") >= 3
    assert sender.stored(url) == large
    assert len(sender.service.get(ISOS)) == 1


def test_tus_js_client_goes_on_in_another_process(
    sender: Sender, large: bytes, large_file: Path, javascript: list[str], tmp_path: Path
):
    """It was killed in the middle, as a browser that is closed, and remembers the upload."""
    storage = tmp_path / "urls.json"
    with cutting(sender.service.address, stop_after=10 * MIB) as between:
        arguments = [large_file, between.address + UPLOADS, KEY, storage, 0]
        with subprocess.Popen([*javascript, *map(str, arguments)], stdout=subprocess.PIPE) as process:
            assert until(lambda: between.stopped)
            process.kill()
    storage.write_text(storage.read_text().replace(between.address, sender.service.address))
    arguments[1] = sender.service.address + UPLOADS
    done = subprocess.run([*javascript, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("resume\n")
    assert sender.stored(done.stdout.split()[-1]) == large
    assert len(sender.service.get(ISOS)) == 1


def _goes_on(uploader) -> bool:
    try:
        uploader.offset = uploader.get_offset()
    except TusCommunicationError:
        return False
    return True
