"""The proxy: a process of its own, which is handed connections and refuses hosts not listed.

It never listens: the process that started it sends each connection's descriptor over a
socket that both hold, takes what was refused from there, and ends it by closing it.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import socket
import sys
import threading
import time

from proxy.common.flag import FlagParser
from proxy.core.work import start_threaded_work
from proxy.http import HttpProtocolHandler
from proxy.http.exception import HttpRequestRejected
from proxy.http.parser import HttpParser, httpParserStates
from proxy.http.proxy import HttpProxyBasePlugin

from pytest_autoexp.sandbox.network.hosts import allows, canonical

_CONTROL = 0  # standard input is the socket to the process that started this one

_MAX_HEADERS_BYTES = 256 * 1024
_MAX_REQUEST_BYTES = 8 * 1024**2  # the library takes its time with bodies, and holds them
_MAX_PARTS = 16  # unsent parts of up to 128 KiB each: then no more is read for them
_MAX_DATA_BYTES = 1024**3
_NICE = 10
_STACK_BYTES = 1024**2
_SILENT_SEC = 24 * 3600


class Gate(HttpProxyBasePlugin):
    """Refuses what is not listed, and keeps to one server per connection."""

    def before_upstream_connection(self, request: HttpParser) -> HttpParser | None:
        """Called with the first request of a connection."""
        self._check(request)
        self._server = request.host, request.port
        return request

    def handle_client_request(self, request: HttpParser) -> HttpParser | None:
        """Called with each request that is not inside a tunnel."""
        if (request.host, request.port) != self._server:
            self._check(request)
            raise _refusal(421, b"Misdirected Request", "one connection per host, please")
        if not request.is_https_tunnel:
            # Clients use a connection to a proxy for all hosts; this one leads to one of them.
            request.add_header(b"Connection", b"close")
        return request

    def handle_upstream_chunk(self, chunk: memoryview) -> memoryview | None:
        """Pass on what a server answers; the library would keep it all in memory."""
        self.client.queue(chunk)
        return None

    def resolve_dns(self, host: str, port: int) -> tuple[str | None, tuple[str, int] | None]:
        """An IPv6 address without its brackets; names go to the system's resolver."""
        name = canonical(host)
        return (name if name and ":" in name else None), None

    def _check(self, request: HttpParser) -> None:
        host = (request.host or b"").decode("utf-8", "replace")
        port = request.port or 0
        if not allows(self.flags.hosts, host, port):
            method = (request.method or b"").decode("utf-8", "replace")
            self.flags.record(host, port, method)
            raise _refusal(
                403,
                b"Forbidden",
                f"{host}:{port} is not among the hosts that ini autoexp_network lists: "
                + ", ".join(self.flags.hosts),
            )


class Handler(HttpProtocolHandler):
    """One connection; holds back what it cannot pass on, and what no request can be."""

    async def get_events(self) -> dict[int, int]:
        """What to wait for: nothing is read that nobody takes."""
        events: dict[int, int] = await super().get_events()
        upstream = getattr(self.plugin, "upstream", None)
        if upstream is not None and not upstream.closed:
            if len(self.work.buffer) > _MAX_PARTS:
                _hold(events, upstream.connection.fileno())
            if len(upstream.buffer) > _MAX_PARTS:
                _hold(events, self.work.connection.fileno())
        return events

    def handle_data(self, data: memoryview) -> bool | None:
        """Take what the client sent."""
        request = self.request
        if not request.is_complete:
            in_body = request.state >= httpParserStates.HEADERS_COMPLETE
            if request.total_size > (_MAX_REQUEST_BYTES if in_body else _MAX_HEADERS_BYTES):
                return self._refuse(413, b"Content Too Large", "the request is too large")
        over = super().handle_data(data)
        if request.state == httpParserStates.RCVING_BODY and not request.body_expected:
            return self._refuse(400, b"Bad Request", "one request at a time, please")
        return over

    def _refuse(self, status: int, reason: bytes, text: str) -> bool:
        if response := _refusal(status, reason, text).response(self.request):
            self.work.queue(response)
        return True


def _hold(events: dict[int, int], descriptor: int) -> None:
    left = events.pop(descriptor, 0) & ~selectors.EVENT_READ
    if left:
        events[descriptor] = left


def _refusal(status: int, reason: bytes, text: str) -> HttpRequestRejected:
    body = f"{text}\n".encode("utf-8", "replace")
    headers = {b"Content-Type": b"text/plain; charset=utf-8"}
    return HttpRequestRejected(status_code=status, reason=reason, headers=headers, body=body)


class _Record:
    """Tells the process that started this one what was refused."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def __call__(self, host: str, port: int, method: str) -> None:
        text = json.dumps([host[:255], port, method[:20], time.monotonic()])
        self._control.send(text.encode())


def main() -> None:
    """Serve the connections that come, until the socket that they come over is closed."""
    folder, *hosts = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_DATA, (_MAX_DATA_BYTES, _MAX_DATA_BYTES))
    threading.stack_size(_STACK_BYTES)
    os.nice(_NICE)  # an agent's requests must not slow other trials
    control = socket.socket(fileno=_CONTROL)
    flags = FlagParser.initialize(
        ["--data-dir", folder, "--cache-dir", f"{folder}/cache", "--log-level", "CRITICAL"],
        work_klass=Handler,
        plugins=[Gate],
        threaded=True,
        timeout=_SILENT_SEC,
    )
    flags.hosts = tuple(hosts)
    flags.record = _Record(control)
    control.send(b"ready")
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not data:
            os._exit(0)  # connections that are still open are nobody's any more
        start_threaded_work(flags, socket.socket(fileno=descriptors[0]), None)


if __name__ == "__main__":
    main()
