"""An issuer of tokens as a process of its own: its keys are fetched over TLS."""

import datetime as dt
import http.server
import ipaddress
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n"
# By path: what is sent at once, what is repeated without an end, and the pause in between, by
# which such a server keeps its client waiting: no test waits for it.
HOSTILE = {
    "/dripping-head": (b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05),
    "/dripping-body": (OK + b"\r\n", b" ", 0.05),
    "/dripping-chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\n \r\n",
        0.05,
    ),
    "/silent": (b"", b"", 0),
    "/huge": (OK + b"\r\n", b" " * 65_536, 0),
    "/huge-head": (OK + b"X: ", b"x" * 65_536, 0),
    "/redirect": (
        b"HTTP/1.1 302 Found\r\nLocation: /jwks.json\r\nContent-Length: 0\r\n\r\n",
        b"",
        0,
    ),
    "/unfinished": (OK + b"\r\n{", b"", 0),
    "/no-http": (b"220 ready\r\n", b"", 0),
}
ROOT = Path(__file__).parents[3]


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve `folder` until the block ends, on a free port by default.

    The certificate is the folder's cert.pem.
    """
    if not (folder / "cert.pem").exists():
        _certify(folder)
    command = [sys.executable, "-m", "tests.engine.security.issuer", str(folder), str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"https://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def _certify(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Counts the requests in the file `requests`, and logs nothing."""

    def do_GET(self) -> None:
        if self.path == "/waf.json":
            self.path = "/jwks.json"
            Path(self.directory, "agents").write_text(self.headers["User-Agent"])
            if "Python" in self.headers["User-Agent"]:
                return self.send_error(403)
        if hostile := HOSTILE.get(self.path):
            head, repeated, pause_seconds = hostile
            self.wfile.write(head)
            with suppress(OSError):  # the client has had enough
                while repeated:
                    self.wfile.write(repeated)
                    time.sleep(pause_seconds)
            return None
        return super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - its names
        with Path(self.directory, "requests").open("a") as file:
            file.write(".")


def main() -> None:
    """Serve the folder on a port, and print which."""
    folder = Path(sys.argv[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
