"""Containers on the real engine: what commands can do in them, and what is left of them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.result import CommandResult
from pytest_autoexp.model.task import Resources
from pytest_autoexp.sandbox.choose import DEFAULT_DOCKER_HOST

if TYPE_CHECKING:
    from docker import DockerClient

    from pytest_autoexp.sandbox.docker.sandbox import DockerSandbox

pytestmark = pytest.mark.docker

MIB = 1024**2
SMALL = Resources(memory_bytes=128 * MIB, disk_bytes=32 * MIB, pids=40)

Start = Callable[..., "DockerSandbox"]


@pytest.fixture(scope="module")
def run_id() -> str:
    return uuid.uuid4().hex


@pytest.fixture(scope="module")
def start(base_image: str, run_id: str) -> Start:
    """Starts a container of this module's run."""
    from pytest_autoexp.sandbox.docker.options import DockerSettings
    from pytest_autoexp.sandbox.docker.sandbox import DockerSandbox

    def start(
        resources: Resources = SMALL, image: str = base_image, devices: tuple[str, ...] = ()
    ) -> DockerSandbox:
        return DockerSandbox.start(DockerSettings(image, resources, run_id, "trial-1", devices))

    return start


@pytest.fixture(scope="module")
def box(start: Start) -> Iterator[DockerSandbox]:
    """A container that the tests share: no test leaves a process or counts on what is in it."""
    with start() as sandbox:
        yield sandbox


@pytest.fixture
def containers(engine: DockerClient, run_id: str) -> Callable[[], int]:
    """Counts the containers of this module's run."""
    filters = {"label": f"pytest-autoexp.run={run_id}"}
    return lambda: len(engine.api.containers(all=True, filters=filters))


def sh(sandbox: DockerSandbox, command: str, time_limit_sec: float = 30) -> CommandResult:
    return sandbox.run(command, time_limit_sec=time_limit_sec)


def processes(sandbox: DockerSandbox) -> list[str]:
    """The commands of all processes of the user that commands run as, but the asking ones."""
    script = (
        "for p in /proc/[0-9]*; do [ -O $p ] && [ ${p#/proc/} != $$ ] && tr '\\0' ' ' <$p/cmdline"
        " && echo; done"
    )
    return [line for line in sh(sandbox, script).stdout.splitlines() if not line.startswith("tr ")]


def python(source: str) -> str:
    """A shell command that runs a Python program."""
    return f"exec python - <<'END'\n{source}\nEND\n"


# What a command sees.


def test_output_and_status_of_a_command(box: DockerSandbox) -> None:
    result = sh(box, "echo out; echo err >&2; exit 3")
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 3)
    assert not result.ok
    assert result.killed_by is None
    assert not result.truncated


def test_status_of_a_command_that_a_signal_ended(box: DockerSandbox) -> None:
    assert sh(box, "kill -SEGV $$").exit_code == 128 + signal.SIGSEGV


def test_command_starts_in_a_folder_of_the_workspace(box: DockerSandbox) -> None:
    assert sh(box, "pwd; mkdir -p 'a b'").stdout.strip() == box.workspace
    assert box.run("pwd", time_limit_sec=30, cwd="a b").stdout.strip() == "/workspace/a b"


def test_missing_folder_is_the_commands_failure(box: DockerSandbox) -> None:
    result = box.run("echo never", time_limit_sec=30, cwd="gone")
    assert (result.exit_code, result.stdout) == (126, "")
    assert "gone" in result.stderr


@pytest.mark.parametrize("cwd", ["..", "/etc"])
def test_folder_outside_the_workspace_is_refused(cwd: str, box: DockerSandbox) -> None:
    with pytest.raises(ValueError, match="must be relative to the workspace"):
        box.run("pwd", time_limit_sec=30, cwd=cwd)


