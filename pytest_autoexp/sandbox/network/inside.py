"""Many connections over one stream of bytes; as a program, the end of it inside a sandbox.

The source of this module is sent into the sandbox and run there by its Python: it uses the
standard library alone, in what Python 3.8 knows.  The other end, ``relay.py``, uses the same
class.  The program listens on ports of the sandbox's own loopback, and opens at the other
end a connection for each that it accepts.

The stream is made of frames: kind, number of the connection, size, payload.  An end sends
of a connection only what the other end has granted, so that a connection that is read
slowly holds up no other one, and neither end keeps more than it granted.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WINDOW_BYTES = 256 * 1024
"""How much of a connection may be under way in one direction."""

MAX_INSIDE = 64
"""How many connections are accepted at once; more wait to be accepted."""

MAX_OUTSIDE = 2 * MAX_INSIDE
"""How many the other end keeps: some may still have to be written out there."""

_OPEN, _DATA, _GRANT, _END, _RESET, _READY = range(6)
_FRAME = struct.Struct(">BIH")
_PORT = struct.Struct(">H")
_AMOUNT = struct.Struct(">I")
_CHUNK_BYTES = 32 * 1024
_MAX_UNSENT_BYTES = 2 * MAX_OUTSIDE * WINDOW_BYTES  # no honest end is ever so far behind
_ABORT = struct.pack("ii", 1, 0)  # to close at once, so that the peer sees an error, not an end


class RelayBrokenError(Exception):
    """What the other end sent cannot be."""


class Stream(Protocol):
    """Bytes to and from the other end; nothing here ever waits.

    Attributes:
        reader: Descriptor that tells when there is something to read.
        writer: Descriptor that tells when something can be written; may be the same.
    """

    reader: int
    writer: int

    def read(self) -> bytes | None:
        """What has come; None if nothing has, nothing (``b""``) at the end."""
        ...

    def write(self, data: memoryview) -> int:
        """Write some of the bytes, and tell how many."""
        ...


class _Channel:
    """One connection, as one end sees it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.may_send = WINDOW_BYTES  # to the other end
        self.may_receive = WINDOW_BYTES  # from there
        self.unsent = bytearray()  # came from there, not yet written to the socket
        self.reads = True  # the socket's own end has not come yet
        self.receives = True  # nor that of the other end
        self.writes = True  # nor was that one passed on to the socket


