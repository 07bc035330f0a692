"""Commands of the host under the supervisor: limits hold and no process is left."""

from __future__ import annotations

import os
import platform
import secrets
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_autoexp.model.errors import InfrastructureError, LimitReached
from pytest_autoexp.model.result import CommandResult
from pytest_autoexp.model.task import Resources
from pytest_autoexp.sandbox.host import cgroup, process

linux = pytest.mark.skipif(sys.platform != "linux", reason="detached processes are found on Linux")

DETACHED = "(trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM; (sleep {n} &); sleep {n}' &)"


@pytest.fixture
def sleep_sec() -> int:
    """A length of sleep that nobody else uses, by which a test tells its processes."""
    return 100_000 + secrets.randbelow(10**9)


def run(script: str, time_limit_sec: float = 20, **options: object) -> CommandResult:
    cap = options.pop("cap", 10_000)
    assert isinstance(cap, int)
    command = process.Command(
        argv=("/bin/sh", "-c", script),
        cwd=Path("/tmp"),
        env={"PATH": "/usr/bin:/bin", process.MARK: secrets.token_hex(8)},
        resources=Resources(**options),  # type: ignore[arg-type]
    )
    return process.run(command, time_limit_sec, cap).result


def sleepers(seconds: int) -> list[str]:
    """The processes, zombies apart, whose command line has this number."""
    lines = subprocess.run(
        ["ps", "-eo", "pid,stat,args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line for line in lines if str(seconds) in line and " Z" not in line]


@pytest.mark.parametrize(
    ("script", "exit_code", "stdout", "stderr"),
    [
        ("echo out; echo err >&2; exit 3", 3, "out\n", "err\n"),
        ("kill -9 $$", 137, "", ""),
        ("kill -TERM $$", 143, "", ""),
        ("cat", 0, "", ""),
        ("printf '\\377\\000'", 0, "\ufffd\0", ""),
        ("yes | head -1", 0, "y\n", ""),
        ("no-such-program-here 2>/dev/null", 127, "", ""),
    ],
)
def test_result_is_what_the_command_did(
    script: str, exit_code: int, stdout: str, stderr: str
) -> None:
    result = run(script)
    assert (result.exit_code, result.stdout, result.stderr) == (exit_code, stdout, stderr)
    assert result.killed_by is None
    assert not result.truncated


def test_both_streams_are_drained_at_once_and_bounded() -> None:
    result = run("head -c 3000000 /dev/zero >&2; head -c 5000000 /dev/zero; echo end", cap=1000)
    assert result.exit_code == 0
    assert result.truncated
    assert result.stdout.endswith("\0end\n")
    assert len(result.stdout) < 1100
    assert len(result.stderr) < 1100


@linux
@pytest.mark.parametrize(
    "script",
    [
        "sleep {n}",
        "trap '' TERM INT HUP; while :; do sleep {n}; done",
        DETACHED + "; sleep {n}",
        "sleep {n} & kill -STOP $!; kill -STOP $$",
        "(sleep {n} &) ; kill -STOP $PPID; sleep {n}",
        "sleep {n} & yes",
    ],
    ids=["plain", "ignores TERM", "detached", "stopped", "stops its supervisor", "endless output"],
)
def test_at_the_time_limit_the_whole_tree_is_killed(script: str, sleep_sec: int) -> None:
    started = time.monotonic()
    result = run(script.format(n=sleep_sec), time_limit_sec=0.5)
    assert (result.killed_by, result.exit_code) == ("time", 137)
    assert 0.5 <= time.monotonic() - started < 10
    assert sleepers(sleep_sec) == []


@linux
@pytest.mark.parametrize(
    "script",
    ["sleep {n} &", DETACHED, "sleep {n} & kill -STOP $!", "sleep {n} >&- 2>&- &"],
    ids=["holds stdout", "detached", "stopped", "silent"],
)
def test_what_runs_on_in_the_background_ends_with_the_command(script: str, sleep_sec: int) -> None:
    result = run(script.format(n=sleep_sec) + "\necho done; exit 4")
    assert (result.exit_code, result.stdout, result.killed_by) == (4, "done\n", None)
    assert result.duration_sec < 10
    assert sleepers(sleep_sec) == []


@linux
def test_command_that_kills_its_supervisor_gains_nothing(sleep_sec: int) -> None:
    result = run(f"sleep {sleep_sec} & setsid sleep {sleep_sec} & kill -9 $PPID; sleep {sleep_sec}")
    assert result.exit_code == 137
    assert sleepers(sleep_sec) == []


BOMB = """
import os, sys
count = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
while True:
    try:
        if os.fork() == 0:
            os.write(count, b"x")
    except OSError:
        pass
"""


@linux
def test_fork_bomb_is_bounded_and_gone(sleep_sec: int, tmp_path: Path) -> None:
    bomb, count = tmp_path / f"bomb{sleep_sec}.py", tmp_path / "count"
    bomb.write_text(BOMB)
    count.touch()
    result = run(f"exec {sys.executable} {bomb} {count}", time_limit_sec=2, pids=60)
    assert result.killed_by == "time"
    assert result.duration_sec < 10
    assert sleepers(sleep_sec) == []
    assert 10 < count.stat().st_size <= 70  # other processes of the user come and go


@linux
def test_memory_hog_is_stopped() -> None:
    hog = f"{sys.executable} -c 'x = bytearray(2**30); x[::4096] = bytes(2**18); print(1)'"
    result = run(hog, memory_bytes=300 * 1024**2)
    assert result.stdout == ""
    with cgroup.command_group(Resources()) as group:
        in_group = bool(group.folders)
    assert result.killed_by == ("memory" if in_group else None)
    assert result.exit_code == (137 if in_group else 1)


SHARED = """
import mmap, os, time
def shared(mib):
    area = mmap.mmap(-1, mib * 2**20)
    for _ in range(mib):
        area.write(bytes(2**20))
    return area
first = shared({first})
for _ in range({forks}):
    if os.fork() == 0:
        assert sum(first[::4096]) == 0
        second = shared({second})
        break
time.sleep({sec})
"""


@linux
@pytest.mark.parametrize(
    ("sizes", "killed_by"),
    [
        ({"first": 128, "forks": 0, "second": 1, "sec": 60}, "memory"),
        ({"first": 32, "forks": 3, "second": 32, "sec": 60}, "memory"),
        ({"first": 32, "forks": 4, "second": 1, "sec": 3}, None),
    ],
    ids=["one", "several", "counts once"],
)
def test_shared_memory_is_limited_without_control_groups(
    sizes: dict[str, int], killed_by: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "_parents", lambda: ())
    hog = shlex.join([sys.executable, "-c", SHARED.format(**sizes)])
    assert run(hog, time_limit_sec=40, memory_bytes=100 * 2**20).killed_by == killed_by


def test_memory_error_of_the_program_is_no_kill() -> None:
    result = run(f"{sys.executable} -c 'raise MemoryError'")
    assert (result.exit_code, result.killed_by) == (1, None)


def test_file_size_is_limited(tmp_path: Path) -> None:
    big = tmp_path / "big"
    result = run(f"head -c 5000000 /dev/zero > {big}", disk_bytes=1_000_000)
    assert not result.ok
    assert big.stat().st_size == 1_000_000


@pytest.mark.parametrize("limit", [0, -1])
def test_no_time_no_run(limit: float, tmp_path: Path) -> None:
    result = run(f"touch {tmp_path}/trace", time_limit_sec=limit)
    assert (result.killed_by, result.exit_code) == ("time", 137)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "exception",
    [KeyboardInterrupt(), LimitReached("time"), TimeoutError("of a user's signal handler")],
)
def test_exception_in_the_waiting_code_kills_the_tree_first(
    exception: BaseException, sleep_sec: int
) -> None:
    def handler(*_: object) -> None:
        raise exception

    before = signal.signal(signal.SIGUSR1, handler)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(type(exception)):
            run(DETACHED.format(n=sleep_sec) + f"; sleep {sleep_sec}")
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert sleepers(sleep_sec) == []


OWNER = """
import sys
from pathlib import Path
from pytest_autoexp.sandbox.host import process
command = process.Command(("/bin/sh", "-c", sys.argv[1]), Path("/tmp"), {"PATH": "/usr/bin:/bin"})
process.run(command, 600)
"""


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_owner_is_killed(
    number: signal.Signals, sleep_sec: int, tmp_path: Path
) -> None:
    script = f"{DETACHED.format(n=sleep_sec)}; touch {tmp_path}/started; sleep {sleep_sec}"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, script], stderr=subprocess.DEVNULL
    ) as owner:
        until(lambda: (tmp_path / "started").exists() and len(sleepers(sleep_sec)) >= 3)
        owner.send_signal(number)
        owner.wait(10)
    until(lambda: sleepers(sleep_sec) == [])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_program_that_is_not_there_is_our_error() -> None:
    command = process.Command(("/no/such/program",), Path("/tmp"))
    with pytest.raises(InfrastructureError, match="/no/such/program cannot be started"):
        process.run(command, 5)