def test_environment_is_short_and_holds_nothing_of_the_caller(
    box: DockerSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "s3cret")
    result = box.run("env", time_limit_sec=30, env={"GIVEN": "a 'value'\nof two lines"})
    assert "SECRET" not in result.stdout
    assert "GIVEN=a 'value'\nof two lines" in result.stdout
    names = {line.partition("=")[0] for line in result.stdout.splitlines()}
    assert {"PATH", "HOME", "TMPDIR", "LANG", "PYTHONHASHSEED", "OMP_NUM_THREADS"} <= names


def test_home_and_tmp_are_writable_and_programs_run_there(box: DockerSandbox) -> None:
    script = (
        "cd && pwd && for d in ~ $TMPDIR /workspace; do cp /bin/true $d/t && $d/t || exit; done"
    )
    assert sh(box, script).stdout == "/home/agent\n"
    assert sh(box, script).ok


def test_standard_input_is_empty(box: DockerSandbox) -> None:
    assert sh(box, "cat; echo done").stdout == "done\n"


def test_binary_output_is_decoded_with_replacement(box: DockerSandbox) -> None:
    assert sh(box, r"printf 'a\377\000b'").stdout == "a\ufffd\x00b"


# What it cannot do.


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("touch /usr/x", "Read-only file system"),
        ("touch /x", "Read-only file system"),
        ("mknod n b 8 0", "Operation not permitted"),
        ("chown 0 /workspace", "Operation not permitted"),
        ("kill -9 1", "ermitted"),
        ("cat /etc/shadow /proc/1/environ", "Permission denied"),
    ],
)
def test_what_is_refused(command: str, message: str, box: DockerSandbox) -> None:
    result = sh(box, f"{command} && exit 0; exit 1")
    assert result.exit_code == 1
    assert message in result.stderr or command.startswith("touch")
    assert sh(box, "true").ok


def test_command_has_no_rights(box: DockerSandbox) -> None:
    result = sh(box, "id -u; grep -E 'CapBnd|CapEff|NoNewPrivs|Seccomp:' /proc/self/status")
    assert result.stdout.split() == [
        "1000",
        *("CapEff:", "0" * 16, "CapBnd:", "0" * 16),
        *("NoNewPrivs:", "1", "Seccomp:", "2"),
    ]


def test_network_is_unreachable(box: DockerSandbox) -> None:
    result = sh(box, python("import socket\nsocket.create_connection(('1.1.1.1', 53), timeout=3)"))
    assert "Network is unreachable" in result.stderr
    assert sh(box, "cat /proc/net/dev | grep -c :").stdout.strip() == "1"  # the loopback


def test_nothing_of_the_host_is_mounted(box: DockerSandbox, tmp_path: Path) -> None:
    assert not sh(box, f"ls {tmp_path} {Path(__file__).parent}").ok


# Limits.


def test_time_limit_ends_every_kind_of_process(box: DockerSandbox) -> None:
    command = (
        "trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM; sleep 1000' & "
        "(sh -c 'sleep 1001 & sleep 1002' &) ; nohup sleep 1003 & echo started; sleep 1004"
    )
    result = sh(box, command, time_limit_sec=1)
    assert result.killed_by == "time"
    assert result.exit_code == 137
    assert "started" in result.stdout
    assert 1 <= result.duration_sec < 10
    assert processes(box) == []


@pytest.mark.parametrize("limit", [0, -1])
def test_no_time_is_the_end_at_once(limit: float, box: DockerSandbox) -> None:
    result = box.run("touch started", time_limit_sec=limit)
    assert (result.killed_by, result.exit_code, result.duration_sec) == ("time", 137, 0.0)
    assert not sh(box, "test -e started").ok


@pytest.mark.parametrize(
    "command",
    [
        "sleep 1000 & echo done",
        "setsid sleep 1000 >/dev/null 2>&1 & echo done",
        "(setsid sh -c 'trap \"\" TERM; sleep 1000' &) ; echo done",
        "sleep 1000 & echo done; kill -9 $$",
    ],
    ids=["holds-the-output", "own-session", "double-fork", "killed-itself"],
)
def test_background_processes_are_gone_afterwards(command: str, box: DockerSandbox) -> None:
    result = sh(box, command)
    assert result.stdout == "done\n"
    assert result.killed_by is None
    assert result.duration_sec < 10
    assert processes(box) == []


