"""What bubblewrap keeps away from commands.  What ``local`` shares with ``none``: test_none.py."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.host.local import LocalSandbox, bubblewrap_problem
from pytest_autoexp.sandbox.host.requirements import PythonEnvironment, running_python
from pytest_autoexp.sandbox.host.seccomp import key_filter

bubblewrap = pytest.mark.skipif(bubblewrap_problem() is not None, reason="no bubblewrap")

REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
    print("reached")
except OSError as error:
    print("unreachable", error)
"""


@pytest.fixture
def sandbox() -> Iterator[LocalSandbox]:
    with LocalSandbox(running_python()) as sandbox:
        yield sandbox


def out(sandbox: LocalSandbox, command: str) -> str:
    result = sandbox.run(command, time_limit_sec=20)
    assert result.ok, result
    return result.stdout.strip()


@bubblewrap
@pytest.mark.parametrize(
    ("command", "seen"),
    [
        ("id -u; id -un; id -g; whoami", "1000\nagent\n1000\nagent"),
        ("pwd; cd; pwd", "/workspace\n/home/agent"),
        ("uname -n", "sandbox"),
        ("echo $PPID", "1"),
        ("grep CapEff /proc/self/status", "CapEff:\t0000000000000000"),
        ("grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1"),
        ("ls /proc/self/fd", "0\n1\n2\n3"),  # 3 is the listed folder itself
        ("ls /sys /run /var /mnt /srv /media 2>/dev/null; ls /home", "agent"),
    ],
)
def test_inside(sandbox: LocalSandbox, command: str, seen: str) -> None:
    assert sandbox.run(command, time_limit_sec=20).stdout.strip() == seen


@bubblewrap
@pytest.mark.parametrize("where", ["home", "repository", "temporary"])
def test_files_of_the_caller_are_not_there(
    sandbox: LocalSandbox, where: str, tmp_path: Path
) -> None:
    folder = {
        "home": Path.home(),
        "repository": Path(__file__).parents[3] / "pytest_autoexp",
        "temporary": tmp_path,
    }[where]
    (tmp_path / "file").touch()
    assert folder.is_dir()
    visible = [str(tree) for tree in running_python().trees]
    listing = sandbox.run(f"find {folder} -maxdepth 1", time_limit_sec=20).stdout.split()
    for path in listing:  # at most the empty way to the interpreter
        assert any(tree.startswith(path) for tree in visible)


@bubblewrap
def test_environment_inside_a_repository_shows_nothing_else_of_it(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "gold.py").write_text("the answer")
    venv = repository / ".venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(venv)], check=True
    )
    trees = (venv, Path(sys.base_prefix))
    python = PythonEnvironment(venv / "bin" / "python", venv / "bin", trees)
    with LocalSandbox(python) as sandbox:
        assert out(sandbox, "python -c 'import sys, json; print(sys.prefix)'") == str(venv)
        assert out(sandbox, f"ls -A {repository}") == ".venv"
        assert not sandbox.run(f"touch {venv}/x", time_limit_sec=20).ok


@bubblewrap
def test_repository_that_is_an_environment_shows_only_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True)
    (tmp_path / "gold.py").write_text("the answer")
    (tmp_path / "tasks").mkdir()
    monkeypatch.chdir(tmp_path / "tasks")
    executable = tmp_path / "bin" / "python"
    python = PythonEnvironment(executable, executable.parent, (tmp_path, Path(sys.base_prefix)))
    with LocalSandbox(python) as sandbox:
        assert out(sandbox, "python -c 'import sys; print(sys.prefix)'") == str(tmp_path)
        names = set(out(sandbox, f"ls -A {tmp_path}").split())
        assert names <= {"bin", "lib", "lib64", "pyvenv.cfg"}


@bubblewrap
def test_interpreter_that_is_reached_by_a_link_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "shims").mkdir()
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    shim = tmp_path / "shims" / "python"
    shim.symlink_to(Path(sys.executable).resolve())
    executable = tmp_path / "venv" / "bin" / "python"
    executable.symlink_to("../../shims/python")
    python = PythonEnvironment(
        executable, executable.parent, (tmp_path / "venv", Path(sys.base_prefix))
    )
    with LocalSandbox(python) as sandbox:
        assert out(sandbox, "python -c 'print(1)'") == "1"
        assert out(sandbox, f"ls {tmp_path} {tmp_path}/shims").split()[-1] == "python"


