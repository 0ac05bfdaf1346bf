"""A small reverse proxy for tests: passes requests on below a prefix, by https too, and streams the answers.

Knows HTTP. Does not know what it passes on.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

DROPPED = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


@contextmanager
def proxied(
    address: str,
    prefix: str,
    *,
    strip: bool,
    told: dict[str, str] | None = None,
    tls: tuple[Path, Path] | None = None,
) -> Iterator[str]:
    """A reverse proxy in front of `address`, below `prefix`: its own address, which ends in /.

    strip: it takes the prefix away before it asks. told: headers that it adds. tls: certificate and key, where it is
    reached by https. Anything not below the prefix is 404.
    """
    at = urlsplit(address)

    class Handler(BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            if not (self.path == prefix or self.path.startswith(f"{prefix}/")):
                self.send_error(404)
                return
            length = int(self.headers.get("Content-Length") or 0)
            path = self.path[len(prefix) :] if strip and self.path != prefix else self.path
            headers = {k: v for k, v in self.headers.items() if k.lower() not in DROPPED}
            headers |= {"Host": self.headers["Host"], **(told or {})}
            upstream = http.client.HTTPConnection(str(at.hostname), at.port, timeout=120)
            upstream.request(self.command, path, self.rfile.read(length) if length else None, headers)
            answer = upstream.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in DROPPED:
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while piece := answer.read1(1 << 16):
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass  # the browser has left
            finally:
                upstream.close()

        do_GET = do_POST = do_HEAD = pass_on

        def log_message(self, format: str, *words: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = (
            128  # of 5, a page's connections overflow the queue and wait for the kernel to try again
        )

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        # Hands are shaken in the thread of the connection: one that sends nothing keeps no other waiting.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}{prefix}/"
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key, in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return folder / "cert.pem", folder / "key.pem"
