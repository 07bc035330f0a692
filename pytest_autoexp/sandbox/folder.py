"""Private temporary folders on the host, and their removal whatever is in them."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from pytest_autoexp.model.errors import InfrastructureError

PREFIX = "autoexp-"
"""How the names of private folders begin."""

_UNLOCKED_PREFIX = ".autoexp-"
_YOUNG_SEC = 60.0  # what is not locked yet will be at once, unless its process was killed
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class PrivateFolder:
    """A temporary folder that only its owner may enter, locked while its process lives.

    The lock is how :func:`remove_leftovers` tells folders in use from those of processes
    that were killed; unlike a process number it holds across containers and hosts that
    share a folder for temporary files.  As a context manager it gives its path, and tells of a
    full disk in an :class:`InfrastructureError`.

    Attributes:
        path: Where it is.
        descriptor: An open descriptor of it.
    """

    def __init__(self) -> None:
        try:
            new = Path(tempfile.mkdtemp(prefix=_UNLOCKED_PREFIX))
            self.descriptor = os.open(new, _FOLDER_FLAGS)
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            self.path = new.rename(new.with_name(PREFIX + new.name.removeprefix(_UNLOCKED_PREFIX)))
        except OSError as error:
            raise InfrastructureError(
                f"no private folder can be made in {tempfile.gettempdir()}: {error.strerror};"
                " set TMPDIR to a folder with space"
            ) from error
        # An impatient user's second Ctrl-C may end pytest's own clean-up before it comes here.
        self._remove = weakref.finalize(self, _remove, self.path, self.descriptor, os.getpid())

    def remove(self) -> None:
        """Remove it with all that is in it.  May be called more than once."""
        try:
            self._remove()
        except KeyboardInterrupt:
            remove_tree(self.path)
            raise

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()
        if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InfrastructureError(
                f"the disk of {self.path.parent} is full: {exc}; make room, or set TMPDIR to a"
                " folder on another disk"
            ) from exc


def _remove(path: Path, descriptor: int, owner: int) -> None:
    if os.getpid() != owner:  # a fork ends
        return
    try:
        remove_tree(path)
    finally:
        os.close(descriptor)


def remove_leftovers() -> tuple[str, ...]:
    """Remove the private folders of this user whose process was killed.

    Returns:
        A line for the user for each.
    """
    lines = []
    temporary = Path(tempfile.gettempdir())
    for path in (*temporary.glob(f"{PREFIX}*"), *temporary.glob(f"{_UNLOCKED_PREFIX}*")):
        with suppress(OSError):  # in use, not ours, or removed by another at this moment
            info = path.lstat()
            locked = path.name.startswith(PREFIX)
            old = locked or time.time() - info.st_mtime > _YOUNG_SEC
            if stat.S_ISDIR(info.st_mode) and info.st_uid == os.getuid() and old:
                descriptor = os.open(path, _FOLDER_FLAGS)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove_tree(path)
                    lines.append(f"removed folder {path}, which an ended run had left")
                finally:
                    os.close(descriptor)
    return tuple(lines)


def remove_tree(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it.

    Unlike :func:`shutil.rmtree` it copes with folders without permissions and with trees
    that are thousands deep: a folder in a folder is first moved to the top.

    Raises:
        InfrastructureError: If something is left.
    """
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        todo = [path]
        for folder in todo:  # grows meanwhile
            folder.chmod(0o700)
            for entry in list(folder.iterdir()):
                if entry.is_symlink() or not entry.is_dir():
                    entry.unlink()
                elif folder == path:
                    todo.append(entry)
                else:
                    entry.chmod(0o700)  # to be moved it must be writable
                    todo.append(entry.rename(path / secrets.token_hex(8)))
            if folder != path:
                folder.rmdir()
        path.rmdir()
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be removed: {error}") from error


def make_real_folder(path: Path) -> None:
    """See to it that ``path`` is a folder (no link to one) that its owner may use."""
    if path.is_symlink() or not path.is_dir():
        remove_tree(path)
        path.mkdir()
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o700 != 0o700:
        path.chmod(mode | 0o700)
