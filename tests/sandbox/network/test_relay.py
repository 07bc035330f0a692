"""The relay: real connections through the real program, which runs here as it does in a sandbox."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from webservers import pattern

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.network.inside import MAX_OUTSIDE, WINDOW_BYTES
from pytest_autoexp.sandbox.network.relay import Relay, command

OPEN, DATA, GRANT, END, RESET, READY = range(6)


class SocketStream:
    """A stream over one end of a pair of sockets."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.reader = self.writer = end.fileno()
        self._end = end

    def read(self) -> bytes | None:
        try:
            return self._end.recv(65536)
        except BlockingIOError:
            return None

    def write(self, data: memoryview) -> int:
        try:
            return self._end.send(data)
        except BlockingIOError:
            return 0

    def abort(self) -> None:
        self._end.shutdown(socket.SHUT_RDWR)

    def said(self) -> str:
        return "nothing of note"


class Echo:
    """A server that sends back what it gets, until the other side has sent all."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.listener.getsockname())

    def _serve(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            if self._over(connection):
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _over(self, connection: socket.socket) -> bool:
        if self.listener.gettimeout() is None:
            return False
        connection.close()
        return True

    def _echo(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(data)

    def close(self) -> None:
        self.listener.settimeout(1)
        with self.connect():
            self._thread.join()
        self.listener.close()


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def free_ports(count: int) -> list[int]:
    made = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in made]
    for one in made:
        one.close()
    return ports


@contextmanager
def relayed(*connects: Callable[[], socket.socket]) -> Iterator[tuple[Relay, list[int]]]:
    """A relay to what the callables open, and the ports that lead there."""
    ports = free_ports(len(connects))
    by_port = dict(zip(ports, connects, strict=True))
    ours, theirs = socket.socketpair()
    with ours, subprocess.Popen(command(by_port), stdin=theirs, stdout=theirs) as program:
        theirs.close()
        relay = Relay(SocketStream(ours), by_port)
        try:
            relay.wait_until_ready()
            yield relay, ports
        finally:
            program.kill()
            relay.close()


@pytest.fixture
def port(echo: Echo) -> Iterator[int]:
    """A port that leads through a relay to the echo."""
    with relayed(echo.connect) as (_, [port]):
        yield port


def through(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(20)
    return connection


def exchange(port: int, data: bytes) -> bytes:
    """Send all while receiving, then say that this was all, and take the rest."""
    with through(port) as connection:
        sender = threading.Thread(target=_send, args=(connection, data))
        sender.start()
        received = bytearray()
        while part := connection.recv(65536):
            received += part
        sender.join()
    return bytes(received)


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


# What goes through.


@pytest.mark.parametrize("size", [0, 1, WINDOW_BYTES, 5_000_000])
def test_bytes_arrive_as_they_are_both_ways_to_the_end(port: int, size: int) -> None:
    assert exchange(port, pattern(size)) == pattern(size)


def test_many_at_once_do_not_mix(port: int) -> None:
    whole = pattern(21_000_000)
    sent = [whole[number * 1_000_000 :][:1_000_000] for number in range(20)]
    came: dict[int, bytes] = {}

    def run(number: int) -> None:
        came[number] = exchange(port, sent[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [came[number] == data for number, data in enumerate(sent)] == [True] * 20


def test_each_port_leads_to_its_own_other_side(echo: Echo) -> None:
    def greet() -> socket.socket:
        near, far = socket.socketpair()
        with far:
            far.sendall(b"hello")
        return near

    with relayed(echo.connect, greet) as (_, [first, second]):
        assert exchange(first, b"one") == b"one"
        assert exchange(second, b"") == b"hello"


def test_one_that_is_not_read_holds_up_no_other(port: int) -> None:
    with through(port) as stuck:
        stuck.settimeout(0.5)
        with suppress(TimeoutError):
            stuck.sendall(bytes(100_000_000))
        assert exchange(port, b"x" * 1_000_000) == b"x" * 1_000_000


def test_one_end_that_breaks_off_breaks_the_other(echo: Echo) -> None:
    ends: list[socket.socket] = []

    def connect() -> socket.socket:
        near, far = socket.socketpair()
        far.settimeout(20)
        ends.append(far)
        return near

    with relayed(connect) as (_, [port]):
        with through(port) as connection:
            connection.sendall(b"x")
            while not ends:
                time.sleep(0.01)
            assert ends[0].recv(10) == b"x"
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert ends[0].recv(10) == b""
        ends.pop().close()
        with through(port) as connection:
            connection.sendall(b"x")
            while not ends:
                time.sleep(0.01)
            ends.pop().close()  # with something unread
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                connection.sendall(bytes(100_000_000))


def test_where_nothing_can_be_opened_the_connection_is_reset() -> None:
    def connect() -> socket.socket:
        raise ConnectionRefusedError

    with relayed(connect) as (relay, [port]):
        with through(port) as connection, pytest.raises(ConnectionResetError):
            connection.recv(10)
        assert relay.running


# What ends it.


def test_it_ends_with_the_program_and_with_its_connections(echo: Echo) -> None:
    ports = free_ports(1)
    ours, theirs = socket.socketpair()
    with (
        ours,
        subprocess.Popen(command({ports[0]: echo.connect}), stdin=theirs, stdout=theirs) as program,
    ):
        theirs.close()
        relay = Relay(SocketStream(ours), {ports[0]: echo.connect})
        relay.wait_until_ready()
        with through(ports[0]):
            assert relay.running
            program.kill()
            relay.close()
        assert not relay.running
        assert relay.broken == ""


def test_the_program_ends_with_the_stream(echo: Echo) -> None:
    ports = free_ports(1)
    ours, theirs = socket.socketpair()
    with subprocess.Popen(
        command({ports[0]: echo.connect}), stdin=theirs, stdout=theirs
    ) as program:
        theirs.close()
        relay = Relay(SocketStream(ours), {ports[0]: echo.connect})
        relay.wait_until_ready()
        started = time.monotonic()
        relay.close()  # nothing else has ended it
        assert time.monotonic() - started < 5
        assert program.wait(10) == 0
    ours.close()


def test_a_sandbox_without_python_is_named() -> None:
    ours, theirs = socket.socketpair()
    argv = command({1: ours.dup})
    with (
        ours,
        subprocess.Popen(
            ["/bin/sh", *argv[1:]],
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            env={"PATH": "/no"},
        ) as program,
    ):
        theirs.close()
        relay = Relay(SocketStream(ours), {})
        with pytest.raises(InfrastructureError, match=r"it needs python3.*: nothing of note"):
            relay.wait_until_ready()
        relay.close()
        assert program.stderr is not None
        assert program.stderr.read() == b"no python3 in PATH\n"
        assert program.wait() == 127


# A program inside that an agent took over.


def frame(kind: int, number: int = 0, payload: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack(">BIH", kind, number, len(payload) if size is None else size) + payload


TO_1 = struct.pack(">H", 1)


@contextmanager
def at_the_mercy_of(
    connect: Callable[[], socket.socket],
) -> Iterator[tuple[Relay, socket.socket]]:
    """A relay whose other end is the test."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(20)
    with ours, theirs:
        relay = Relay(SocketStream(ours), {1: connect})
        theirs.sendall(frame(READY))
        relay.wait_until_ready()
        try:
            yield relay, theirs
        finally:
            relay.close()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\xff" * 100_000, "a frame of kind 255"),
        (frame(OPEN, 1, b"xyz"), "a frame of kind 0 with 3 bytes"),
        (frame(OPEN, 1, struct.pack(">H", 2)), "connection 1 to port 2 cannot be"),
        (frame(OPEN, 1, TO_1) * 2, "connection 1 to port 1 cannot be"),
        (frame(DATA, 7, b"x"), "connection 7, which was never opened"),
        (frame(OPEN, 1, TO_1) + frame(END, 1) + frame(DATA, 1, b"x"), "over its limit or end"),
        (frame(OPEN, 1, TO_1) + frame(DATA, 1, bytes(65535)) * 9, "over its limit or end"),
        (frame(OPEN, 1, TO_1) + frame(GRANT, 1, b"\xff" * 4), "granted more than there was"),
    ],
)
def test_what_breaks_the_rules_ends_it_with_the_reason(sent: bytes, reason: str) -> None:
    far: list[socket.socket] = []

    def connect() -> socket.socket:
        ends = socket.socketpair()
        far.append(ends[1])  # which never reads
        return ends[0]

    with at_the_mercy_of(connect) as (relay, theirs):
        with suppress(OSError):
            theirs.sendall(sent)
        deadline = time.monotonic() + 10
        while relay.running:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert reason in relay.broken
    for end in far:
        end.close()


