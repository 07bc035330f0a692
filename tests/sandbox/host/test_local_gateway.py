"""What connects to the gateway's port inside ``local`` reaches its socket on the host."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_autoexp.model.trial import GatewayAddress
from pytest_autoexp.sandbox.host.local import LocalSandbox, bubblewrap_problem
from pytest_autoexp.sandbox.host.requirements import running_python

pytestmark = pytest.mark.skipif(bubblewrap_problem() is not None, reason="no bubblewrap")

PORT = 45123
ASK = f"""
import socket, sys
with socket.create_connection(("127.0.0.1", {PORT}), 10) as sock:
    sock.sendall(sys.argv[1].encode())
    sock.shutdown(socket.SHUT_WR)
    print(b"".join(iter(lambda: sock.recv(4096), b"")).decode())
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[GatewayAddress]:
    """A server that says in capitals what it is told."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)

        def answer(connection: socket.socket) -> None:
            with connection:
                told = b"".join(iter(lambda: connection.recv(4096), b""))
                with suppress(OSError):
                    connection.sendall(told.upper())

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield GatewayAddress(PORT, str(path))
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def sandbox(address: GatewayAddress) -> Iterator[LocalSandbox]:
    with LocalSandbox(running_python(), gateway=address) as made:
        yield made


def ask(sandbox: LocalSandbox, text: str, times: int = 1) -> list[str]:
    command = " & ".join([f"python -c '{ASK}' {text}"] * times)
    return sandbox.run(f"{command}; wait", time_limit_sec=60).stdout.split()


def test_the_port_is_open_from_the_first_moment_of_each_command(sandbox: LocalSandbox) -> None:
    assert ask(sandbox, "one") == ["ONE"]
    assert ask(sandbox, "two", times=8) == ["TWO"] * 8


def test_much_goes_through_whole(sandbox: LocalSandbox) -> None:
    assert ask(sandbox, "$(printf a%.0s $(seq 100000))") == ["A" * 100000]


def test_a_command_that_does_not_ask_is_as_without(sandbox: LocalSandbox) -> None:
    done = sandbox.run("echo out; echo err >&2; exit 7", time_limit_sec=20)
    assert (done.exit_code, done.stdout, done.stderr) == (7, "out\n", "err\n")
    start = time.monotonic()
    late = sandbox.run("sleep 60", time_limit_sec=0.5)
    assert late.killed_by == "time"
    assert time.monotonic() - start < 20
    killed = sandbox.run("kill -9 $$", time_limit_sec=20)
    assert killed.exit_code == 137


def test_without_a_gateway_the_port_is_closed() -> None:
    with LocalSandbox(running_python()) as sandbox:
        done = sandbox.run(f"python -c '{ASK}' x", time_limit_sec=20)
    assert "ConnectionRefusedError" in done.stderr


def test_a_gateway_that_is_gone_resets_the_connection(
    sandbox: LocalSandbox, address: GatewayAddress
) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(address.socket + ".new")
        Path(address.socket + ".new").rename(address.socket)
    assert ask(sandbox, "x") == []
