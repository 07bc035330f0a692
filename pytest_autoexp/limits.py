"""Limits that end an agent and keep its work."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, MappingProxyType

from pytest_autoexp.model.errors import LimitReached
from pytest_autoexp.model.result import CommandResult
from pytest_autoexp.sandbox.protocol import DEFAULT_OUTPUT_CAP_BYTES, Leave, Sandbox, take_all
from pytest_autoexp.trajectory import Trajectory

NOTHING: Mapping[str, str] = MappingProxyType({})
"""No variables."""

_GRACE_SEC = 2.0
"""How long after the limit Python code is interrupted: its commands are ended on time, and
should come back by themselves first."""


@contextmanager
def time_limit(seconds: float) -> Iterator[float]:
    """Raise :class:`LimitReached` in the main thread once the time is over, then each second.

    It goes on each second because the code inside may swallow the exception.  A timer that
    is set already (pytest-timeout's) is kept when it fires first, and put back afterwards.
    Outside the main thread nothing interrupts Python code; its commands are still ended.

    Args:
        seconds: From now on.

    Yields:
        The deadline on the clock of :func:`time.monotonic`.
    """
    deadline = time.monotonic() + seconds
    if threading.current_thread() is not threading.main_thread():
        yield deadline
        return
    before, _ = signal.getitimer(signal.ITIMER_REAL)
    if before and before <= seconds + _GRACE_SEC:
        yield deadline
        return
    started = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _raise_limit)
    _, interval = signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.0) + _GRACE_SEC, 1.0)
    try:
        yield deadline
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if before:
            left = max(before - (time.monotonic() - started), 0.01)
            signal.setitimer(signal.ITIMER_REAL, left, interval)


def _raise_limit(signum: int, frame: FrameType | None) -> None:
    raise LimitReached("time")


class LimitedSandbox(Sandbox):
    """A sandbox as its agent gets it.

    Commands end at the agent's deadline, the trajectory tells of all that is done, and the agent
    cannot close it.

    Args:
        sandbox: The sandbox behind it.
        deadline: On the clock of :func:`time.monotonic`.
        environment: Variables of every command.
        trajectory: Where it is kept what the agent does; None for nowhere.
        seen: Told of every command and what it did.

    Attributes:
        kind: Kind of the sandbox behind it.
        workspace: Absolute path of the workspace as commands see it.
        environment: Variables of every command: what tells of the model gateway, if there is one.
        out_of_time: Has the deadline ended a command?
    """

    def __init__(
        self,
        sandbox: Sandbox,
        deadline: float,
        environment: Mapping[str, str] = NOTHING,
        trajectory: Trajectory | None = None,
        seen: Callable[[str, CommandResult], object] = lambda command, result: None,
    ) -> None:
        self.environment = environment
        self.out_of_time = False
        self._seen = seen
        self._trajectory = trajectory or Trajectory()
        self._sandbox = sandbox
        self._deadline = deadline
        self.kind = sandbox.kind
        self.workspace = sandbox.workspace

    def run(
        self,
        command: str,
        *,
        time_limit_sec: float = math.inf,
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        output_cap_bytes: int = DEFAULT_OUTPUT_CAP_BYTES,
    ) -> CommandResult:
        """Run a shell command, for no longer than the agent has left.

        A command that the deadline ends still gives its output, with ``killed_by="time"``; what
        the agent does after that is only to end.

        Raises:
            LimitReached: If the deadline has passed already.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise LimitReached("time")
        with self._trajectory.line("command", command) as line:
            result = self._sandbox.run(
                command,
                time_limit_sec=min(time_limit_sec, left),
                cwd=cwd,
                env={**self.environment, **(env or {})},
                output_cap_bytes=output_cap_bytes,
            )
            line.update(
                cwd=cwd,
                exit_code=result.exit_code,
                killed_by=result.killed_by,
                stdout=result.stdout,
                stderr=result.stderr,
                cut=result.truncated,
            )
        self._seen(command, result)
        self.out_of_time |= result.killed_by == "time" and time_limit_sec >= left
        return result

    def put(self, source: Path, path: str = "") -> None:
        """Make a folder of the workspace a copy of a host folder."""
        with self._trajectory.line("put", path):
            self._sandbox.put(source, path)

    def get(self, dest: Path, path: str = "", leave: Leave = take_all) -> tuple[str, ...]:
        """Copy a folder of the workspace to the host."""
        with self._trajectory.line("get", path):
            return self._sandbox.get(dest, path, leave)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Content of a file of the workspace."""
        with self._trajectory.line("read", path):
            return self._sandbox.read(path, max_bytes)

    def close(self) -> None:
        """Nothing: the trial closes the sandbox once it has the agent's work."""
