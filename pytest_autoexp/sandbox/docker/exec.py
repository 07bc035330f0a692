"""One command in a running container, over the raw stream of its exec.

The engine has no time limit for an exec, and its own helpers collect all output in memory
and return late if a background process holds the output open.  So the stream is read here,
with a deadline.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from docker import APIClient

from pytest_autoexp.sandbox.capture import Capture

USER = "1000:1000"
"""User and group that commands run as."""

STDOUT = 1
"""Stream number of standard output; standard error is 2."""

CANNOT_RUN = 125
"""Exit status from which on a program could not run, or was killed.

With this one Podman says that it did not start it, Docker with others.
"""

_CHUNK_BYTES = 64 * 1024
_REASON_BYTES = 1024  # of why the engine did not start a command: more than it says
_HEADER = struct.Struct(">BxxxL")  # the engine's frame: stream number, size
_STALL_SEC = 120.0
_FIRST_PAUSE_SEC = 0.1
_LONGEST_PAUSE_SEC = 1.0
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Exec:
    """A command that was started in a container.

    Attributes:
        ended: True once the stream's end was read: no process holds the output open.
    """

    def __init__(  # noqa: PLR0913 - what the engine is to start, and what it is
        self,
        api: APIClient,
        container: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        stdin: bool = False,
        user: str = USER,
        is_podman: bool = False,
    ) -> None:
        self.ended = False
        self._is_podman = is_podman
        self._beginning = b""
        self._api = api
        created = api.exec_create(
            container,
            list(command),
            stdin=stdin,
            user=user,
            environment=dict(environment or {}),
        )
        self._id: str = created["Id"]
        # The library's object keeps the connection open; the socket below it is what is read.
        self._connection: Any = api.exec_start(self._id, socket=True)
        below: Any = getattr(self._connection, "_sock", self._connection)
        self._socket: socket.socket = below
        self._socket.setblocking(False)
        self._received = bytearray(_read_ahead(self._connection))

    def receive(self, wait_sec: float) -> list[tuple[int, bytes]]:
        """What has come of the output, as pairs of stream number and bytes.

        Args:
            wait_sec: How long to wait for something, if there is nothing.

        Returns:
            Nothing if nothing came in time, or at the end.
        """
        until = time.monotonic() + wait_sec
        while not (frames := self._frames()) and not self.ended:  # part of one may have come
            pending = getattr(self._socket, "pending", lambda: 0)()  # decrypted, but not yet read
            left_sec = max(0.0, until - time.monotonic())
            if not pending and not select.select([self._socket], [], [], left_sec)[0]:
                break
            self._read()
        if frames and not self._beginning:
            self._beginning = frames[0][1][:_REASON_BYTES]
        return frames

    def send(self, data: bytes) -> None:
        """Write all of the bytes to the command's standard input.

        A command that has ended takes no more; the rest is dropped then.

        Raises:
            TimeoutError: If the command takes nothing for two minutes.
        """
        left = memoryview(data)
        while left and not self.ended:
            readable, writable, _ = select.select([self._socket], [self._socket], [], _STALL_SEC)
            if readable:
                self._read()  # or the command may wait for us while we wait for it
            if writable:
                try:
                    left = left[self._socket.send(left[:_CHUNK_BYTES]) :]
                except _WOULD_BLOCK:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    return
            if not readable and not writable:
                raise TimeoutError(f"a command in the container read nothing for {_STALL_SEC} s")

    def send_now(self, data: memoryview) -> int:
        """Write as many of the bytes as go without waiting, and tell how many."""
        try:
            return self._socket.send(data)
        except _WOULD_BLOCK:
            return 0

    def fileno(self) -> int:
        """Descriptor of the stream."""
        return self._socket.fileno()

    def abort(self) -> None:
        """Break the stream: whoever reads it, in whatever thread, comes to its end."""
        with suppress(OSError):  # it is broken already
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close_stdin(self) -> None:
        """Let the command see the end of its standard input."""
        with suppress(OSError):  # it has ended already
            self._socket.shutdown(socket.SHUT_WR)

    def follow(self, take: Callable[[int, bytes], None], deadline: float) -> bool:
        """Take the output until the command ends (not what it left behind), or the deadline.

        Args:
            take: Called with stream number and bytes.
            deadline: As of :func:`time.monotonic`.

        Returns:
            True if the command ended before the deadline.
        """
        pause_sec = _FIRST_PAUSE_SEC
        ask_at = time.monotonic() + pause_sec
        while not self.ended:
            for stream, data in self.receive(min(ask_at, deadline) - time.monotonic()):
                take(stream, data)
            now = time.monotonic()
            if now >= deadline:
                return self.ended
            if now >= ask_at:
                # A background process may hold the output open for ever.
                if not self.running():
                    return True
                pause_sec = min(1.5 * pause_sec, _LONGEST_PAUSE_SEC)
                ask_at = now + pause_sec
        return True

    def pause(self, take: Callable[[int, bytes], None], wait_sec: float) -> None:
        """Wait so long, and take the output that comes meanwhile.

        Args:
            take: Called with stream number and bytes.
            wait_sec: How long.
        """
        until = time.monotonic() + wait_sec
        while not self.ended and (left_sec := until - time.monotonic()) > 0:
            for stream, data in self.receive(left_sec):
                take(stream, data)
        time.sleep(max(0.0, until - time.monotonic()))

    def drain(self, take: Callable[[int, bytes], None]) -> None:
        """Take the output to its end.

        Args:
            take: Called with stream number and bytes.

        Raises:
            TimeoutError: If nothing comes for two minutes, not even the end.
        """
        while not self.ended:
            frames = self.receive(_STALL_SEC)
            for stream, data in frames:
                take(stream, data)
            if not frames and not self.ended:
                raise TimeoutError(f"a command in the container wrote nothing for {_STALL_SEC} s")

    def running(self) -> bool:
        """Ask the engine whether the command (not what it left behind) still runs."""
        return bool(self._api.exec_inspect(self._id)["Running"])

    def exit_code(self) -> int:
        """Its exit status; waits a little for the engine to notice that it ended.

        Raises:
            TimeoutError: If the engine does not notice.
            ChildProcessError: If the engine did not start it.  Why, comes as its output.
        """
        deadline = time.monotonic() + _STALL_SEC
        while time.monotonic() < deadline:
            state = self._api.exec_inspect(self._id)
            if not state["Running"] and state["ExitCode"] is not None:
                code = int(state["ExitCode"])
                # Podman forgets the process of whatever has ended.
                if code >= CANNOT_RUN and not state["Pid"] and not self._is_podman:
                    why = self._beginning.decode("utf-8", "replace").strip()
                    raise ChildProcessError(f"the engine did not start it: {why}")
                return code
            time.sleep(0.02)
        raise TimeoutError(f"the engine still takes the command as running after {_STALL_SEC} s")

    def close(self) -> None:
        """Close the stream; to be called when it has ended, or all processes are dead."""
        self._connection.close()
        self._socket.close()

    def _read(self) -> None:
        try:
            chunk = self._socket.recv(_CHUNK_BYTES)
        except _WOULD_BLOCK:
            return
        except ConnectionResetError:
            chunk = b""
        self._received += chunk
        self.ended = not chunk

    def _frames(self) -> list[tuple[int, bytes]]:
        frames = []
        start = 0
        while len(self._received) - start >= _HEADER.size:
            stream, size = _HEADER.unpack_from(self._received, start)
            end = start + _HEADER.size + size
            if len(self._received) < end:
                break
            frames.append((stream, bytes(self._received[start + _HEADER.size : end])))
            start = end
        del self._received[:start]
        return frames


class Input:
    """A command's standard input, as something to write to."""

    def __init__(self, process: Exec) -> None:
        self._process = process

    def write(self, data: bytes) -> None:
        """Send all of the bytes."""
        self._process.send(data)


