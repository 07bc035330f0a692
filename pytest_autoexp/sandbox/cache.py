"""The plugin's folder for what is built once and used by many runs, and its locks."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_autoexp.model.errors import InfrastructureError

_SILENT_WAIT_SEC = 5.0


def cache_dir() -> Path:
    """The cache folder, ``$XDG_CACHE_HOME/pytest-autoexp`` or ``~/.cache/pytest-autoexp``.

    It is created on demand, readable by its owner only.  As the XDG base directory
    specification asks, a relative ``XDG_CACHE_HOME`` is ignored.

    Raises:
        InfrastructureError: If it cannot be created.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        if not base.is_absolute():
            base = Path.home() / ".cache"
        folder = base / "pytest-autoexp"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder can be told
        raise InfrastructureError(
            f"no cache folder can be made ({error}): set XDG_CACHE_HOME to a folder that you may"
            " write"
        ) from error
    return folder


class BuildFailedError(InfrastructureError):
    """A build that ran and failed, and would again; not one that some passing fault ended."""


@dataclass(frozen=True)
class Builds:
    """What a run builds that all its processes, and later runs, use again.

    Attributes:
        run_id: The run.
        say: Shows a line to the user: building takes minutes.
    """

    run_id: str
    say: Callable[[str], None]

    def once(
        self, name: str, doing: str, there: Callable[[], bool], build: Callable[[], None]
    ) -> None:
        """Build something that is not there yet: one process at a time, and once if it fails.

        Args:
            name: Name of its lock.
            doing: What is done, for the user: ``"build image X"``.
            there: Whether it is there.
            build: Builds it.

        Raises:
            InfrastructureError: If ``build`` raises it, or raised a :class:`BuildFailedError`
                before in any process of this run.
        """
        if there():
            return
        with lock(name, lambda: self.say(f"waiting for another process to {doing}")) as file:
            if there():  # somebody built it while we waited
                return
            if (failed := _failed(file)) and failed[0] == self.run_id:
                raise InfrastructureError(f"{failed[1]}\n(not tried again in this run)")
            try:
                build()
            except BuildFailedError as error:
                file.write_text(json.dumps([self.run_id, str(error)]))
                raise
            file.write_text("")


def _failed(file: Path) -> tuple[str, str] | None:
    """The run in which a build failed last, and why; None if it did not."""
    with suppress(ValueError, TypeError):  # empty, or its writer was killed
        run_id, problem = json.loads(file.read_text())
        return str(run_id), str(problem)
    return None


@contextmanager
def lock(name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """Hold an exclusive lock on ``name`` among all processes and threads that use this cache.

    Waits until it is free.  The system releases it when its holder dies, however it dies;
    the lock's file stays.

    Args:
        name: Letters, digits, ``.``, ``_`` and ``-``.
        waiting: Called once if it is not free for some seconds.

    Yields:
        The lock's file, in which its holder may leave a note for the next one.

    Raises:
        ValueError: If the name has other characters.
        InfrastructureError: If the cache folder cannot be written.
    """
    if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
        raise ValueError(f"lock name {name!r}: only letters, digits, '.', '_' and '-' are allowed")
    path = cache_dir() / f"{name}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        if not _locked_within(descriptor, _SILENT_WAIT_SEC):
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path
    finally:
        os.close(descriptor)


def _locked_within(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True
