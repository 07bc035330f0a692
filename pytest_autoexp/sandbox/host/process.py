"""Run a command of the host under a supervisor: limits, bounded output, no process left."""

from __future__ import annotations

import errno
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.result import CommandResult
from pytest_autoexp.model.task import Resources
from pytest_autoexp.sandbox.capture import Capture
from pytest_autoexp.sandbox.host import cgroup, supervise
from pytest_autoexp.sandbox.host.disk import DiskWatch
from pytest_autoexp.sandbox.host.memory import MemoryWatch
from pytest_autoexp.sandbox.protocol import DEFAULT_OUTPUT_CAP_BYTES

KILLED = 128 + signal.SIGKILL
"""Exit status of what was killed."""

MARK = "AUTOEXP_SANDBOX"
"""Environment variable by which processes are found whose supervisor was killed."""

REPORT_FD = 3
"""The descriptor on which a command may report; ``supervise.py`` has the same."""

_SUPERVISOR = Path(__file__).with_name("supervise.py")
_CHUNK_BYTES = 65536
_GRACE_SEC = 30.0
_DISK_PASSED = "\n[ended: the files of the sandbox take more than the task's disk limit]\n"
_TOO_LONG = "sh: Argument list too long\n"


@dataclass(frozen=True)
class Command:
    """What to run on the host.

    Attributes:
        argv: Program (absolute path) and arguments.
        cwd: Absolute path of the folder to start in.
        env: The whole environment; ``AUTOEXP_SANDBOX`` in it should be unique.
        resources: What it may use, or None for no limits.
        report: Give it a descriptor 3 on which it can write :attr:`Finished.report`.
        setuid: May it run setuid programs?
        writes: Folder that ``resources.disk_bytes`` limits as a whole, if any.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Resources | None = None
    report: bool = False
    setuid: bool = False
    writes: Path | None = None


@dataclass(frozen=True)
class Finished:
    """How a command ended.

    Attributes:
        result: What it did.
        report: What it wrote on descriptor 3.
        by_itself: False if a limit ended it, or its arguments were too long to start it: then
            its report may be short.
    """

    result: CommandResult
    report: str = ""
    by_itself: bool = True


def run(
    command: Command, time_limit_sec: float, output_cap_bytes: int = DEFAULT_OUTPUT_CAP_BYTES
) -> Finished:
    """Run a command and wait for it; when this returns or raises, no process of it is left.

    What holds where: time limit, file size, core files everywhere.  Detached processes are
    found on Linux only.  As root on Linux with writable cgroups, memory and processes are
    limited for all processes of the command together.  Otherwise memory (the data segment,
    on Linux) is limited for each process at once and, on Linux, with shared memory for all
    together within seconds; the number of processes by ``RLIMIT_NPROC``, which counts all
    processes of the user and does not bind root.

    Args:
        command: What to run.
        time_limit_sec: Wall-clock limit; 0 or less ends it at once.
        output_cap_bytes: How much of each of stdout and stderr is kept.

    Raises:
        InfrastructureError: If it cannot be started, its processes cannot be killed, or the kernel
            killed some because others took the machine's memory.
    """
    if time_limit_sec <= 0:
        return Finished(CommandResult(KILLED, "", "", 0.0, killed_by="time"), by_itself=False)
    with ExitStack() as stack:
        with _starting(command):
            group = stack.enter_context(cgroup.command_group(command.resources))
            status, status_write = stack.enter_context(_pipe())
            watch = _Watch(command, time_limit_sec, output_cap_bytes, bool(group.folders))
            try:
                supervisor = _start(command, time_limit_sec, group, status_write.fileno())
            except OSError as error:
                if error.errno != errno.E2BIG:
                    raise
                return Finished(CommandResult(126, "", _TOO_LONG, 0.0), by_itself=False)
        with _ended(supervisor, command.env.get(MARK)):
            status_write.close()
            watch.until_end(supervisor, status.fileno())
        out_of_memory = group.ran_out_of_memory()
        if out_of_memory and group.kept_its_limit():
            raise InfrastructureError(
                "the machine ran out of memory, and not the command of its own: use fewer workers"
                " (-n), or a machine with more"
            )
        return watch.finished(out_of_memory)


@contextmanager
def _starting(command: Command) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InfrastructureError(
            f"{command.argv[0]} cannot be run: {error.strerror or error}; is the machine short of"
            " processes, memory, open files or disk space?"
        ) from error


def _start(
    command: Command, time_limit_sec: float, group: cgroup.CommandGroup, status: int
) -> subprocess.Popen[bytes]:
    """Start the supervisor, which starts the command."""
    options = [
        f"status={status}",
        f"cwd={command.cwd}",
        f"report={1 if command.report else ''}",
        f"nnp={'' if command.setuid else 1}",
        f"join={':'.join(map(str, group.procs_files))}",
    ]
    if command.resources:
        options += _rlimits(command.resources, time_limit_sec, in_group=bool(group.folders))
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_SUPERVISOR), *options, "--", *command.argv],
        env=dict(command.env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        pass_fds=(status,),
        start_new_session=True,
    )


class _Watch:
    """Reads what a supervised command writes until it has ended."""

    def __init__(
        self, command: Command, time_limit_sec: float, output_cap_bytes: int, in_group: bool
    ) -> None:
        self._started = time.monotonic()
        self._deadline = self._started + time_limit_sec
        self._out = Capture(output_cap_bytes)
        self._err = Capture(output_cap_bytes)
        self._status = Capture(_CHUNK_BYTES)
        self._passed: Literal["time", "disk", "memory"] | None = None
        self._disk: DiskWatch | None = None
        if command.writes and command.resources:
            self._disk = DiskWatch(command.writes, command.resources.disk_bytes)
        self._memory: MemoryWatch | None = None
        if command.resources and supervise.LINUX and not in_group:
            self._memory = MemoryWatch(command.resources.memory_bytes)

    def until_end(self, supervisor: subprocess.Popen[bytes], status: int) -> None:
        """Read until the supervisor has closed the status pipe; at a limit end it."""
        assert supervisor.stdout
        assert supervisor.stderr
        out, err = supervisor.stdout.fileno(), supervisor.stderr.fileno()
        captures = {out: self._out, err: self._err, status: self._status}
        with selectors.DefaultSelector() as selector:
            for descriptor in captures:
                os.set_blocking(descriptor, False)
                selector.register(descriptor, selectors.EVENT_READ)
            while status in selector.get_map():
                for key, _ in selector.select(self._wait_sec()):
                    if _read(key.fd, captures[key.fd]) == "end":
                        selector.unregister(key.fd)
                if not self._goes_on(supervisor):
                    return
        # Every writer is dead: what it wrote is in the pipes.  (Where one escaped, outside
        # Linux, take no more than a pipe may hold.)
        for descriptor in (out, err):
            for _ in range(64):
                if _read(descriptor, captures[descriptor]) != "data":
                    break

    def _goes_on(self, supervisor: subprocess.Popen[bytes]) -> bool:
        """At a limit end the command; False if it is still there long after that."""
        late = time.monotonic() >= self._deadline
        if self._passed:
            return not late
        self._passed = "time" if late else self._look(supervisor.pid)
        if self._passed:
            self._deadline = time.monotonic() + _GRACE_SEC
            _let_go(supervisor)
        return True

    def _look(self, supervisor: int) -> Literal["disk", "memory"] | None:
        """Look at disk and memory, if it is time for that: which limit is passed?"""

        def processes() -> set[int]:
            return supervise.descendants(supervisor) if supervise.LINUX else set()

        if self._disk and self._disk.passed(processes):
            return "disk"
        return "memory" if self._memory and self._memory.passed(processes) else None

    def _wait_sec(self) -> float:
        left_sec = max(0.0, self._deadline - time.monotonic())
        looks = [] if self._passed else [self._disk, self._memory]
        return min([left_sec, *(look.wait_sec() for look in looks if look)])

    def finished(self, out_of_memory: bool) -> Finished:
        """How it ended."""
        lines = self._status.text().splitlines()
        errors = [line.removeprefix("error ") for line in lines if line.startswith("error ")]
        if errors:
            raise InfrastructureError(f"a command could not be run or ended: {errors[0]}")
        exits = [int(line.removeprefix("exit ")) for line in lines if line.startswith("exit ")]
        code = exits[-1] if exits and not self._passed else KILLED
        killed_by: Literal["time", "memory"] | None = None
        if self._passed in ("time", "memory"):
            killed_by = self._passed
        elif self._passed is None and out_of_memory and code != 0:
            killed_by = "memory"
        result = CommandResult(
            exit_code=code,
            stdout=self._out.text(),
            stderr=self._err.text() + (_DISK_PASSED if self._passed == "disk" else ""),
            duration_sec=time.monotonic() - self._started,
            killed_by=killed_by,
            truncated=self._out.truncated or self._err.truncated,
        )
        report = [line for line in lines if not line.startswith("exit ")]
        return Finished(result, "\n".join(report), not (self._passed or killed_by))


@contextmanager
def _pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """A pipe, its read and its write end, closed at the end."""
    read, write = os.pipe()
    with os.fdopen(read, "rb", 0) as read_end, os.fdopen(write, "wb", 0) as write_end:
        yield read_end, write_end


@contextmanager
def _ended(supervisor: subprocess.Popen[bytes], mark: str | None) -> Iterator[None]:
    """However the block is left, the supervisor and all below it are gone afterwards."""
    try:
        yield
    finally:
        _let_go(supervisor)
        for stream in (supervisor.stdout, supervisor.stderr):
            assert stream
            stream.close()
        try:
            supervisor.wait(_GRACE_SEC)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()
        if supervisor.returncode != 0 and mark:
            kill_marked(mark)


def _let_go(supervisor: subprocess.Popen[bytes]) -> None:
    """Tell the supervisor to end everything."""
    assert supervisor.stdin
    supervisor.stdin.close()
    supervisor.send_signal(signal.SIGCONT)  # the command may have stopped it


def _read(descriptor: int, capture: Capture) -> Literal["data", "nothing", "end"]:
    """Read one chunk from a descriptor that does not block."""
    try:
        chunk = os.read(descriptor, _CHUNK_BYTES)
    except BlockingIOError:
        return "nothing"
    capture.feed(chunk)
    return "data" if chunk else "end"


def _rlimits(limits: Resources, time_limit_sec: float, in_group: bool) -> list[str]:
    # More processor time than all processors together have: it binds only what outlived us.
    cpu_sec = math.ceil(min(time_limit_sec, 1e6)) * (os.cpu_count() or 1) + 60
    rlimits = [f"fsize={limits.disk_bytes}", f"cpu={cpu_sec}"]
    if not in_group:
        # Not the address space: torch and others map far more than they use.
        rlimits += [f"data={limits.memory_bytes}", f"nproc={_threads_of_user() + limits.pids}"]
    return rlimits


def _threads_of_user() -> int:
    """How many threads the user has: what RLIMIT_NPROC is compared with."""
    count = 0
    for process in _processes():
        with suppress(OSError):
            if process.stat().st_uid == os.getuid():
                count += len(list((process / "task").iterdir()))
    return count


def kill_marked(mark: str) -> None:
    """Kill every process whose environment has ``AUTOEXP_SANDBOX=mark``.

    The fallback for when a command (without isolation) killed its supervisor.
    """
    entry = f"{MARK}={mark}".encode()
    deadline = time.monotonic() + _GRACE_SEC
    found = True
    while found and time.monotonic() < deadline:
        found = False
        for process in _processes():
            with suppress(OSError):
                if entry in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
                    found = True


def _processes() -> list[Path]:
    """The folders of /proc; none where there is no such thing."""
    try:
        return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except OSError:
        return []
