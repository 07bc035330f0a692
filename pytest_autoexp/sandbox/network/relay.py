"""The relay's end on the host: a thread that connects a sandbox's connections to something."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.network import inside
from pytest_autoexp.sandbox.network.inside import Multiplexer, RelayBrokenError, Stream

_READY_SEC = 60.0
_END_SEC = 2.0
_PROGRAM = Path(inside.__file__).read_bytes()
_FIND_PYTHON = (
    'for p in python3 python; do command -v $p >/dev/null && exec $p -I -S -c "$0" "$@"; done;'
    ' echo "no python3 in PATH" >&2; exit 127'
)
_RUN_PROGRAM = "import sys; exec(sys.stdin.buffer.read(int(sys.argv[1])))"


class RelayStream(Stream, Protocol):
    """The standard input and output of the program inside."""

    def abort(self) -> None:
        """Break the stream, from another thread: reading comes to its end."""
        ...

    def said(self) -> str:
        """What the program wrote to its standard error."""
        ...


def command(ports: Mapping[int, Callable[[], socket.socket]]) -> list[str]:
    """The program inside, as program and arguments; its source comes over the stream.

    Args:
        ports: The ports of the sandbox's loopback that it listens on.
    """
    numbers = [str(port) for port in ports]
    return ["sh", "-c", _FIND_PYTHON, _RUN_PROGRAM, str(len(_PROGRAM)), *numbers]


class Relay:
    """Relays connections to ports of a sandbox's loopback, until the stream ends.

    Attributes:
        broken: What the program inside did against the rules; empty if nothing.
    """

    def __init__(
        self, stream: RelayStream, connects: Mapping[int, Callable[[], socket.socket]]
    ) -> None:
        """Start it; see :meth:`wait_until_ready`.

        Args:
            stream: Of the running :func:`command`.
            connects: For each port, what opens the other side of a connection to it.
        """
        self.broken = ""
        self._stream = stream
        self._ready = threading.Event()
        self._over = threading.Event()
        self._multiplexer = Multiplexer(
            stream, connects=connects, prelude=_PROGRAM, on_ready=self._ready.set
        )
        self._thread = threading.Thread(target=self._serve, name="autoexp-relay", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """False once it has ended, whatever ended it."""
        return not self._over.is_set()

    def wait_until_ready(self) -> None:
        """Return when connections can be made.

        Raises:
            InfrastructureError: If the program inside does not come up.
        """
        if self._ready.wait(_READY_SEC) and self.running:
            return
        said = self._stream.said().strip() or self.broken or "it says nothing"
        raise InfrastructureError(
            "the network's program does not run in the sandbox (it needs python3, 3.8 or later,"
            f" in the image): {said}"
        )

    def close(self) -> None:
        """End it.  The stream should have ended before; it is broken if it has not."""
        self._thread.join(_END_SEC)
        if self._thread.is_alive():
            self._stream.abort()
            self._thread.join()

    def _serve(self) -> None:
        try:
            self._multiplexer.serve()
        except RelayBrokenError as error:
            self.broken = f"the program inside broke the rules: {error}"
        except OSError:  # the stream broke, as when the sandbox is killed: that is its end
            pass
        finally:
            self._over.set()
            self._ready.set()