def test_command_that_kills_all_it_may_ends_only_itself(box: DockerSandbox) -> None:
    assert sh(box, "kill -9 -1; kill -9 $$").exit_code == 137
    assert sh(box, "echo alive").stdout == "alive\n"


@pytest.mark.parametrize(
    "bomb",
    [
        "while True:\n try: os.fork() or time.sleep(1000)\n except OSError: time.sleep(0.1)",
        "while True:\n try: os.fork() and os.setsid()\n except OSError: pass",
    ],
    ids=["sleeping", "busy"],
)
def test_fork_bomb_is_bounded_and_ended(bomb: str, start: Start) -> None:
    with start() as sandbox:
        sh(sandbox, "echo kept > file")
        result = sh(sandbox, python(f"import os, time\n{bomb}"), time_limit_sec=2)
        assert result.killed_by == "time"
        assert processes(sandbox) == []
        assert sh(sandbox, "cat file").stdout == "kept\n"


def test_endless_output_is_cut_in_the_middle(box: DockerSandbox) -> None:
    result = box.run("yes; true", time_limit_sec=1.5, output_cap_bytes=1000)
    assert (result.killed_by, result.truncated) == ("time", True)
    assert len(result.stdout) < 1100


def test_first_and_last_of_long_output_are_kept(box: DockerSandbox) -> None:
    result = box.run("seq 300000; seq 9 >&2", time_limit_sec=30, output_cap_bytes=100)
    assert result.ok
    assert result.truncated
    assert result.stdout.startswith("1\n2\n3\n")
    assert result.stdout.endswith("299999\n300000\n")
    assert result.stderr.split() == [str(n) for n in range(1, 10)]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (python("x = b'x' * 10**9"), 137),
        (f'sh -c "{python("x = 1 * [0] * 10**9")}"; exit 5', 5),
    ],
    ids=["itself", "a-child"],
)
def test_memory_limit_is_named(command: str, code: int, box: DockerSandbox) -> None:
    result = sh(box, command)
    assert (result.exit_code, result.killed_by) == (code, "memory")
    after = sh(box, "exit 137")
    assert after.killed_by is None


def test_disk_limit_ends_in_an_error_of_the_command(start: Start) -> None:
    with start() as sandbox:
        for folder in ("/workspace", "/tmp", "~"):
            result = sh(sandbox, f"head -c 40M /dev/zero > {folder}/big; stat -c %s {folder}/big")
            assert int(result.stdout) <= SMALL.disk_bytes
        result = sh(sandbox, "head -c 33M /dev/zero | dd bs=1M of=/dev/shm/big")
        assert result.exit_code != 0, "file size limit"
        assert sh(sandbox, "rm -r /workspace/*; echo x > y").ok


def test_cpu_limit_is_clipped_to_what_the_engine_has(start: Start) -> None:
    with start(Resources(cpus=10_000)) as sandbox:
        assert sh(sandbox, "true").ok


# Trees.

ODD_NAMES = ["with space", "-dash", "ünï", "quote'\"", "new\nline", "$HOME", "*", "n" * 200]


