"""Where images are fetched from in tests: Debian's nginx, certificates, and names that lead where the test says."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from servers import leave_out

NGINX = "/usr/sbin/nginx"
ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Certificate:
    """A server's certificate and key, in one PEM file."""

    file: Path

    def context(self) -> ssl.SSLContext:
        """What a Python server wraps its connections with."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.file)
        return context


class CertificateAuthority:
    """An authority of the test's own. ``file`` is what a client must trust, in PEM."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "isobay's tests")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=10))
            .not_valid_after(now + timedelta(days=10))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = directory / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str, expired: bool = False) -> Certificate:
        """Sign a certificate for these names and addresses; 127.0.0.1 and localhost where none is given."""
        names = names or ("127.0.0.1", "localhost")
        key = ec.generate_private_key(ec.SECP256R1())
        end = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
        serial = x509.random_serial_number()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(end - timedelta(days=3))
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        file = self._directory / f"{serial:x}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Certificate(file)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        address: IPv4Address | IPv6Address = ip_address(name)
    except ValueError:
        return x509.DNSName(name)
    return x509.IPAddress(address)


@dataclass(frozen=True)
class Fetch:
    """A line of nginx's access log: ``range`` is the header's text or empty, ``sent`` the bytes of the body."""

    method: str
    uri: str
    range: str
    status: int
    sent: int


class Nginx:
    """A running nginx: ``url`` and, where it has a certificate, ``secure_url`` give the address of a path."""

    def __init__(self, port: int, secure_port: int, status: str, log: Path) -> None:
        self.port = port
        self.secure_port = secure_port
        self._status = status
        self._log = log
        self._own = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The http URL of a path."""
        return f"http://{host}:{self.port}{path}"

    def secure_url(self, path: str, host: str = "127.0.0.1") -> str:
        """The https URL of a path."""
        return f"https://{host}:{self.secure_port}{path}"

    def connections(self) -> int:
        """How many TCP connections were accepted so far."""
        lines = self._settle().splitlines()
        return int(lines[2].split()[0]) - self._own

    def fetches(self) -> list[Fetch]:
        """The requests that ended so far, in the order of their end."""
        self._settle()
        return [Fetch(**json.loads(line)) for line in self._log.read_text().splitlines()]

    def _settle(self) -> str:
        # nginx has one worker with one loop here: when it answers this, all that came before is in its log.
        self._own += 1
        return httpx.get(self._status, timeout=ANSWER_SECONDS, trust_env=False).raise_for_status().text


@contextmanager
def nginx(
    root: Path, tls: Certificate | None = None, login: tuple[str, str] | None = None, bytes_per_second: int = 0
) -> Iterator[Nginx]:
    """Serve a directory by nginx over http and, with a certificate, https: Range, ETag, Last-Modified and all."""
    if not shutil.which(NGINX):
        leave_out("nginx is not installed: install Debian's package nginx-light")
    with TemporaryDirectory(prefix="isobay-nginx-") as name, ExitStack() as stack:
        directory = Path(name)
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ports = [listener.getsockname()[1] for listener in listeners]
        if login:
            digest = b64encode(sha1(login[1].encode(), usedforsecurity=False).digest()).decode()
            (directory / "logins").write_text(f"{login[0]}:{{SHA}}{digest}\n")
        (directory / "nginx.conf").write_text(_configuration(root, directory, ports, tls, login, bytes_per_second))
        # nginx takes sockets over as it does from its own former self, so that no port is chosen and lost.
        inherited = {"NGINX": "".join(f"{listener.fileno()};" for listener in listeners)}
        process = subprocess.Popen(
            [NGINX, "-p", directory, "-c", directory / "nginx.conf", "-e", directory / "error.log"],
            env={**os.environ, **inherited},
            pass_fds=[listener.fileno() for listener in listeners],
            stderr=subprocess.DEVNULL,
        )
        for listener in listeners:
            listener.close()
        server = Nginx(ports[0], ports[1], f"http://127.0.0.1:{ports[2]}/", directory / "access.log")
        try:
            try:
                server.connections()
            except httpx.HTTPError as error:
                raise RuntimeError(f"nginx did not start: {(directory / 'error.log').read_text()}") from error
            yield server
        finally:
            process.terminate()
            process.wait(ANSWER_SECONDS)


def _configuration(
    root: Path,
    directory: Path,
    ports: list[int],
    tls: Certificate | None,
    login: tuple[str, str] | None,
    bytes_per_second: int,
) -> str:
    account = "user root;" if os.geteuid() == 0 else ""  # another account may not read pytest's directories
    pair = f"ssl_certificate {tls.file}; ssl_certificate_key {tls.file};" if tls else ""
    secure = f"listen 127.0.0.1:{ports[1]} ssl; {pair}" if tls else ""
    closed = f"auth_basic images; auth_basic_user_file {directory}/logins;" if login else ""
    temporary = " ".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
        daemon off; {account} worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;
        events {{ worker_connections 64; }}
        http {{
            {temporary}
            log_format fetches escape=json '{{"method":"$request_method","uri":"$uri","range":"$http_range",'
                '"status":$status,"sent":$body_bytes_sent}}';
            server {{
                listen 127.0.0.1:{ports[0]}; {secure}
                root {root}; limit_rate {bytes_per_second}; {closed}
                access_log {directory}/access.log fetches;
            }}
            server {{ listen 127.0.0.1:{ports[2]}; access_log off; keepalive_timeout 0; location / {{ stub_status; }} }}
        }}
    """


class Names:
    """Names that end in ``.test`` and their addresses, for child processes that are started with ``environment``.

    A library of the tests stands before the C library's getaddrinfo, which Python and pycurl's libcurl (a threaded
    resolver, no c-ares) both call, and reads the file at each look-up. libnss-wrapper does the same, but not for two
    threads at once: libcurl looks up both kinds of address together, and dies of it. Mind that libcurl remembers an
    address, for as long as DNS_CACHE_TIMEOUT says.
    """

    def __init__(self, directory: Path) -> None:
        if not shutil.which("gcc"):
            leave_out("gcc is not installed: install Debian's packages gcc and libc6-dev")
        library = directory / "names.so"
        code = Path(__file__).with_name("names.c")
        subprocess.run(["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, code, "-ldl"], check=True)
        self._file = directory / "names"
        self.environment = {"LD_PRELOAD": str(library), "TEST_NAMES": str(self._file)}
        self.lead({})

    def lead(self, names: dict[str, list[str]]) -> None:
        """Let each name lead to these addresses, in this order, from the next look-up on; no other to any."""
        new = self._file.with_suffix(".new")
        new.write_text("".join(f"{address} {name}\n" for name, all_ in names.items() for address in all_))
        new.replace(self._file)
