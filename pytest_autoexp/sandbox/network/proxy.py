"""The proxy as its owner sees it: start it, hand it connections, ask what it refused."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.result import Refused
from pytest_autoexp.sandbox.folder import PrivateFolder

MAX_REFUSED = 1000
"""How many refused pairs of host and port are told apart; the rest is counted together."""

_REST = ("*", 0)
_START_SEC = 60.0
_MESSAGE_BYTES = 8192
_LOG = "log"
_LOG_BYTES = 4096


class Proxy:
    """The proxy of one sandbox: a process, which dies with this one however that ends."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        """Prepare it; see :meth:`start`.

        Args:
            hosts: What may be reached, as ``hosts.read_hosts`` returns it.
        """
        self._hosts = hosts
        self._since = time.monotonic()
        self._refused: dict[tuple[str, int], Refused] = {}
        self._lock = threading.RLock()  # the relay's thread asks for connections
        self._running: _Running | None = None

    def start(self) -> None:
        """Start it, unless it runs; see :meth:`wait_until_ready`.

        One that crashed is started again: whoever sent what it crashed of has nobody else to blame.

        Raises:
            InfrastructureError: If it cannot be started, or was killed: connections broke with it.
        """
        with self._lock:
            if self._running is not None:
                self._check_not_killed(self._running)
                if self._running.process.poll() is not None:
                    self.close()
            self._running = self._running or _Running.start(self._hosts)

    def wait_until_ready(self) -> None:
        """Return when connections can be made.

        Raises:
            InfrastructureError: If it does not come up; shows the end of what it said.
        """
        with self._lock:
            running = self._running
            if running is None or running.is_ready:
                return
            message = b""
            if select.select([running.control], [], [], _START_SEC)[0]:
                message = running.control.recv(_MESSAGE_BYTES)
            if not message:
                said = running.said()
                self.close()
                raise InfrastructureError(
                    f"the proxy for ini autoexp_network = {','.join(self._hosts)} does not start:"
                    f" {said}"
                )
            running.is_ready = True

    def connect(self) -> socket.socket:
        """A new connection to the proxy, which is started again if it crashed.

        Raises:
            OSError: If it does not run.
        """
        with self._lock:
            if self._running is None:
                raise ConnectionRefusedError
            try:
                self.start()
                self.wait_until_ready()
            except InfrastructureError as error:
                raise ConnectionRefusedError from error
            self._take_refused(self._running)
            near, far = socket.socketpair()
            with far:
                try:
                    # Never wait: the caller serves other connections, too.
                    control, flags = self._running.control, socket.MSG_DONTWAIT
                    socket.send_fds(control, [b"1"], [far.fileno()], flags)
                except OSError:
                    near.close()
                    raise
            return near

    def refused(self) -> tuple[Refused, ...]:
        """What was refused so far, by host and port in the order of the first time.

        Raises:
            InfrastructureError: If it was killed: who asked for something may not have got it.
        """
        with self._lock:
            if self._running is not None:
                self._take_refused(self._running)
                self._check_not_killed(self._running)
            return tuple(self._refused.values())

    def close(self) -> None:
        """End it; :meth:`refused` still tells.  May be called more than once."""
        with self._lock:
            if self._running is not None:
                self._take_refused(self._running)
                self._running.close()
                self._running = None

    def _check_not_killed(self, running: _Running) -> None:
        if running.is_ready and running.process.poll() == -signal.SIGKILL:
            raise InfrastructureError(
                f"the proxy for ini autoexp_network = {','.join(self._hosts)} was killed while it"
                f" was in use: {running.said()}"
            )

    def _take_refused(self, running: _Running) -> None:
        with suppress(OSError):  # nothing more is there, or the process died
            while running.is_ready and (
                message := running.control.recv(_MESSAGE_BYTES, socket.MSG_DONTWAIT)
            ):
                host, port, method, at = json.loads(message)
                self._count(host, port, method, at - self._since)

    def _count(self, host: str, port: int, method: str, at_sec: float) -> None:
        known = self._refused.get((host, port))
        if known is None and len(self._refused) >= MAX_REFUSED:
            host, port = _REST
            method = "*"
            known = self._refused.get(_REST)
        if known is None:
            known = Refused(host, port, method, count=0, first_sec=round(at_sec, 3))
        self._refused[host, port] = replace(known, count=known.count + 1)


@dataclass
class _Running:
    """A process, and what belongs to it."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    folder: PrivateFolder
    is_ready: bool = False

    @classmethod
    def start(cls, hosts: tuple[str, ...]) -> _Running:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = PrivateFolder()
        module = f"{__package__}.proxy_process"
        # -P: without the current folder in its path, where some proxy.py may be.
        argv = [sys.executable, "-P", "-m", module, str(folder.path), *hosts]
        try:
            with theirs, (folder.path / _LOG).open("wb") as log:
                process = subprocess.Popen(
                    argv, stdin=theirs.fileno(), stdout=log, stderr=log, start_new_session=True
                )
        except BaseException as error:
            control.close()  # which ends the process, should it run already
            folder.remove()
            if isinstance(error, OSError):
                raise InfrastructureError(f"{argv[0]} cannot be started: {error}") from error
            raise
        return cls(process, control, folder)

    def said(self) -> str:
        """The end of its output, and its state."""
        text = (self.folder.path / _LOG).read_bytes()[-_LOG_BYTES:].decode("utf-8", "replace")
        return f"{text.strip() or 'it says nothing'} (exit status {self.process.poll()})"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.control.close()
        self.folder.remove()