def test_round_trip_of_a_tree(box: DockerSandbox, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ODD_NAMES:
        (source / name).mkdir(parents=True)
        (source / name / name).write_bytes(name.encode() * 20_000)
    (source / "empty").mkdir()
    for path in ("", "code", "a/b c/-d"):
        box.put(source, path)
        assert box.get(tmp_path / "dest" / path, path) == ()
        assert files(tmp_path / "dest" / path) == files(source)
        shutil.rmtree(tmp_path / "dest")


def files(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_what_is_put_belongs_to_the_commands_user(box: DockerSandbox, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("old")
    (tmp_path / "folder" / "file").chmod(0o400)
    (tmp_path / "folder").chmod(0o500)
    box.put(tmp_path, "code")
    result = sh(box, "cd code/folder && stat -c %u:%g . file && echo new > file && touch other")
    assert result.stdout.split() == ["1000:1000"] * 2
    assert result.ok


@pytest.mark.parametrize(
    "before",
    [
        "mkdir -p code/deep/er && touch code/.hidden code/deep/er/f",
        "mkdir -p code/locked && touch code/locked/f && chmod 0 code/locked code",
        "echo > code",
        "ln -s /tmp code",
        "ln -s nowhere code",
        "mkfifo code",
    ],
    ids=["a-tree", "locked", "a-file", "a-link", "a-dangling-link", "a-fifo"],
)
def test_put_replaces_whatever_was_there(before: str, box: DockerSandbox, tmp_path: Path) -> None:
    (tmp_path / "only").write_text("this")
    assert sh(box, f"chmod -R u+rwX code; rm -rf code; {before}").ok
    box.put(tmp_path, "code")
    box.get(tmp_path / "dest", "code")
    assert files(tmp_path / "dest") == {"only": b"this"}
    assert "code" in sh(box, "find . -maxdepth 1 -type d").stdout
    assert not sh(box, "test -e /tmp/only").ok


def test_put_into_the_root_clears_the_workspace(box: DockerSandbox, tmp_path: Path) -> None:
    sh(box, "mkdir -p old/er; touch .old old/er/f; chmod 0 old")
    (tmp_path / "new").touch()
    box.put(tmp_path)
    assert sh(box, "find . -mindepth 1").stdout == "./new\n"


def test_tree_that_does_not_fit_is_our_error(start: Start, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"x" * (20 * MIB))
    with start() as sandbox:
        with pytest.raises(InfrastructureError, match=r"(?s)tar: b: .*resources\.disk"):
            sandbox.put(tmp_path, "code")
        assert sh(sandbox, "true").ok


def test_what_cannot_be_put_is_the_callers_mistake_and_changes_nothing(
    box: DockerSandbox, tmp_path: Path
) -> None:
    sh(box, "mkdir -p kept; touch kept/file")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe: only files, folders and links"):
        box.put(tmp_path, "kept")
    with pytest.raises(ValueError, match="no such folder"):
        box.put(tmp_path / "missing", "kept")
    assert sh(box, "ls kept").stdout == "file\n"


def test_path_longer_than_the_host_takes_stays_behind(box: DockerSandbox, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    box.put(tmp_path / "empty", "long")
    deep = "import os\nfor _ in range(30): os.mkdir('n' * 240); os.chdir('n' * 240)"
    assert box.run(python(deep), time_limit_sec=30, cwd="long").ok
    left = box.get(tmp_path / "dest", "long")
    assert left
    assert all(len(line) < 300 for line in left)
    assert len(files(tmp_path / "dest")) == 4


def test_only_files_and_folders_come_out(box: DockerSandbox, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    box.put(tmp_path / "source", "out")
    made = box.run(
        "mkdir folder; echo text > folder/file; ln -s /etc/passwd link; ln -s .. folder/up;"
        "mkfifo pipe; ln folder/file hard; echo locked > locked; chmod 0 locked folder;"
        + python("import socket\nsocket.socket(socket.AF_UNIX).bind('socket')"),
        time_limit_sec=30,
        cwd="out",
    )
    assert made.ok, made
    left = box.get(tmp_path / "dest", "out")
    assert files(tmp_path / "dest") == {
        "folder": None,
        "folder/file": b"text\n",
        "hard": b"text\n",
        "locked": b"locked\n",
    }
    assert sorted(left) == [
        "'./folder/up': a symbolic link",
        "'./link': a symbolic link",
        "'./pipe': a FIFO",
        "./socket: socket ignored",
    ]


@pytest.mark.parametrize(
    ("made", "lines"),
    [
        ("true", ()),
        ("echo > gone", ()),
        ("ln -s /etc gone", ("/workspace/gone: a symbolic link",)),
    ],
    ids=["missing", "a-file", "a-link"],
)
def test_folder_that_is_none_comes_out_empty(
    made: str, lines: tuple[str, ...], box: DockerSandbox, tmp_path: Path
) -> None:
    sh(box, f"rm -rf gone; {made}")
    assert box.get(tmp_path / "dest", "gone") == lines
    assert files(tmp_path / "dest") == {}


def test_tree_over_the_limit_leaves_the_container_usable(
    box: DockerSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_autoexp.sandbox import tree
    from pytest_autoexp.sandbox.docker import sandbox as docker

    def limited(stream: tree.Readable, dest: Path, **others: Any) -> tuple[str, ...]:
        return tree.unpack_checked(stream, dest, **others | {"max_streamed_bytes": 2 * MIB})

    monkeypatch.setattr(docker, "unpack_checked", limited)
    sh(box, "mkdir -p big; for i in 1 2 3 4 5 6 7 8; do head -c 900K /dev/zero > big/$i; done")
    (*_, last) = box.get(tmp_path / "dest", "big")
    assert "it and all that follows it" in last
    assert sh(box, "rm -r big; echo usable").stdout == "usable\n"


@pytest.mark.parametrize(
    ("made", "path", "content"),
    [
        ("printf 0123456789 > f", "f", b"0123456789"),
        ("printf 0123456789abc > f", "f", b"0123456789a"),
        (": > f", "f", b""),
        ("mkdir -p 'd e'; printf x > 'd e/-f'", "d e/-f", b"x"),
        (r"printf '\000\377' > f", "f", b"\0\xff"),
        ("rm -f f", "f", None),
        ("rm -rf f; mkdir f", "f", None),
        ("rm -rf f; ln -s /etc/passwd f", "f", None),
        ("rm -rf f; mkfifo f", "f", None),
        ("rm -rf f; ln -s /etc f", "f/passwd", None),
        ("true", "", None),
    ],
)
def test_read(made: str, path: str, content: bytes | None, box: DockerSandbox) -> None:
    assert sh(box, made).ok
    assert box.read(path, 10) == content
    sh(box, "rm -rf f")


# What is left.


def test_container_carries_the_labels(
    engine: DockerClient, run_id: str, box: DockerSandbox
) -> None:
    filters = {"label": [f"pytest-autoexp.run={run_id}", "pytest-autoexp.trial=trial-1"]}
    (found,) = engine.api.containers(filters=filters)
    assert found["Names"][0].startswith("/autoexp-")
    assert found["Mounts"] == []


def test_nothing_is_left_after_closing_twice(start: Start, containers: Callable[[], int]) -> None:
    before = containers()
    sandbox = start()
    assert containers() == before + 1
    sandbox.close()
    sandbox.close()
    assert containers() == before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_after_an_exception(
    error: type[BaseException], start: Start, containers: Callable[[], int]
) -> None:
    before = containers()

    def use() -> None:
        with start():
            raise error

    with pytest.raises(error):
        use()
    assert containers() == before


# An exception between making a socket and keeping it, in the Docker library, closes it late.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("delay_sec", [0.03, 0.1, 0.25])
def test_nothing_is_left_when_starting_or_running_is_interrupted(
    delay_sec: float, start: Start, containers: Callable[[], int]
) -> None:
    before = containers()

    def use() -> None:
        timer.start()
        with start() as sandbox:
            sandbox.run("sleep 1000", time_limit_sec=1000)

    timer = threading.Timer(delay_sec, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        use()
    assert containers() == before


def test_image_that_is_not_there_is_our_error(start: Start, containers: Callable[[], int]) -> None:
    before = containers()
    with pytest.raises(InfrastructureError, match=r"(?i)cannot be started: no such image"):
        start(image="autoexp-none:never")
    assert containers() == before


def test_gpu_that_the_engine_does_not_offer_is_our_error(
    start: Start, containers: Callable[[], int]
) -> None:
    before = containers()
    try:
        start(devices=("0",)).close()
    except InfrastructureError as error:
        assert re.search(  # noqa: PT017
            r"asks for 1 GPU\(s\), (and the Docker engine offers none|which Podman does not give)",
            str(error),
        )
    assert containers() == before


@pytest.mark.parametrize("way", ["kill", "remove_container"])
def test_container_that_vanishes_is_our_error(
    way: str, start: Start, engine: DockerClient, run_id: str
) -> None:
    def ids() -> set[str]:
        filters = {"label": f"pytest-autoexp.run={run_id}"}
        return {found["Id"] for found in engine.api.containers(all=True, filters=filters)}

    before = ids()
    with start() as sandbox:
        (new,) = ids() - before
        options = {"force": True} if way == "remove_container" else {}
        timer = threading.Timer(1, getattr(engine.api, way), (new,), options)
        timer.start()
        with pytest.raises(InfrastructureError, match=r"cannot be run|was killed") as caught:
            sh(sandbox, "sleep 1000")
        assert any(note.startswith("container autoexp-") for note in caught.value.__notes__)
        with pytest.raises(InfrastructureError):
            sh(sandbox, "true")
    assert ids() == before


OWNER = """
import sys, time
from pytest_autoexp.model.task import Resources
from pytest_autoexp.sandbox.docker.sandbox import DockerSandbox
from pytest_autoexp.sandbox.docker.options import DockerSettings
sandbox = DockerSandbox.start(DockerSettings(sys.argv[1], Resources(), sys.argv[2], "t"))
print("started", flush=True)
time.sleep(1000)
"""


def test_what_a_killed_process_left_is_removed_and_nothing_else(
    base_image: str, run_id: str, box: DockerSandbox, containers: Callable[[], int]
) -> None:
    from pytest_autoexp.sandbox.docker.leftovers import remove_leftovers

    before = containers()
    command = [sys.executable, "-c", OWNER, base_image, run_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "started\n"
        kept = [line for line in remove_leftovers() if f"of run {run_id}, which is alive" in line]
        assert any(f"(process {owner.pid})" in line for line in kept)
        assert containers() == before + 1, "its owner lives"
        owner.send_signal(signal.SIGKILL)
    removed = [line for line in remove_leftovers() if line.startswith("removed container autoexp-")]
    assert containers() == before
    assert len(removed) >= 1
    assert sh(box, "echo alive").stdout == "alive\n"


# The way to the engine.


@pytest.fixture
def slow_proxy(tmp_path: Path) -> Iterator[str]:
    """A socket that passes on what the engine says late, and so header and output at once."""
    path = tmp_path / "engine.sock"
    host = os.environ.get("DOCKER_HOST") or DEFAULT_DOCKER_HOST
    assert host.startswith("unix://")

    def forward(source: socket.socket, target: socket.socket, delay_sec: float) -> None:
        with source, target:
            while source.recv(1, socket.MSG_PEEK):
                time.sleep(delay_sec)
                target.sendall(source.recv(65536))
            target.shutdown(socket.SHUT_WR)
            time.sleep(1)

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(host.removeprefix("unix://"))
            for arguments in ((near.dup(), far.dup(), 0.0), (far, near, 0.15)):
                threading.Thread(target=quietly, args=arguments, daemon=True).start()

    def quietly(*arguments: object) -> None:
        with suppress(OSError):
            forward(*arguments)  # type: ignore[arg-type]

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=serve, daemon=True).start()
        yield f"unix://{path}"


def test_output_that_comes_with_the_header_is_not_lost(
    slow_proxy: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", slow_proxy)
    with start() as sandbox:
        assert sh(sandbox, "echo hello").stdout == "hello\n"