@bubblewrap
def test_repository_inside_the_system_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = Path("/usr/share/doc")
    if not inside.is_dir() or not any(inside.iterdir()):
        pytest.skip("needs a folder inside /usr")
    monkeypatch.chdir(inside)
    with LocalSandbox(running_python()) as sandbox:
        assert out(sandbox, f"ls -A {inside}") == ""


@bubblewrap
@pytest.mark.parametrize("where", ["src/proj", "packages/bench", "."])
def test_tasks_inside_the_environment_are_hidden(where: str, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    project = venv / where if where != "packages/bench" else packages / "bench"
    tasks = project / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "gold.py").write_text("the answer")
    answer = packages / "answer.py"
    answer.write_text("'the answer'")
    (packages / "module.py").write_text("print('imported')")
    python = PythonEnvironment(venv / "bin/python", venv / "bin", (venv, Path(sys.base_prefix)))
    with LocalSandbox(python, hidden=(tasks, answer, tmp_path)) as sandbox:
        assert out(sandbox, "python -c 'import module'") == "imported"
        found = sandbox.run(f"grep -rl 'the answer' {tmp_path}", time_limit_sec=20)
        assert found.stdout == ""
        assert not sandbox.run(f"touch {tasks}/x || touch {answer}", time_limit_sec=20).ok
    with LocalSandbox(python) as sandbox:
        assert "answer.py" in out(sandbox, f"grep -rl 'the answer' {tmp_path}")


@bubblewrap
def test_what_cannot_be_hidden_is_our_error() -> None:
    python = running_python()
    with pytest.raises(InfrastructureError, match=r"would be visible.*move the tasks"):
        LocalSandbox(python, hidden=(Path(sysconfig.get_path("purelib")),))


@bubblewrap
def test_project_inside_the_system_is_hidden_with_the_current_folder_elsewhere() -> None:
    inside = Path("/usr/share/doc")
    if not inside.is_dir() or not any(inside.iterdir()):
        pytest.skip("needs a folder inside /usr")
    with LocalSandbox(running_python(), hidden=(inside,)) as sandbox:
        assert out(sandbox, f"ls -A {inside}") == ""


KEYS = """
import ctypes, errno, platform, sys
first = {"x86_64": 248, "aarch64": 217, "riscv64": 217}[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)
for ring in [-1, -2, -3, -4, -5, *(int(serial, 16) for serial in sys.argv[1:])]:
    found = libc.syscall(first + 2, 10, ring, b"user", b"autoexp-test", 0)
    added = libc.syscall(first, b"user", b"autoexp-test", b"x", 1, ring)
    print("found" if found > 0 else "-", "added" if added > 0 else "-", ctypes.get_errno())
"""


@bubblewrap
@pytest.mark.skipif(not key_filter(), reason="no filter for this machine")
@pytest.mark.skipif(not Path("/proc/keys").exists(), reason="a kernel without keys")
def test_kernel_keys_are_out_of_reach(sandbox: LocalSandbox, tmp_path: Path) -> None:
    (tmp_path / "keys.py").write_text(KEYS)
    sandbox.put(tmp_path)
    serials = [line.split()[0] for line in Path("/proc/keys").read_text().splitlines()]
    lines = set(out(sandbox, f"python keys.py {' '.join(serials)}").splitlines())
    assert lines == {f"- - {errno.ENOSYS}"}
    assert not sandbox.run("cat /proc/keys || cat /proc/key-users", time_limit_sec=10).ok


IPC = """
import ctypes, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
print(libc.shmget(0x4175746F, 4096, 0), libc.msgget(0x4175746F, 0))
with open("/dev/shm/autoexp-test", "a+") as file:
    print(file.tell())
client = socket.socket(socket.AF_UNIX)
print(client.connect_ex("\\0" + sys.argv[1]))
"""


