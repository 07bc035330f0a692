"""A process beside this one in which files that agents wrote are parsed.

libcst overflows the stack of its process on code that is nested some thousand levels deep, such
as the endless brackets of a model that repeats itself, and some code takes it hours, or all memory.
There, that costs the file, not the test run.  The process is started when it is first needed,
serves one call after the other, and ends with this one.
"""

from __future__ import annotations

import atexit
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, ParamSpec, TypeVar, cast

from pytest_autoexp.masking.source import MaskingError
from pytest_autoexp.model.errors import InfrastructureError

MAX_CPU_SEC = 30
"""How long a call may compute.  Not by the clock: a busy machine must not cost a file."""

MEMORY_BYTES = 1024**3
"""How much memory the process may take for a call, beside what large arguments take."""

MEMORY_PER_BYTE = 4096
"""How much more for each byte of the arguments: libcst takes 1 KiB, of several versions each."""

_LARGE_BYTES = 256 * 1024**2  # a process that keeps more of them is not asked again
_TOO_DEEP = "brings the parser down: its code is nested too deeply, or takes too much memory"
_TOO_LONG = f"takes more than {MAX_CPU_SEC} s to parse"
_OVERFLOWN = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGTRAP}
_SAID_BYTES = 2000
_SERVE = """\
import sys
answers, root, *path = sys.argv[1:]
if root not in sys.path:
    sys.path.insert(0, root)
sys.path += [entry for entry in path if entry not in sys.path]
from pytest_autoexp.masking.elsewhere import serve
serve(int(answers))
"""

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
        InfrastructureError: If something else ended the process, or it cannot be started.
    """
    return cast(T, _parser.call(pickle.dumps((function, args, kwargs))))


class _Running:
    """The process, once it is started."""

    def __init__(self) -> None:
        root = str(Path(__file__).parents[2])
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        answers, far = os.pipe()
        self._answers = os.fdopen(answers, "rb")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-X", "utf8", "-c", _SERVE, str(far), root, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,  # what a sitecustomize prints is no answer
                stderr=self._said,
                pass_fds=(far,),
                start_new_session=True,  # Ctrl-C is for this process, whose end is seen there
            )
        finally:
            os.close(far)

    @property
    def has_ended(self) -> bool:
        """True if it was killed while it was idle."""
        return self._process.poll() is not None

    def answer(self, request: bytes) -> tuple[object, bool]:
        """What it answers, and whether it can be asked again."""
        memory_bytes = MEMORY_BYTES + MEMORY_PER_BYTE * len(request)
        assert self._process.stdin
        try:
            pickle.dump((request, MAX_CPU_SEC, memory_bytes), self._process.stdin)
            self._process.stdin.flush()
            return cast(tuple[object, bool], pickle.load(self._answers))
        except (BrokenPipeError, EOFError):
            code = self._process.wait()
        if -code == signal.SIGXCPU:
            raise UnparseableError(_TOO_LONG)
        if -code in _OVERFLOWN:
            raise UnparseableError(_TOO_DEEP)
        raise InfrastructureError(
            f"the process that parses agents' files ended with status {code}"
            f"{': was it killed?' if code < 0 else ''}\n{self._end_of(self._said)}".rstrip()
        )

    def end(self) -> None:
        """End it."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.communicate()
        self._answers.close()
        self._said.close()

    @staticmethod
    def _end_of(file: IO[bytes]) -> str:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _SAID_BYTES))
        return file.read().decode("utf-8", "replace")


class _Parser:
    """The process, which is started when it is needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def call(self, request: bytes) -> object:
        """The answer to a request."""
        with self._lock:
            if self._running and self._running.has_ended:
                self.end()
            reusable = False
            try:
                self._running = self._running or _Running()
                answer, reusable = self._running.answer(request)
            except OSError as error:
                raise InfrastructureError(
                    f"the process that parses agents' files cannot be used: {error}"
                ) from error
            finally:  # after an interrupt, too: what comes next would be a wrong answer
                if not reusable:
                    self.end()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def end(self) -> None:
        """End it, if it runs."""
        running, self._running = self._running, None
        if running:
            running.end()


_parser = _Parser()
atexit.register(_parser.end)


def serve(answers: int) -> None:
    """Be the other process: answer requests until there are no more.

    Args:
        answers: Descriptor that they are written to.
    """
    with suppress(OSError):  # of systems that choose otherwise whom to kill for memory
        Path("/proc/self/oom_score_adj").write_text("500")
    _limit(resource.RLIMIT_CORE, 0)
    at_first_bytes = _taken_bytes()
    with os.fdopen(answers, "wb") as out:
        while True:
            try:
                request, max_cpu_sec, memory_bytes = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            used = resource.getrusage(resource.RUSAGE_SELF)
            _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + max_cpu_sec)
            with suppress(OSError, ValueError):  # of systems that limit no memory
                _limit(resource.RLIMIT_AS, min(memory_bytes, _machine_bytes() // 2))
            answer = _answer(request)
            pickle.dump((answer, _taken_bytes() - at_first_bytes < _LARGE_BYTES), out)
            out.flush()


def _answer(request: bytes) -> Any:
    try:
        function, args, kwargs = pickle.loads(request)
        return function(*args, **kwargs)
    except (RecursionError, MemoryError):
        return UnparseableError(_TOO_DEEP)
    except MaskingError as error:
        return error
    except Exception:  # noqa: BLE001 - a defect of ours, told where the call was made
        return RuntimeError(traceback.format_exc())


def _taken_bytes() -> int:
    """How large the process is, with what it keeps for later; 0 on systems that do not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _machine_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _limit(kind: int, value: int) -> None:
    """Set a limit of this process that can be set again."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
