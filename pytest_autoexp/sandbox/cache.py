"""The plugin's folder for what is built once and used by many runs, and its locks."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_autoexp.model.errors import InfrastructureError


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


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold an exclusive lock on ``name`` among all processes and threads that use this cache.

    Waits until it is free.  The system releases it when its holder dies, however it dies;
    the lock's empty file stays.

    Args:
        name: Letters, digits, ``.``, ``_`` and ``-``.

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
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