class Multiplexer:
    """One end of the relay.  :meth:`serve` runs it until the stream ends."""

    def __init__(
        self,
        stream: Stream,
        *,
        listeners: Sequence[socket.socket] = (),
        connects: Mapping[int, Callable[[], socket.socket]] = {},
        prelude: bytes = b"",
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare it.

        Args:
            stream: To the other end.
            listeners: Sockets whose connections are relayed to the other end.
            connects: By the port where it was accepted there, how a connection goes on here.
            prelude: Sent before anything else.
            on_ready: Called when the other end listens.
        """
        self._stream = stream
        self._connects = connects
        self._on_ready = on_ready
        self._listeners = listeners
        self._channels: dict[int, _Channel] = {}
        self._last = 0  # the highest number so far: none is used twice
        self._incoming = bytearray()
        self._outgoing = bytearray(prelude)
        self._ended = False
        self._selector = selectors.DefaultSelector()
        for listener in listeners:
            listener.setblocking(False)
        if listeners:
            self._send(_READY, 0)

    def serve(self) -> None:
        """Relay until the stream ends; then every connection is closed.

        Raises:
            RelayBrokenError: If the other end breaks the rules.
            OSError: If the stream breaks.
        """
        try:
            self._receive()
            while not self._ended:
                self._flush()
                self._watch_stream()
                self._watch_listeners()
                for key, events in self._selector.select():
                    key.data(events)
        finally:
            for channel in self._channels.values():
                _abort(channel.sock)
            self._selector.close()

    # The stream.

    def _watch_stream(self) -> None:
        wanted = {self._stream.writer: selectors.EVENT_WRITE if self._outgoing else 0}
        wanted[self._stream.reader] = wanted.get(self._stream.reader, 0) | selectors.EVENT_READ
        for descriptor, events in wanted.items():
            self._watch(descriptor, events, self._on_stream)

    def _on_stream(self, events: int) -> None:
        if events & selectors.EVENT_READ:
            self._receive()

    def _flush(self) -> None:
        while self._outgoing:
            with memoryview(self._outgoing) as view, view[:_CHUNK_BYTES] as chunk:
                written = self._stream.write(chunk)
            del self._outgoing[:written]
            if not written:
                break
        if len(self._outgoing) > _MAX_UNSENT_BYTES:
            raise RelayBrokenError("the other end reads nothing")

    def _receive(self) -> None:
        data = self._stream.read()
        self._ended = data == b""
        self._incoming += data or b""
        start = 0
        while len(self._incoming) - start >= _FRAME.size:
            kind, number, size = _FRAME.unpack_from(self._incoming, start)
            end = start + _FRAME.size + size
            if len(self._incoming) < end:
                break
            self._take(kind, number, bytes(self._incoming[start + _FRAME.size : end]))
            start = end
        del self._incoming[:start]

    def _send(self, kind: int, number: int, payload: bytes = b"") -> None:
        self._outgoing += _FRAME.pack(kind, number, len(payload)) + payload

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        """Do what a frame says."""
        if kind == _READY and not self._listeners:
            self._on_ready()
        elif kind == _OPEN and not self._listeners and len(payload) == _PORT.size:
            self._open(number, _PORT.unpack(payload)[0])
        elif kind not in (_DATA, _GRANT, _END, _RESET):
            raise RelayBrokenError(f"a frame of kind {kind} with {len(payload)} bytes")
        elif number > self._last:
            raise RelayBrokenError(f"a frame for connection {number}, which was never opened")
        elif number in self._channels:  # or it was reset at this end just before
            self._pass_on(kind, number, self._channels[number], payload)

    def _pass_on(self, kind: int, number: int, channel: _Channel, payload: bytes) -> None:
        if kind == _RESET:
            self._drop(number)
            return
        if kind == _GRANT:
            channel.may_send += _AMOUNT.unpack(payload)[0] if len(payload) == _AMOUNT.size else 0
        else:
            channel.may_receive -= len(payload)
            if channel.may_receive < 0 or not channel.receives:
                raise RelayBrokenError(f"connection {number} goes on over its limit or end")
            channel.unsent += payload
            channel.receives = kind == _DATA
        if channel.may_send > WINDOW_BYTES:
            raise RelayBrokenError(f"connection {number} is granted more than there was")
        self._on_channel(number, channel, selectors.EVENT_WRITE)

    # The connections.

    def _watch_listeners(self) -> None:
        events = selectors.EVENT_READ if len(self._channels) < MAX_INSIDE else 0
        for listener in self._listeners:
            self._watch(listener, events, partial(self._accept, listener))

    def _accept(self, listener: socket.socket, events: int) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:  # it went away again, or there is no descriptor left for it
            return
        self._last += 1
        self._send(_OPEN, self._last, _PORT.pack(listener.getsockname()[1]))
        self._add(self._last, sock)

    def _open(self, number: int, port: int) -> None:
        if number <= self._last or port not in self._connects:
            raise RelayBrokenError(f"connection {number} to port {port} cannot be")
        self._last = number
        try:
            if len(self._channels) >= MAX_OUTSIDE:
                raise ConnectionRefusedError
            self._add(number, self._connects[port]())
        except OSError:
            self._send(_RESET, number)

    def _add(self, number: int, sock: socket.socket) -> None:
        self._channels[number] = channel = _Channel(sock)
        self._on_channel(number, channel, 0)

    def _on_channel(self, number: int, channel: _Channel, events: int) -> None:
        """Move bytes between a connection and the stream."""
        if self._channels.get(number) is not channel:
            return  # it was dropped while its event was waiting
        try:
            if events & selectors.EVENT_READ:
                self._from_socket(number, channel)
            if events & selectors.EVENT_WRITE:
                self._to_socket(number, channel)
        except BlockingIOError:
            pass
        except OSError:  # its peer is gone
            self._send(_RESET, number)
            self._drop(number)
            return
        if channel.unsent or channel.reads or channel.receives:
            wanted = selectors.EVENT_WRITE if channel.unsent else 0
            wanted |= selectors.EVENT_READ if channel.reads and channel.may_send else 0
            self._watch(channel.sock, wanted, partial(self._on_channel, number, channel))
        else:
            self._watch(channel.sock, 0, self._on_stream)
            self._channels.pop(number).sock.close()

    def _from_socket(self, number: int, channel: _Channel) -> None:
        data = channel.sock.recv(min(_CHUNK_BYTES, channel.may_send))
        channel.may_send -= len(data)
        channel.reads = bool(data)
        self._send(_DATA if data else _END, number, data)

    def _to_socket(self, number: int, channel: _Channel) -> None:
        if channel.unsent:
            sent = channel.sock.send(channel.unsent)
            del channel.unsent[:sent]
            channel.may_receive += sent
            self._send(_GRANT, number, _AMOUNT.pack(sent))
        if channel.writes and not channel.unsent and not channel.receives:
            channel.writes = False
            with suppress(OSError):  # its peer is gone: reading will tell, after what it sent
                channel.sock.shutdown(socket.SHUT_WR)

    def _drop(self, number: int) -> None:
        sock = self._channels.pop(number).sock
        self._watch(sock, 0, self._on_stream)
        _abort(sock)

    def _watch(
        self,
        what: int | socket.socket,
        events: int,
        call: Callable[[int], None],
    ) -> None:
        known = self._selector.get_map().get(what)
        if known is None:
            if events:
                self._selector.register(what, events, call)
        elif not events:
            self._selector.unregister(what)
        elif known.events != events:
            self._selector.modify(what, events, call)


def _abort(sock: socket.socket) -> None:
    with suppress(OSError):  # its peer is gone already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    sock.close()


class _StandardStreams:
    """Standard input and output as a stream."""

    reader = 0
    writer = 1

    def read(self) -> bytes | None:
        """What has come."""
        try:
            return os.read(0, 2 * _CHUNK_BYTES)
        except BlockingIOError:
            return None

    def write(self, data: memoryview) -> int:
        """Write some of the bytes."""
        try:
            return os.write(1, data)
        except BlockingIOError:
            return 0


def main() -> None:
    """Listen on the ports that the arguments name, after the size of this program."""
    listeners = []
    for port in sys.argv[2:]:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(port)))
        listener.listen(128)
        listeners.append(listener)
    os.set_blocking(0, False)
    os.set_blocking(1, False)
    with suppress(BrokenPipeError):  # the other end is gone
        Multiplexer(_StandardStreams(), listeners=listeners).serve()


if __name__ == "__main__":
    main()
