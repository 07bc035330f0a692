"""The network of a container's commands: listed hosts over the proxy, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from webservers import serving

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.result import CommandResult
from pytest_autoexp.model.task import Resources

if TYPE_CHECKING:
    from docker import DockerClient

    from pytest_autoexp.sandbox.docker.sandbox import DockerSandbox

pytestmark = pytest.mark.docker

MIB = 1024**2
SMALL = Resources(memory_bytes=192 * MIB, disk_bytes=32 * MIB, pids=60)

Start = Callable[..., "DockerSandbox"]


@pytest.fixture(scope="module")
def web() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture(scope="module")
def other_web() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture(scope="module")
def start(base_image: str) -> Start:
    """Starts a container whose commands reach the given hosts."""
    from pytest_autoexp.sandbox.docker.options import DockerSettings
    from pytest_autoexp.sandbox.docker.sandbox import DockerSandbox

    def start(*hosts: str, image: str = base_image) -> DockerSandbox:
        settings = DockerSettings(image, SMALL, uuid.uuid4().hex, "trial-1", network=hosts)
        return DockerSandbox.start(settings)

    return start


@pytest.fixture(scope="module")
def box(start: Start, web: int) -> Iterator[DockerSandbox]:
    """A container that the tests share, with one server in its network."""
    with start(f"localhost:{web}") as sandbox:
        yield sandbox


def sh(sandbox: DockerSandbox, command: str, time_limit_sec: float = 60) -> CommandResult:
    return sandbox.run(command, time_limit_sec=time_limit_sec)


def python(source: str) -> str:
    return f"exec python3 - <<'END'\n{source}\nEND\n"


def get(sandbox: DockerSandbox, url: str) -> str:
    """What a client that heeds the variables gets, or the error."""
    source = f"""
