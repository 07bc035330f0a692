"""Copying trees into and out of a host folder in which commands may have done anything.

What a command left behind is read without following a link: every step is opened relative to
the folder before it, with ``O_NOFOLLOW``.  Folders and files that were made unreadable are
made readable; they belong to the user who runs the command.
"""

from __future__ import annotations

import os
import shutil
import stat
from itertools import islice
from pathlib import Path, PurePosixPath

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.folder import make_real_folder, remove_tree
from pytest_autoexp.sandbox.leavings import MAX_PATH_BYTES, MAX_SEEN_FACTOR, Leavings, is_long
from pytest_autoexp.sandbox.protocol import MAX_TREE_BYTES, MAX_TREE_FILES, Leave, take_all
from pytest_autoexp.sandbox.tree import check_source

_MAX_DEPTH = 100
_CHUNK_BYTES = 1024**2
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a named pipe that took a file's place must not block us.
_FILE_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def parts_of(path: str) -> tuple[str, ...]:
    """The steps of a relative path with forward slashes.

    Raises:
        ValueError: If it leads out of the folder that it is relative to.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"path {path!r} leads out of the workspace: give one inside it")
    return pure.parts


def put_tree(source: Path, root: Path, path: str) -> None:
    """Make the folder ``path`` below the folder ``root`` an exact copy of ``source``.

    Raises:
        ValueError: If ``source`` is no folder, or has what cannot be put.
        InfrastructureError: If it cannot be copied.
    """
    check_source(source)
    target = root
    try:
        for part in parts_of(path):
            make_real_folder(target)
            target /= part
        remove_tree(target)
        shutil.copytree(source, target, symlinks=True)
    except OSError as error:  # shutil.Error, which lists several, is one
        raise InfrastructureError(f"{source} cannot be copied to a sandbox: {error}") from error


def get_tree(
    root: int,
    parts: tuple[str, ...],
    dest: Path,
    max_bytes: int = MAX_TREE_BYTES,
    leave: Leave = take_all,
) -> tuple[str, ...]:
    """Copy a folder to ``dest`` (created): regular files and folders, within bounds.

    Empty folders come as long as half of the entries are left for files.

    Args:
        root: Descriptor of the folder that ``parts`` starts from.
        parts: The way to the folder; nothing is copied if there is no such folder.
        dest: A folder of the host.
        max_bytes: Most bytes in all.
        leave: Says which files stay behind.

    Returns:
        One line for each thing that stayed behind, saying why.

    Raises:
        InfrastructureError: If ``dest`` cannot be written.
    """
    copier = _Copier(dest, max_bytes, leave)
    try:
        dest.mkdir(parents=True, exist_ok=True)
        source = _open_way(root, parts)
        if source is not None:
            try:
                copier.copy_folder(source, PurePosixPath())
            finally:
                os.close(source)
    except OSError as error:
        raise InfrastructureError(f"{dest} cannot be written: {error}") from error
    return copier.left.lines()


def read_file(root: int, parts: tuple[str, ...], max_bytes: int) -> bytes | None:
    """Up to ``max_bytes + 1`` bytes of a regular file; None if there is no such file."""
    folder = _open_way(root, parts[:-1]) if parts else None
    if folder is None:
        return None
    try:
        with os.fdopen(_open_file(folder, parts[-1]), "rb") as file:
            return file.read(max_bytes + 1)
    except OSError:
        return None
    finally:
        os.close(folder)


class _Copier:
    """Copies a tree from a descriptor to a folder of ours and counts what it took."""

    def __init__(self, dest: Path, max_bytes: int, leave: Leave) -> None:
        self.left = Leavings()
        self._dest = dest
        self._why_left = leave
        self._max_bytes = self._bytes_left = max_bytes
        self._entries_left = MAX_TREE_FILES
        self._seen_left = MAX_SEEN_FACTOR * MAX_TREE_FILES
        self._folders = {PurePosixPath()}
        self._given_up = False

    def copy_folder(self, source: int, shown: PurePosixPath) -> None:
        """Copy what is in ``source``."""
        # Without this, folders could take the place of files; those make their own.
        if self._entries_left > MAX_TREE_FILES // 2:
            self._make_folder(shown)
        with os.scandir(source) as entries:
            names = sorted(e.name for e in islice(entries, self._seen_left + 1))
        for name in names:
            if self._given_up:
                return
            if self._seen_left == 0:
                self._give_up(shown / name, MAX_SEEN_FACTOR * MAX_TREE_FILES)
                return
            self._seen_left -= 1
            self._copy_entry(source, shown / name)

    def _copy_entry(self, source: int, shown: PurePosixPath) -> None:
        try:
            mode = os.stat(shown.name, dir_fd=source, follow_symlinks=False).st_mode
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                self._leave(shown, _kind(mode))
                return
            if is_long(str(shown)):
                self._leave(shown, f"its path is longer than {MAX_PATH_BYTES} bytes")
                return
            if len(shown.parts) > _MAX_DEPTH:
                self._leave(shown, f"more than {_MAX_DEPTH} folders deep")
                return
            open_it = _open_folder if stat.S_ISDIR(mode) else _open_file
            entry = open_it(source, shown.name)
        except OSError as error:
            self._leave(shown, f"cannot be read ({error.strerror})")
            return
        try:
            copy_it = self.copy_folder if stat.S_ISDIR(mode) else self._copy_file
            copy_it(entry, shown)
        finally:
            os.close(entry)

    def _copy_file(self, source: int, shown: PurePosixPath) -> None:
        info = os.fstat(source)
        if why := self._why_left(str(shown), info.st_size):
            self._leave(shown, why)
            return
        if info.st_size > self._bytes_left:
            self._leave(shown, f"the tree is larger than {self._max_bytes} bytes")
            return
        if not self._make_folder(shown.parent) or self._entries_left == 0:
            self._give_up(shown, MAX_TREE_FILES)
            return
        self._entries_left -= 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        mode = 0o755 if info.st_mode & stat.S_IXUSR else 0o644
        with os.fdopen(os.open(self._dest / shown, flags, mode), "wb", 0) as target:
            while self._bytes_left > 0:
                try:
                    chunk = os.read(source, min(_CHUNK_BYTES, self._bytes_left))
                except OSError as error:
                    self._leave(shown, f"cannot be read to its end ({error.strerror})")
                    return
                if not chunk:
                    return
                self._bytes_left -= target.write(chunk) or 0

    def _make_folder(self, shown: PurePosixPath) -> bool:
        """Make a folder and those above it; False if that is one too many."""
        missing = [folder for folder in (shown, *shown.parents) if folder not in self._folders]
        for folder in reversed(missing):
            if self._entries_left == 0:
                return False
            (self._dest / folder).mkdir(exist_ok=True)
            self._folders.add(folder)
            self._entries_left -= 1
        return True

    def _give_up(self, shown: PurePosixPath, most: int) -> None:
        self._given_up = True
        self.left.add_cut(str(shown), f"more than {most} entries")

    def _leave(self, shown: PurePosixPath, reason: str) -> None:
        self.left.add(str(shown), reason)


def _open_way(root: int, parts: tuple[str, ...]) -> int | None:
    """A descriptor of the folder to which the steps lead, or None if they do not."""
    descriptor = os.dup(root)
    for part in parts:
        try:
            below = _open_folder(descriptor, part)
        except OSError:  # missing, a link, a file
            return None
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def _open_folder(parent: int, name: str) -> int:
    """Open a folder, and make it usable for its owner."""
    descriptor = _open_anyway(parent, name, _FOLDER_FLAGS)
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & 0o700 != 0o700:
        os.fchmod(descriptor, mode | 0o700)
    return descriptor


def _open_file(parent: int, name: str) -> int:
    """Open a regular file; what else may have the name is an OSError."""
    # Asked before opening, because opening a device may do something.
    mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    if not stat.S_ISREG(mode):
        raise OSError(f"{name!r} is {_kind(mode)}")
    return _open_anyway(parent, name, _FILE_FLAGS)


def _open_anyway(parent: int, name: str, flags: int) -> int:
    """Open a file or folder, if need be after making it readable for its owner."""
    try:
        return os.open(name, flags, dir_fd=parent)
    except PermissionError:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if not stat.S_ISLNK(mode):
            os.chmod(name, stat.S_IMODE(mode) | 0o700, dir_fd=parent)
        return os.open(name, flags, dir_fd=parent)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFDIR: "a folder",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")
