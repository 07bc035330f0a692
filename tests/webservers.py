"""HTTP servers on the loopback, for what a proxy may and may not reach."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answers(BaseHTTPRequestHandler):
    """Says which host was asked for; ``/big/N`` gives N bytes, a POST its body's size."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/big/"):
            body = pattern(int(self.path.removeprefix("/big/")))
        else:
            body = f"{self.server.server_port} {self.path} {self.headers['Host']}".encode()
        self._answer(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(f"{len(body)} {body == pattern(len(body))}".encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients go away in these tests


def pattern(size: int) -> bytes:
    """Bytes in which nothing can be lost or swapped unseen."""
    block = b"".join(number.to_bytes(4, "big") for number in range(64 * 1024))
    return (block * (size // len(block) + 1))[:size]


@contextmanager
def serving() -> Iterator[int]:
    """An HTTP server on the loopback; gives its port."""
    with Server(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
