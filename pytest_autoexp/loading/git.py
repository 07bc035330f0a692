"""Checkouts of code that lives in a git repository, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.task import GitSource
from pytest_autoexp.sandbox.cache import cache_dir, lock
from pytest_autoexp.text import tail

_TIME_LIMIT_SEC = 1800.0
_OPTIONS = (
    *("-c", "protocol.ext.allow=never"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.autocrlf=false"),
    *("-c", "advice.detachedHead=false"),
)
_CALLERS_REPOSITORY = {  # set where pytest runs inside a git hook
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
}


def cached_checkout(source: GitSource) -> Path | None:
    """Folder of a source that is in the cache, or None; needs no network."""
    checkout_folder = _folder(source)
    return checkout_folder / source.path if checkout_folder.is_dir() else None


def checkout(source: GitSource) -> Path:
    """Folder of a source, fetched with ``git`` unless it is in the cache.

    Only the one commit is fetched where the server gives it out.  No prompt is shown.

    Raises:
        InfrastructureError: If git fails, or the commit has no such folder.
    """
    folder = _folder(source)
    if not folder.is_dir():
        with lock(folder.name):
            if not folder.is_dir():
                _fetch(source, folder)
    found = folder / source.path
    inside = found.resolve().is_relative_to(folder.resolve())
    if not inside or not found.is_dir():
        raise InfrastructureError(f"{source.url} has no folder {source.path!r} at {source.rev}")
    return found


def _folder(source: GitSource) -> Path:
    name = hashlib.sha256(f"{source.url}\n{source.rev}".encode()).hexdigest()[:20]
    return cache_dir() / f"git-{name}"


def _fetch(source: GitSource, folder: Path) -> None:
    """Make the checkout beside its place and move it there whole."""
    with tempfile.TemporaryDirectory(prefix="git-", dir=folder.parent) as temporary:
        work = Path(temporary, "work")
        _git(source, "init", "--quiet", "--template=", str(work))
        inside = ("-C", str(work))
        fetch = (*inside, "fetch", "--quiet", "--no-tags")
        try:
            _git(source, *fetch, "--depth=1", "--", source.url, source.rev)
        except InfrastructureError:  # some servers give out branches only
            _git(source, *fetch, "--", source.url, "+refs/*:refs/fetched/*")
        _git(source, *inside, "checkout", "--quiet", "--force", "--detach", source.rev)
        shutil.rmtree(work / ".git")
        work.rename(folder)


def _git(source: GitSource, *arguments: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in _CALLERS_REPOSITORY}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    what = f"git cannot get {source.rev} of {source.url}"
    try:
        result = subprocess.run(
            ["git", *_OPTIONS, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIME_LIMIT_SEC,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"{what}: not done in {_TIME_LIMIT_SEC:g} seconds") from error
    except OSError as error:
        raise InfrastructureError(f"{what}: git cannot be run ({error.strerror})") from error
    if result.returncode:
        said = tail(result.stderr.decode("utf-8", "replace"), lines=5)
        raise InfrastructureError(f"{what} (exit status {result.returncode}):\n{said}")
