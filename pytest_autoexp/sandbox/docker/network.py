"""The network of a container that has none: some hosts, and the model gateway.

The container stays without any network device but its own loopback.  On that, a program of
ours listens; what connects to it is relayed over the program's standard input and output (an
exec's stream) to a proxy on the host, or to the gateway.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.result import Refused
from pytest_autoexp.sandbox.capture import Capture
from pytest_autoexp.sandbox.docker.container import Container
from pytest_autoexp.sandbox.docker.exec import STDOUT, Exec
from pytest_autoexp.sandbox.docker.options import DockerSettings
from pytest_autoexp.sandbox.network.proxy import Proxy
from pytest_autoexp.sandbox.network.relay import Relay, command

PORT = 3128
"""Port of the proxy on the container's loopback."""

_URL = f"http://127.0.0.1:{PORT}"
_ERRORS_BYTES = 4096
_READ_BYTES = 64 * 1024
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Network:
    """The relay of one container, and the proxy behind it.

    Attributes:
        environment: Variables that tell commands of the proxy.
    """

    def __init__(self, container: Container, settings: DockerSettings) -> None:
        """Prepare it.

        Args:
            container: Must run before :meth:`ensure`.
            settings: What may be reached.
        """
        self.environment = _environment(settings.network) if settings.network else {}
        self._container = container
        self._proxy = Proxy(settings.network) if settings.network else None
        self._connects: dict[int, Callable[[], socket.socket]] = {}
        if self._proxy:
            self._connects[PORT] = self._proxy.connect
        if settings.gateway_port:
            address = ("127.0.0.1", settings.gateway_port)
            self._connects[settings.gateway_port] = lambda: socket.create_connection(address)
        self._process: Exec | None = None
        self._relay: Relay | None = None

    def start(self) -> None:
        """Start what comes up while the container does.

        Raises:
            InfrastructureError: If it cannot be started.
        """
        if self._proxy:
            self._proxy.start()

    def ensure(self) -> None:
        """Make sure that all of it runs; start again what ended.

        Raises:
            InfrastructureError: If it cannot.
        """
        self.start()
        if self._relay is None or not self._relay.running:
            if self._relay is not None and self._relay.broken:
                raise InfrastructureError(f"the sandbox's network broke: {self._relay.broken}")
            self._close_relay()
            self._process = self._container.start_own(command(self._connects))
            self._relay = Relay(_ExecStream(self._process), self._connects)
            self._relay.wait_until_ready()
        if self._proxy:
            self._proxy.wait_until_ready()

    def refused(self) -> tuple[Refused, ...]:
        """What was refused so far."""
        return self._proxy.refused() if self._proxy else ()

    def close(self) -> None:
        """End all of it, when the container is gone.  May be called more than once."""
        self._close_relay()
        if self._proxy:
            self._proxy.close()

    def _close_relay(self) -> None:
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        if self._process is not None:
            self._process.close()
            self._process = None


class _ExecStream:
    """Standard input and output of the program inside, as the relay takes them."""

    def __init__(self, process: Exec) -> None:
        self.reader = self.writer = process.fileno()
        self._process = process
        self._errors = Capture(_ERRORS_BYTES)

    def read(self) -> bytes | None:
        """What has come; None if nothing has, nothing (``b""``) at the end."""
        data = b""
        while frames := self._process.receive(0):  # all: more may be decrypted already
            for stream, part in frames:
                if stream == STDOUT:
                    data += part
                else:
                    self._errors.feed(part)
            if len(data) >= _READ_BYTES:
                break
        return data or (b"" if self._process.ended else None)

    def write(self, data: memoryview) -> int:
        """Write some of the bytes, and tell how many."""
        return self._process.send_now(data)

    def abort(self) -> None:
        """Break the stream, from another thread."""
        self._process.abort()

    def said(self) -> str:
        """What the command wrote to its standard error."""
        return self._errors.text()


def _environment(hosts: tuple[str, ...]) -> Mapping[str, str]:
    listed = {host.rpartition(":")[0] or host for host in hosts} | set(hosts)
    own = [name for name in _LOOPBACK if name not in listed and f"[{name}]" not in listed]
    variables = {
        "HTTP_PROXY": _URL,
        "HTTPS_PROXY": _URL,
        "ALL_PROXY": _URL,
        "NO_PROXY": ",".join(own),
    }
    return variables | {name.lower(): value for name, value in variables.items()}