class Output:
    """A command's standard output, as something to read from.

    Attributes:
        errors: What it wrote to its standard error so far.
    """

    def __init__(self, process: Exec) -> None:
        self.errors = Capture(_CHUNK_BYTES)
        self._process = process
        self._buffer = bytearray()

    def at_end(self) -> bool:
        """True if there is nothing left to read; waits until this is known."""
        self._fill(1)
        return not self._buffer

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes, or fewer at the end."""
        self._fill(size)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size and not self._process.ended:
            frames = self._process.receive(_STALL_SEC)
            for stream, data in frames:
                if stream == STDOUT:
                    self._buffer += data
                else:
                    self.errors.feed(data)
            if not frames and not self._process.ended:
                raise TimeoutError(f"a command in the container wrote nothing for {_STALL_SEC} s")


def _read_ahead(connection: Any) -> bytes:
    """What the library's reader took from the socket behind the HTTP header.

    The library hands out the socket below that reader.  Where header and first output come
    at once, as through a proxy, the output would be lost with the reader.
    """
    response = getattr(connection, "_response", None)
    reader = getattr(getattr(getattr(response, "raw", None), "_fp", None), "fp", None)
    try:
        return reader.peek() if isinstance(reader, io.BufferedReader) else b""
    except _WOULD_BLOCK:
        return b""
