"""The proxy process: what it lets through, what it refuses and tells, and that it goes away."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from webservers import pattern, serving

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.network.proxy import MAX_REFUSED, Proxy


@contextmanager
def proxy(*hosts: str) -> Iterator[Proxy]:
    made = Proxy(hosts)
    try:
        made.start()
        made.wait_until_ready()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def web() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture(scope="module")
def other_web() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture
def to_web(web: int) -> Iterator[Proxy]:
    """A proxy to the one server."""
    with proxy(f"localhost:{web}") as made:
        yield made


def ask(through: Proxy, *requests: bytes) -> bytes:
    """All that comes back on one connection, each request sent when the last was answered."""
    with through.connect() as connection:
        connection.settimeout(20)
        received = b""
        for request in requests:
            connection.sendall(request)
            if request is not requests[-1]:
                received += connection.recv(65536)
        while data := connection.recv(65536):
            received += data
    return received


def get(host: str, path: str = "/x", *headers: str) -> bytes:
    lines = [f"GET http://{host}{path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def connect(host: str) -> bytes:
    return f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def status(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


def test_a_listed_host_answers(to_web: Proxy, web: int) -> None:
    answer = ask(to_web, get(f"localhost:{web}"))
    assert status(answer) == 200
    assert answer.endswith(f"{web} /x localhost:{web}".encode())
    assert to_web.refused() == ()


def test_a_tunnel_takes_any_bytes_both_ways() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with proxy(f"localhost:{port}") as made, made.connect() as near:
            near.settimeout(20)
            near.sendall(connect(f"localhost:{port}"))
            far, _ = server.accept()
            with far:
                assert status(near.recv(65536)) == 200
                near.sendall(b"\x16\x03\x01 hello\n\n")
                assert far.recv(100) == b"\x16\x03\x01 hello\n\n"
                far.sendall(b"\x00\xff\r\n\r\n")
                assert near.recv(100) == b"\x00\xff\r\n\r\n"


@pytest.mark.parametrize(
    ("request_line", "host", "port", "method"),
    [
        ("GET http://other.example/ HTTP/1.1", "other.example", 80, "GET"),
        ("POST http://other.example:81/ HTTP/1.1", "other.example", 81, "POST"),
        ("CONNECT other.example:443 HTTP/1.1", "other.example", 443, "CONNECT"),
        ("CONNECT 127.0.0.1:{web} HTTP/1.1", "127.0.0.1", None, "CONNECT"),
        ("GET http://127.0.0.1:{web}/ HTTP/1.1", "127.0.0.1", None, "GET"),
        ("CONNECT [::1]:{web} HTTP/1.1", "[::1]", None, "CONNECT"),
        ("CONNECT 2130706433:{web} HTTP/1.1", "2130706433", None, "CONNECT"),
        ("GET http://localhost:1/ HTTP/1.1", "localhost", 1, "GET"),
        ("GET http://localhost/ HTTP/1.1", "localhost", 80, "GET"),
        ("GET http://localhost:{web}@other.example/ HTTP/1.1", "other.example", 80, "GET"),
        ("GET //other.example/ HTTP/1.1", "other.example", 80, "GET"),
    ],
)
def test_any_other_host_or_port_is_refused_and_told(
    to_web: Proxy, web: int, request_line: str, host: str, port: int | None, method: str
) -> None:
    # What the Host header says does not count.
    line = request_line.format(web=web)
    answer = ask(to_web, f"{line}\r\nHost: localhost:{web}\r\n\r\n".encode())
    assert status(answer) == 403
    assert b"ini autoexp_network" in answer
    assert f"localhost:{web}".encode() in answer
    [refused] = to_web.refused()
    assert (refused.host, refused.port, refused.method) == (host, port or web, method)
    assert refused.count == 1
    assert 0 < refused.first_sec < 60


@pytest.mark.parametrize(
    "request_line",
    ["GET / HTTP/1.1", "GET", "\0\1\2", "GET ftp://localhost/ HTTP/1.1", "CONNECT :x HTTP/1.1"],
)
def test_what_is_no_request_is_answered_so(to_web: Proxy, web: int, request_line: str) -> None:
    answer = ask(to_web, f"{request_line}\r\nHost: localhost:{web}\r\n\r\n".encode())
    assert answer == b"" or status(answer) in (400, 403)
    assert status(ask(to_web, get(f"localhost:{web}"))) == 200


def test_a_connection_serves_one_request_so_that_clients_open_another(
    to_web: Proxy, web: int
) -> None:
    answer = ask(to_web, get(f"localhost:{web}", "/x", "Connection: keep-alive"))
    assert status(answer) == 200  # and it was closed, or this had waited


def test_a_second_request_on_a_connection_reaches_no_other_host(web: int, other_web: int) -> None:
    # This server keeps the connection open, whatever it is asked.
    with socket.create_server(("127.0.0.1", 0)) as server:
        first, second = f"localhost:{server.getsockname()[1]}", f"localhost:{web}"
        with proxy(first, second) as made:
            for host, expected in ((second, 421), (f"localhost:{other_web}", 403)):
                with made.connect() as near:
                    near.settimeout(20)
                    near.sendall(get(first))
                    far, _ = server.accept()
                    with far:
                        assert b"Connection: close" in far.recv(65536)
                        far.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        assert near.recv(65536).endswith(b"ok")
                        near.sendall(get(host))
                        assert status(near.recv(65536)) == expected
                        assert far.recv(65536) == b""
            assert [(r.host, r.port) for r in made.refused()] == [("localhost", other_web)]


def test_requests_sent_at_once_reach_no_other_host(web: int, other_web: int) -> None:
    with proxy(f"localhost:{web}") as made:
        both = get(f"localhost:{web}") + get(f"localhost:{other_web}")
        assert status(ask(made, both)) == 400


def test_an_ipv6_address_is_reached_where_it_is_listed() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with server:
        port = server.getsockname()[1]
        with proxy(f"[::1]:{port}") as made, made.connect() as near:
            near.settimeout(20)
            near.sendall(connect(f"[::1]:{port}"))
            assert status(near.recv(65536)) == 200


def test_an_unreachable_host_is_a_bad_gateway_and_no_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with proxy(f"localhost:{port}", "nowhere.invalid") as made:
        assert status(ask(made, get(f"localhost:{port}"))) == 502
        assert status(ask(made, connect("nowhere.invalid:443"))) == 502
        assert made.refused() == ()


def test_large_bodies_arrive_both_ways(to_web: Proxy, web: int) -> None:
    size = 20_000_000
    body = ask(to_web, get(f"localhost:{web}", f"/big/{size}")).partition(b"\r\n\r\n")[2]
    assert body == pattern(size)
    size = 4_000_000
    head = f"POST http://localhost:{web}/ HTTP/1.1\r\nContent-Length: {size}\r\n\r\n"
    assert ask(to_web, head.encode() + pattern(size)).endswith(b"%d True" % size)


def test_a_reader_that_stops_does_not_fill_the_proxys_memory(to_web: Proxy, web: int) -> None:
    with to_web.connect() as connection:
        connection.sendall(get(f"localhost:{web}", "/big/400000000"))
        assert connection.recv(10)
        time.sleep(2)
        assert memory_bytes(process_of(to_web)) < 150 * 1024**2
        assert status(ask(to_web, get(f"localhost:{web}"))) == 200


def test_a_request_without_end_is_cut_off(to_web: Proxy, web: int) -> None:
    with to_web.connect() as connection:
        connection.settimeout(20)
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            connection.sendall(bytes(10_000_000))
        assert status(connection.recv(65536)) == 413
    assert status(ask(to_web, get(f"localhost:{web}"))) == 200


def test_the_same_refusal_is_counted_and_too_many_are_counted_together() -> None:
    with proxy("a.example") as made:
        for number in range(MAX_REFUSED + 3):
            ask(made, connect(f"h{number}.example:443"))
        ask(made, connect("h7.example:443"))
        refused = made.refused()
        assert len(refused) == MAX_REFUSED + 1
        assert [r.count for r in refused if r.host == "h7.example"] == [2]
        assert (refused[-1].host, refused[-1].port, refused[-1].count) == ("*", 0, 3)


def test_refusals_are_told_after_the_end_too() -> None:
    with proxy("a.example") as made:
        ask(made, connect("b.example:443"))
    assert [r.host for r in made.refused()] == ["b.example"]


# Its life.


def process_of(made: Proxy) -> subprocess.Popen[bytes]:
    assert made._running is not None
    return made._running.process


def memory_bytes(process: subprocess.Popen[bytes]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_it_listens_nowhere(to_web: Proxy) -> None:
    folder = Path(f"/proc/{process_of(to_web).pid}")
    sockets = {str(entry.readlink()) for entry in (folder / "fd").iterdir()}
    for table in ("tcp", "tcp6"):
        for line in (folder / "net" / table).read_text().splitlines()[1:]:
            assert f"socket:[{line.split()[9]}]" not in sockets


def test_nothing_is_left_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    with proxy("a.example") as made:
        process = process_of(made)
        [folder] = tmp_path.iterdir()
    assert process.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
    assert not folder.exists()
    made.close()


def test_it_starts_again_when_it_crashed(to_web: Proxy, web: int) -> None:
    to_web.start()
    first = process_of(to_web)
    ask(to_web, connect("b.example:443"))
    first.send_signal(signal.SIGSEGV)
    first.wait()
    assert status(ask(to_web, get(f"localhost:{web}"))) == 200
    assert process_of(to_web) is not first
    assert [r.host for r in to_web.refused()] == ["b.example"]


def test_one_that_was_killed_is_an_error(web: int) -> None:
    with proxy(f"localhost:{web}") as made:
        process_of(made).kill()
        process_of(made).wait()
        with pytest.raises(ConnectionRefusedError):
            made.connect()
        for use in (made.start, made.refused):
            with pytest.raises(InfrastructureError, match=r"was killed while it was in use.* -9"):
                use()


def test_it_goes_when_its_owner_is_killed() -> None:
    script = (
        "import time; from pytest_autoexp.sandbox.network.proxy import Proxy\n"
        "p = Proxy(('a.example',)); p.start(); p.wait_until_ready()\n"
        "print(p._running.process.pid, p._running.folder.path, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        owner.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{int(pid)}/cmdline").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    from pytest_autoexp.sandbox.folder import remove_leftovers

    remove_leftovers()
    assert not Path(folder.decode()).exists()


def test_one_that_does_not_start_shows_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proxy.py").write_text("raise RuntimeError('no library here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = Proxy(("a.example",))
    made.start()
    with pytest.raises(InfrastructureError, match=r"(?s)a.example does not start: .*no library"):
        made.wait_until_ready()


def test_a_proxy_py_in_the_current_folder_is_not_taken_for_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proxy.py").write_text("raise RuntimeError('mine')")
    monkeypatch.chdir(tmp_path)
    with proxy("a.example") as made:
        assert status(ask(made, connect("b.example:443"))) == 403