import urllib.error, urllib.request
try:
    print(urllib.request.urlopen({url!r}, timeout=20).read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
except OSError as error:
    print(error)
"""
    return sh(sandbox, python(source)).stdout.strip()


# What is reached, and what is not.


def test_a_listed_host_is_reached_by_a_client_that_heeds_the_variables(
    box: DockerSandbox, web: int
) -> None:
    assert get(box, f"http://localhost:{web}/x") == f"{web} /x localhost:{web}"


def test_variables_name_the_proxy_in_both_cases(box: DockerSandbox) -> None:
    lines = sh(box, "env").stdout.splitlines()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        assert f"{name}=http://127.0.0.1:3128" in lines


@pytest.mark.parametrize(
    ("hosts", "direct"),
    [
        (("a.example",), "localhost,127.0.0.1,::1"),
        (("localhost:8000",), "127.0.0.1,::1"),
        (("127.0.0.1", "[::1]:80"), "localhost"),
    ],
)
def test_the_own_loopback_is_reached_directly_unless_the_hosts_is_listed(
    start: Start, hosts: tuple[str, ...], direct: str
) -> None:
    with start(*hosts) as sandbox:
        assert sh(sandbox, "echo $NO_PROXY; echo $no_proxy").stdout.split() == [direct, direct]


def test_the_callers_variables_come_first(box: DockerSandbox) -> None:
    result = box.run("echo $HTTP_PROXY", time_limit_sec=30, env={"HTTP_PROXY": "mine"})
    assert result.stdout == "mine\n"


def test_other_hosts_ports_and_addresses_are_refused_and_told(
    start: Start, web: int, other_web: int
) -> None:
    with start(f"localhost:{web}") as sandbox:
        for url in (f"http://localhost:{other_web}/", f"http://127.0.0.2:{web}/", "http://a.b/"):
            assert get(sandbox, url).startswith("403 ")
        assert "ini autoexp_network" in get(sandbox, "http://a.b/")
        assert [(r.host, r.port, r.method, r.count) for r in sandbox.refused()] == [
            ("localhost", other_web, "GET", 1),
            ("127.0.0.2", web, "GET", 1),
            ("a.b", 80, "GET", 2),
        ]


def test_a_tunnel_to_another_host_is_refused(box: DockerSandbox) -> None:
    assert "403" in get(box, "https://pypi.example/simple")


def test_nothing_goes_past_the_proxy(box: DockerSandbox, web: int) -> None:
    source = f"""
import socket
for address in (("127.0.0.1", {web}), ("172.17.0.1", {web}), ("8.8.8.8", 53)):
    try:
        socket.create_connection(address, 3)
        print("reached", address)
    except OSError as error:
        print(type(error).__name__)
print(sorted(name for _, name in socket.if_nameindex()))
"""
    lines = sh(box, python(source)).stdout.splitlines()
    assert "reached" not in "".join(lines)
    assert lines[-1] == "['lo']"


def test_without_hosts_there_is_nothing(start: Start) -> None:
    with start() as sandbox:
        source = "import socket; socket.create_connection(('127.0.0.1', 3128), 3)"
        result = sh(sandbox, f"env; ps -ef; {python(source)}")
        assert "ConnectionRefusedError" in result.stderr
        assert "proxy" not in result.stdout.lower()
        assert "python3 -I" not in result.stdout
        assert sandbox.refused() == ()


# Many connections.

TWENTY = """
import hashlib, threading, urllib.request
def load(number):
    data = urllib.request.urlopen("http://localhost:{web}/big/5242880", timeout=60).read()
    print(len(data), hashlib.sha256(data).hexdigest())
threads = [threading.Thread(target=load, args=(number,)) for number in range(20)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_twenty_at_once_arrive_whole(box: DockerSandbox, web: int) -> None:
    result = sh(box, python(TWENTY.replace("{web}", str(web))))
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert len(lines) == 20
    assert len(set(lines)) == 1
    assert lines[0].startswith("5242880 ")


def test_one_that_reads_slowly_holds_up_no_other(box: DockerSandbox, web: int) -> None:
    source = f"""
import time, urllib.request
slow = [urllib.request.urlopen("http://localhost:{web}/big/50000000") for _ in range(5)]
started = time.monotonic()
for _ in range(10):
    urllib.request.urlopen("http://localhost:{web}/x", timeout=20).read()
print(time.monotonic() - started < 10)
print([len(response.read()) for response in slow[:2]])
"""
    assert sh(box, python(source)).stdout == "True\n[50000000, 50000000]\n"


def test_more_than_are_relayed_at_once_wait_for_their_turn(box: DockerSandbox, web: int) -> None:
    source = f"""
import socket, time
idle = [socket.create_connection(("127.0.0.1", 3128)) for _ in range(80)]
time.sleep(0.5)
for connection in idle:
    connection.sendall(b"GET http://localhost:{web}/x HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
answers = []
for connection in idle:
    connection.settimeout(30)
    answers.append(connection.recv(65536)[:12])
    connection.close()
print(len(answers), set(answers))
"""
    assert sh(box, python(source)).stdout == "80 {b'HTTP/1.1 200'}\n"


def test_two_sandboxes_do_not_mix(start: Start, web: int, other_web: int) -> None:
    with start(f"localhost:{web}") as one, start(f"localhost:{other_web}") as two:
        answers: dict[tuple[int, int], str] = {}

        def ask(own: int, sandbox: DockerSandbox) -> None:
            for port in (web, other_web):
                answers[own, port] = get(sandbox, f"http://localhost:{port}/").split()[0]

        pairs = ((web, one), (other_web, two))
        threads = [threading.Thread(target=ask, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == {
            (web, web): str(web),
            (web, other_web): "403",
            (other_web, web): "403",
            (other_web, other_web): str(other_web),
        }
        assert [[r.port for r in box.refused()] for box in (one, two)] == [[other_web], [web]]


# What the commands may do to it.


@pytest.mark.parametrize(
    "command",
    [
        "kill -9 -1",
        "for p in /proc/[0-9]*; do kill -9 ${p#/proc/}; done",
        "head -c 1000000 /dev/urandom | python3 -c 'import socket, sys; s = socket."
        'create_connection(("127.0.0.1", 3128)); s.sendall(sys.stdin.buffer.read())\'',
        "setsid sleep 600 & setsid sleep 600 & exit 1",
    ],
    ids=["kill-all", "kill-each", "garbage", "left-behind"],
)
def test_no_command_ends_it(start: Start, web: int, command: str) -> None:
    with start(f"localhost:{web}") as sandbox:
        pids = "ps -e -o pid=,user=,args= | grep 'python3 -[I]'"
        before = sh(sandbox, pids).stdout
        sh(sandbox, command)
        assert sh(sandbox, pids).stdout == before
        assert get(sandbox, f"http://localhost:{web}/x").startswith(str(web))
        assert "sleep 600" not in sh(sandbox, "ps -ef").stdout


def test_a_command_that_left_something_behind_is_still_seen_when_the_relay_is_gone(
    start: Start, engine: DockerClient, web: int
) -> None:
    with start(f"localhost:{web}") as sandbox:
        kill_inside(engine, sandbox)
        assert sh(sandbox, "setsid sleep 600 >/dev/null 2>&1 &").ok
        assert "sleep 600" not in sh(sandbox, "ps -ef").stdout


def kill_inside(engine: DockerClient, sandbox: DockerSandbox) -> None:
    """Kill the program inside, as its own user may."""
    is_it = "grep -q 'exec[(]sys[.]stdin' $p/cmdline"
    script = f"for p in /proc/[0-9]*; do {is_it} && kill -9 ${{p#/proc/}}; done"
    engine.api.exec_start(
        engine.api.exec_create(sandbox._container._name, ["sh", "-c", script], user="0:0")["Id"]
    )


def test_relay_that_died_is_started_again_for_the_next_command_and_a_proxy_is_an_error(
    start: Start, engine: DockerClient, web: int
) -> None:
    with start(f"localhost:{web}") as sandbox:
        network = sandbox._network
        assert network is not None
        get(sandbox, "http://a.b/")
        kill_inside(engine, sandbox)
        deadline = time.monotonic() + 10
        while network._relay is not None and network._relay.running:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert get(sandbox, f"http://localhost:{web}/x").startswith(str(web))
        assert [r.host for r in sandbox.refused()] == ["a.b"]
        assert network._proxy is not None
        assert network._proxy._running is not None
        network._proxy._running.process.kill()
        network._proxy._running.process.wait()
        with pytest.raises(InfrastructureError, match="was killed while it was in use"):
            sh(sandbox, "true")


def test_it_is_there_again_after_a_restart_of_the_container(
    start: Start, engine: DockerClient, web: int
) -> None:
    with start(f"localhost:{web}") as sandbox:
        engine.api.restart(sandbox._container._name, timeout=0)
        deadline = time.monotonic() + 10
        while not get(sandbox, f"http://localhost:{web}/x").startswith(str(web)):
            assert time.monotonic() < deadline  # a busy Podman tells late that the relay ended


def test_at_a_time_limit_open_connections_end_and_the_next_command_has_new_ones(
    box: DockerSandbox, web: int
) -> None:
    source = f"""
import time, urllib.request
held = [urllib.request.urlopen("http://localhost:{web}/big/50000000") for _ in range(60)]
time.sleep(600)
"""
    assert sh(box, python(source), time_limit_sec=3).killed_by == "time"
    assert get(box, f"http://localhost:{web}/x").startswith(str(web))


# That nothing is left.


@pytest.fixture
def own_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So that no folder of another test is taken for one that was left."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


def test_an_image_without_python_is_our_error_and_leaves_nothing(
    start: Start,
    engine: DockerClient,
    base_image: str,
    own_temporary_folder: None,
) -> None:
    dockerfile = f'FROM {base_image}\nENV PATH=/nowhere:/bin\nRUN ["/bin/sh", "-c", "true"]'
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(dockerfile)
        image, _ = engine.images.build(path=folder, forcerm=True)
    before = leftovers()
    try:
        with pytest.raises(InfrastructureError, match=r"needs python3.* in the image\)"):
            start("a.example", image=str(image.id)).close()
        assert engine.api.containers(all=True, filters={"ancestor": image.id}) == []
    finally:
        engine.images.remove(image.id)
    assert leftovers() == before


def leftovers() -> tuple[set[str], set[str], int]:
    """Processes below this one, private folders and threads."""
    children = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="],
        capture_output=True,
        text=True,
        check=False,
    )
    proxies = {line for line in children.stdout.splitlines() if "proxy_process" in line}
    folders = {path.name for path in Path(tempfile.gettempdir()).glob("autoexp-*")}
    return proxies, folders, len([t for t in threading.enumerate() if t.name == "autoexp-relay"])


def test_nothing_is_left_after_close_and_no_network_is_made(
    start: Start, engine: DockerClient, web: int
) -> None:
    networks = {network["Id"] for network in engine.api.networks()}
    before = leftovers()
    with ExitStack() as stack:
        sandbox = stack.enter_context(start(f"localhost:{web}"))
        get(sandbox, f"http://localhost:{web}/x")
        assert {network["Id"] for network in engine.api.networks()} == networks
    after = leftovers()
    # Other tests on this machine have folders of their own.
    assert (after[0], after[2]) == (before[0], before[2])
    sandbox.close()


def test_it_closes_at_once_whatever_is_open(start: Start, web: int) -> None:
    sandbox = start(f"localhost:{web}")
    source = f"""
import time, urllib.request
held = [urllib.request.urlopen("http://localhost:{web}/big/50000000") for _ in range(60)]
time.sleep(600)
"""
    process = sandbox._container.start_own(["python3", "-c", source])
    time.sleep(2)
    started = time.monotonic()
    sandbox.close()
    process.close()
    assert time.monotonic() - started < 5


# An interrupt in the middle of a library's call may leave a socket of its own to be collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("after_sec", [0.01, 0.05, 0.1, 0.2, 0.3, 0.4])
def test_interrupted_at_its_start_it_leaves_nothing(
    start: Start, engine: DockerClient, after_sec: float
) -> None:
    proxies, _, threads = leftovers()
    before = {container["Id"] for container in engine.api.containers(all=True)}

    def interrupted() -> None:
        threading.Timer(after_sec, os.kill, (os.getpid(), signal.SIGINT)).start()
        with start("a.example"):
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    left = [
        container
        for container in engine.api.containers(all=True)
        if container["Id"] not in before
        and container["Labels"].get("pytest-autoexp.owner", "").split()[2:3] == [str(os.getpid())]
    ]
    assert left == []
    deadline = time.monotonic() + 5  # a proxy that just began needs a moment to see its end
    while leftovers()[0] != proxies:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert leftovers()[2] == threads