def test_too_few_descriptors_is_our_error() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(path.name) for path in Path("/dev/fd").iterdir()}
    third_free = [number for number in range(soft) if number not in used][2]
    resource.setrlimit(resource.RLIMIT_NOFILE, (third_free, hard))
    try:
        with pytest.raises(InfrastructureError, match="short of"):
            run("true")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_runs_of_many_threads_do_not_disturb_each_other() -> None:
    results: list[CommandResult] = []
    threads = [
        threading.Thread(target=lambda i=i: results.append(run(f"echo {i}; exit {i}")))
        for i in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(r.exit_code, r.stdout) for r in results} == {(i, f"{i}\n") for i in range(12)}


def test_no_descriptor_and_no_control_group_is_left() -> None:
    run("true")
    before = os.listdir("/dev/fd")  # noqa: PTH208
    for _ in range(3):
        run("true")
    with pytest.raises(InfrastructureError):
        process.run(process.Command(("/no/such/program",), Path("/tmp")), 5)
    assert os.listdir("/dev/fd") == before  # noqa: PTH208
    assert not list(Path("/sys/fs/cgroup").glob(f"*/**/autoexp-{os.getpid()}-*"))


KEYS = """
import ctypes, platform
first = {"x86_64": 248, "aarch64": 217, "riscv64": 217}[platform.machine()]
keyctl = first + 2
libc = ctypes.CDLL(None)
"""
ADD_KEY = (
    KEYS
    + """
found = libc.syscall(keyctl, 10, -3, b"user", b"autoexp-test", 0)
added = libc.syscall(first, b"user", b"autoexp-test", b"x", 1, -3)
print("found" if found > 0 else "nothing", "added" if added > 0 else "refused")
"""
)
LOGIN = (
    KEYS
    + """
import sys
from pathlib import Path
from pytest_autoexp.sandbox.host import process
libc.syscall(keyctl, 1, None)  # as at a login
for _ in range(2):
    command = process.Command((sys.executable, sys.argv[1]), Path("/tmp"))
    print(process.run(command, 20).result.stdout, end="")
"""
)


@linux
@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64", "riscv64"), reason="numbers of its calls"
)
def test_key_in_the_keyring_of_the_session_is_gone_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "keys.py").write_text(ADD_KEY)
    seen = subprocess.run(
        [sys.executable, "-c", LOGIN, str(tmp_path / "keys.py")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "refused" in seen:
        pytest.skip("no keys here")
    assert seen == "nothing added\n" * 2
