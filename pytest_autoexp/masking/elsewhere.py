"""A process beside this one in which files that agents wrote are parsed.

libcst overflows the stack of its process on code that is nested some thousand levels deep, such
as the endless brackets of a model that repeats itself, and some code takes it hours.  There, that
costs the file, not the test run.  The process is started when it is first needed, serves one call
after the other, and ends with this one.
"""

from __future__ import annotations

import atexit
import pickle
import resource
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar, cast

from pytest_autoexp.masking.source import MaskingError
from pytest_autoexp.model.errors import InfrastructureError

MAX_CPU_SEC = 30
"""How long a call may compute.  Not by the clock: a busy machine must not cost a file."""

MAX_MEMORY_BYTES = 4 * 1024**3
"""How much memory the process may take."""

_TOO_DEEP = "does not parse: its code is nested too deeply"
_TOO_LONG = f"takes more than {MAX_CPU_SEC} s to parse"
_SERVE = f"from {__name__} import serve; serve()"
_OVERFLOWN = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGTRAP}

P = ParamSpec("P")
T = TypeVar("T")


class UnparseableError(MaskingError):
    """What was to be parsed ended the process, or more than it may use."""


def elsewhere(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of this package in the other process.

    Args:
        function: One at module level.
        args: Its arguments, which can be pickled, as its result can.
        kwargs: The same by name.

    Raises:
        UnparseableError: If it crashed the process, or took too much time or memory.
        MaskingError: If the function raises it.
        InfrastructureError: If something else ended the process.
    """
    return cast(T, _process.call((MAX_CPU_SEC, function, args, kwargs)))


class _Process:
    """The process, once there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None

    def call(self, request: object) -> object:
        """The answer to a request."""
        with self._lock:
            if self._running and self._running.poll() is not None:  # killed while it was idle
                self.end()
            process = self._running = self._running or _start()
            try:
                answer = _answer(process, pickle.dumps(request))
            except BaseException:  # of the user, too: what comes next would be a wrong answer
                self.end()
                raise
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def end(self) -> None:
        """End it, if it runs; the next call starts another one."""
        if process := self._running:
            self._running = None
            process.kill()
            with suppress(BrokenPipeError):
                process.communicate()


_process = _Process()
atexit.register(_process.end)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-X", "utf8", "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for this process, whose end is seen there
    )


def _answer(process: subprocess.Popen[bytes], request: bytes) -> object:
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(request)
        process.stdin.flush()
        return pickle.load(process.stdout)
    except (BrokenPipeError, EOFError, pickle.UnpicklingError):
        code = process.wait()
    if -code == signal.SIGXCPU:
        raise UnparseableError(_TOO_LONG)
    if -code in _OVERFLOWN:
        raise UnparseableError(_TOO_DEEP)
    raise InfrastructureError(
        f"the process that parses agents' files ended with status {code}: was it killed?"
    )


def serve() -> None:
    """Be the other process: answer requests until there are no more."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    _limit(resource.RLIMIT_CORE, 0)
    with suppress(OSError, ValueError):  # of systems that limit no memory
        _limit(resource.RLIMIT_AS, MAX_MEMORY_BYTES)
    while True:
        try:
            max_cpu_sec, function, args, kwargs = pickle.load(requests)
        except EOFError:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + max_cpu_sec)
        try:
            answer = function(*args, **kwargs)
        except (RecursionError, MemoryError):
            answer = UnparseableError(_TOO_DEEP)
        except MaskingError as error:
            answer = error
        except Exception:  # noqa: BLE001 - a defect of ours, told where the call was made
            answer = RuntimeError(traceback.format_exc())
        answers.write(pickle.dumps(answer))
        answers.flush()


def _limit(kind: int, value: int) -> None:
    """Set a limit of this process that can be set again."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
