"""A small reverse proxy for tests: passes requests on below a prefix, and streams the answers.

Knows HTTP. Does not know what it passes on.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

DROPPED = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


@contextmanager
def proxied(address: str, prefix: str, *, strip: bool, told: dict[str, str] | None = None) -> Iterator[str]:
    """A reverse proxy in front of `address`, below `prefix`: its own address, which ends in /.

    strip: it takes the prefix away before it asks. told: headers that it adds. Anything not below the prefix is 404.
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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}/"
    finally:
        server.shutdown()
        server.server_close()