def test_frames_for_what_is_over_are_passed_over(echo: Echo) -> None:
    with at_the_mercy_of(echo.connect) as (relay, theirs):
        over = frame(OPEN, 1, TO_1) + frame(RESET, 1)
        late = frame(DATA, 1, b"x") + frame(END, 1) + frame(RESET, 1) + frame(GRANT, 1, bytes(4))
        theirs.sendall(over + late + frame(OPEN, 2, TO_1) + frame(DATA, 2, b"still here"))
        came = b""
        while b"still here" not in came:
            came += theirs.recv(65536)
        assert relay.running


def test_too_many_connections_are_reset(echo: Echo) -> None:
    with at_the_mercy_of(echo.connect) as (relay, theirs):
        wanted = MAX_OUTSIDE + 5
        theirs.sendall(b"".join(frame(OPEN, n, TO_1) for n in range(1, wanted + 1)))
        came = b""
        while frame(RESET, wanted) not in came:
            came += theirs.recv(65536)
        assert [n for n in range(1, wanted + 1) if frame(RESET, n) in came] == list(
            range(MAX_OUTSIDE + 1, wanted + 1)
        )
        assert relay.running


def test_half_a_frame_and_silence_do_not_keep_it_from_closing(echo: Echo) -> None:
    with at_the_mercy_of(echo.connect) as (relay, theirs):
        theirs.sendall(frame(OPEN, 1, TO_1) + frame(DATA, 1, b"abc", size=60_000))
        started = time.monotonic()
        relay.close()
        assert time.monotonic() - started < 5
        assert not relay.running


def test_it_keeps_no_more_than_it_granted_when_nobody_reads() -> None:
    # An endless source, and a program inside that grants all the time and reads nothing.
    near, far = socket.socketpair()

    def pour() -> None:
        with far, suppress(OSError):
            while True:
                far.sendall(bytes(65536))

    thread = threading.Thread(target=pour)
    thread.start()
    with at_the_mercy_of(lambda: near) as (relay, theirs):
        theirs.sendall(frame(OPEN, 1, TO_1))
        for _ in range(5_000):
            if not relay.running:
                break
            with suppress(OSError):
                theirs.sendall(frame(GRANT, 1, struct.pack(">I", 30_000)))
            if relay.running:
                time.sleep(0.0002)
        assert len(relay._multiplexer._outgoing) < 2 * MAX_OUTSIDE * WINDOW_BYTES + 100_000
    thread.join()