@bubblewrap
def test_nothing_is_shared_with_other_processes_in_memory(
    sandbox: LocalSandbox, tmp_path: Path
) -> None:
    (tmp_path / "ipc.py").write_text(IPC.replace("\\\\", "\\"))
    sandbox.put(tmp_path)
    key = 0x4175746F
    libc = ctypes.CDLL(None)
    memory, queue = libc.shmget(key, 4096, 0o1666), libc.msgget(key, 0o1666)
    name = f"autoexp-test-{os.getpid()}"
    shared = Path("/dev/shm/autoexp-test")
    try:
        shared.write_text("x")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"\0{name}")
            server.listen()
            seen = out(sandbox, f"python ipc.py {name}")
    finally:
        shared.unlink()
        libc.shmctl(memory, 0, None)
        libc.msgctl(queue, 0, None)
    assert memory >= 0
    assert queue >= 0
    assert seen == f"-1 -1\n0\n{errno.ECONNREFUSED}"


@bubblewrap
@pytest.mark.parametrize(
    "path",
    [
        *("/usr/x", "/usr/src/x", "/etc/passwd", "/etc/x", "/x", "/dev/x", "/proc/x"),
        *("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/mtrr"),
        *(f"{sys.prefix}/x", f"{sys.base_prefix}/x"),
    ],
)
def test_nothing_outside_can_be_written(sandbox: LocalSandbox, path: str) -> None:
    before = Path(path).read_bytes() if path.startswith("/etc/passwd") else None
    assert not sandbox.run(f": >> {path}", time_limit_sec=20).ok
    assert before is None or Path(path).read_bytes() == before


@bubblewrap
def test_accounts_of_the_host_are_not_listed(sandbox: LocalSandbox) -> None:
    assert out(sandbox, "cut -d: -f1 /etc/passwd") == "root\nagent"
    assert out(sandbox, "ls -A /etc/shadow 2>/dev/null || echo none") == "none"


@bubblewrap
def test_network_is_unreachable_and_loopback_is_its_own(
    sandbox: LocalSandbox, tmp_path: Path
) -> None:
    (tmp_path / "reach.py").write_text(REACH)
    sandbox.put(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        assert "unreachable" in out(sandbox, f"python reach.py 127.0.0.1 {port}")
    assert "unreachable" in out(sandbox, "python reach.py 192.0.2.1 80")
    own = 'python -c \'import socket as s; a = s.create_server(("127.0.0.1", 0));'
    own += " s.create_connection(a.getsockname()); print(1)'"
    assert out(sandbox, own) == "1"


@bubblewrap
def test_processes_of_the_host_cannot_be_reached(sandbox: LocalSandbox) -> None:
    assert not sandbox.run(f"kill -0 {os.getpid()}", time_limit_sec=20).ok
    assert sandbox.run("kill -9 -1; kill -9 $PPID; echo on", time_limit_sec=20).killed_by is None
    assert out(sandbox, "echo alive") == "alive"


@bubblewrap
def test_shared_memory_works_and_is_bounded(sandbox: LocalSandbox) -> None:
    out(sandbox, "echo x > /dev/shm/x")
    full = sandbox.run(
        "for i in 1 2; do head -c 400M /dev/zero > /dev/shm/$i; done; df /dev/shm",
        time_limit_sec=20,
    )
    assert "No space left" in full.stderr


@bubblewrap
def test_bubblewrap_that_breaks_is_our_error(tmp_path: Path) -> None:
    python = running_python()
    gone = tmp_path / "gone"
    gone.mkdir()
    with LocalSandbox(PythonEnvironment(python.executable, python.bin_dir, (gone,))) as sandbox:
        gone.rmdir()
        with pytest.raises(InfrastructureError, match=r"bubblewrap failed: bwrap: .*gone"):
            sandbox.run("true", time_limit_sec=20)


@bubblewrap
def test_bubblewrap_that_vanished_is_our_error(
    sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InfrastructureError, match="not installed any more"):
        sandbox.run("true", time_limit_sec=20)


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        (None, "not installed"),
        ("echo 'bwrap: No permissions' >&2; exit 1", "does not work here.*No permissions"),
        ("exit 3", "exit status 3"),
    ],
)
def test_problem_is_told_in_words(
    program: str | None, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if program is not None:
        (tmp_path / "bwrap").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    bubblewrap_problem.cache_clear()
    try:
        with pytest.raises(InfrastructureError, match=problem):
            LocalSandbox(running_python())
    finally:
        bubblewrap_problem.cache_clear()
    assert list((tmp_path / "temporary").iterdir()) == []
