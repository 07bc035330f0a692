"""Folder trees as tar streams: packed on the host, checked before they are written to it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.leavings import MAX_PATH_BYTES, MAX_SEEN_FACTOR, Leavings, is_long
from pytest_autoexp.sandbox.protocol import MAX_TREE_BYTES, MAX_TREE_FILES, Leave, take_all

SANDBOX_UID = 1000
"""Owner of everything in a packed tree: the user that commands run as in a container."""

_CHUNK_BYTES = 1024 * 1024
_REFUSED = "{}: only files, folders and links can be put into a sandbox; remove it"
_MALFORMED = (tarfile.TarError, ValueError, ArithmeticError, LookupError)
"""What tarfile raises at headers that no tar writes, such as a map of holes made of letters."""

_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link to what did not come out",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
}


class Readable(Protocol):
    """Where a stream comes from."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


class Writable(Protocol):
    """Where a stream goes to."""

    def write(self, data: bytes, /) -> object:
        """Take all of the bytes."""
        ...


def relative_parts(path: str) -> tuple[str, ...]:
    """The folders of a path relative to the workspace.

    Raises:
        ValueError: If it is absolute or has a ``..``.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise ValueError(f"path {path!r} must be relative to the workspace and stay inside it")
    return pure.parts


def check_source(source: Path) -> None:
    """Refuse what cannot be put into a sandbox.

    Raises:
        ValueError: If it is no folder, or something in it is neither file, folder nor link.
        InfrastructureError: If it cannot be read.
    """
    if not source.is_dir():
        raise ValueError(f"{source} cannot be put into a sandbox: there is no such folder")
    todo = [source]
    try:
        for folder in todo:  # grows meanwhile
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(Path(entry.path))
                    elif not (entry.is_symlink() or entry.is_file()):
                        raise ValueError(_REFUSED.format(entry.path))
    except OSError as error:
        raise InfrastructureError(f"{source} cannot be put into a sandbox: {error}") from error


def pack(source: Path, out: Writable) -> None:
    """Write the tree below a host folder as an uncompressed tar stream.

    Links stay links.  Everything belongs to the sandbox's user and is writable to it.

    Args:
        source: The folder; its own name is not in the stream.
        out: Takes the stream, block by block.

    Raises:
        ValueError: If something in the tree is neither file, folder nor link.
        InfrastructureError: If something in it cannot be read.
    """
    try:
        with tarfile.open(
            fileobj=cast(IO[bytes], out),
            mode="w|",
            bufsize=_CHUNK_BYTES,
            format=tarfile.GNU_FORMAT,
        ) as tar:
            _pack_folder(tar, source, PurePosixPath())
    except OSError as error:
        if error.filename is None:  # of the other end of the stream, not of the tree
            raise
        raise InfrastructureError(
            f"{error.filename} cannot be put into a sandbox: {error.strerror}"
        ) from error


def _pack_folder(tar: tarfile.TarFile, folder: Path, inside: PurePosixPath) -> None:
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        status = entry.stat(follow_symlinks=False)
        member = tarfile.TarInfo(str(inside / entry.name))
        member.uid = member.gid = SANDBOX_UID
        member.mtime = int(status.st_mtime)
        member.mode = 0o755 if stat.S_ISDIR(status.st_mode) or status.st_mode & 0o111 else 0o644
        if entry.is_symlink():
            member.type = tarfile.SYMTYPE
            member.linkname = str(Path(entry.path).readlink())
            tar.addfile(member)
        elif entry.is_dir():
            member.type = tarfile.DIRTYPE
            tar.addfile(member)
            _pack_folder(tar, Path(entry.path), inside / entry.name)
        elif entry.is_file():
            member.size = status.st_size
            with Path(entry.path).open("rb") as content:
                tar.addfile(member, content)
        else:
            raise ValueError(_REFUSED.format(entry.path))


def unpack_checked(
    stream: Readable,
    dest: Path,
    *,
    max_bytes: int = MAX_TREE_BYTES,
    max_files: int = MAX_TREE_FILES,
    max_streamed_bytes: int = 2 * MAX_TREE_BYTES,
    leave: Leave = take_all,
) -> tuple[str, ...]:
    """Write the regular files and folders of an untrusted tar stream below a host folder.

    Each entry is checked before a byte of it is written: no absolute names, no ``..``, no
    links, no devices, nothing over the limits.  Names that appear twice keep the first
    content.  Hard links become copies.  Empty folders come as long as half of the entries are
    left for files.  The stream may not be read to its end.

    Args:
        stream: The tar stream, uncompressed.
        dest: Created if missing; must hold nothing that others may write.
        max_bytes: Most bytes that are written.
        max_files: Most files and folders that are made.  The stream is given up after
            :data:`~pytest_autoexp.sandbox.leavings.MAX_SEEN_FACTOR` times as many.
        max_streamed_bytes: Most bytes of content in the stream, most of it skipped.
        leave: Says which files stay behind.

    Returns:
        One line for each entry that was left out, saying why.

    Raises:
        InfrastructureError: If the stream breaks off or the host cannot write.
    """
    unpacking = _Unpacking(dest, max_bytes, max_files, max_streamed_bytes, leave)
    try:
        dest.mkdir(parents=True, exist_ok=True)
        source = cast(IO[bytes], stream)
        with tarfile.open(fileobj=source, mode="r|", bufsize=_CHUNK_BYTES) as tar:
            for member in tar:
                if not unpacking.take(tar, member):
                    break
    except _MALFORMED as error:
        raise InfrastructureError(f"a tree from the sandbox broke off: {error}") from error
    except OSError as error:
        raise InfrastructureError(f"{dest} cannot be written: {error}") from error
    return unpacking.left.lines()


class _Unpacking:
    """The state of one unpacked stream."""

    def __init__(
        self, dest: Path, max_bytes: int, max_files: int, max_streamed_bytes: int, leave: Leave
    ) -> None:
        self._dest = dest
        self._why_left = leave
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._max_streamed_bytes = max_streamed_bytes
        self._seen = 0
        self._streamed_bytes = 0
        self._written_bytes = 0
        self._files: dict[PurePosixPath, int] = {}
        self._folders = {PurePosixPath()}
        self.left = Leavings()

    def take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
        """Write one entry, or note why not; False if the stream is to be given up."""
        self._seen += 1
        # Its size may be a lie: one below zero, or that of holes, which are not in the stream.
        size = 0 if member.issparse() else member.size
        blocks_bytes = tar.offset - member.offset_data
        self._streamed_bytes += max(0, size, blocks_bytes - tarfile.BLOCKSIZE + 1)
        if self._seen > MAX_SEEN_FACTOR * self._max_files:
            return self._cut(member, f"over {MAX_SEEN_FACTOR * self._max_files} entries")
        if self._streamed_bytes > self._max_streamed_bytes:
            return self._cut(member, f"over {self._max_streamed_bytes} bytes in the tree")
        name = PurePosixPath(member.name)
        if unfit := _unfit(name):
            self._leave(member, unfit)
        elif name.parts:
            try:
                if not self._write(tar, member, name):
                    return self._cut(member, f"over {self._max_files} entries")
            except (FileExistsError, NotADirectoryError):
                self._leave(member, "its name is taken by another entry")
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                self._leave(member, "its name is too long here")
        return True

    def _write(self, tar: tarfile.TarFile, member: tarfile.TarInfo, name: PurePosixPath) -> bool:
        """Write an entry, or note why not; False if it is one too many."""
        if member.isdir():
            # Without this, folders could take the place of files; those make their own.
            return self._made + 1 > self._max_files // 2 or self._make_folder(name)
        original = PurePosixPath(member.linkname) if member.islnk() else None
        if original in self._files:
            size = self._files[original]
        elif member.isreg():
            size = member.size
        else:
            self._leave(member, _KINDS.get(member.type, "neither a file nor a folder"))
            return True
        if why := self._why_left(str(name), size):
            self._leave(member, why)
            return True
        if self._written_bytes + size > self._max_bytes:
            self._leave(member, f"the tree would be over {self._max_bytes} bytes")
            return True
        if not self._make_folder(name.parent) or self._made >= self._max_files:
            return False
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        mode = 0o755 if member.mode & 0o111 else 0o644
        with os.fdopen(os.open(self._dest / name, flags, mode), "wb") as out:
            if original in self._files:
                with (self._dest / original).open("rb") as content:
                    shutil.copyfileobj(content, out, _CHUNK_BYTES)
            else:
                content_of_member = tar.extractfile(member)
                assert content_of_member is not None  # a regular file has content
                shutil.copyfileobj(content_of_member, out, _CHUNK_BYTES)
        self._written_bytes += size
        self._files[name] = size
        return True

    @property
    def _made(self) -> int:
        """How many files and folders were made."""
        return len(self._files) + len(self._folders) - 1

    def _make_folder(self, name: PurePosixPath) -> bool:
        """Make a folder and those above it; False if that is one too many."""
        missing = [folder for folder in (name, *name.parents) if folder not in self._folders]
        for folder in reversed(missing):
            if self._made >= self._max_files:
                return False
            (self._dest / folder).mkdir(exist_ok=True)
            self._folders.add(folder)
        return True

    def _cut(self, member: tarfile.TarInfo, reason: str) -> bool:
        self.left.add_cut(member.name, f"it and all that follows it: {reason}")
        return False

    def _leave(self, member: tarfile.TarInfo, reason: str) -> None:
        self.left.add(member.name, reason)


def _unfit(name: PurePosixPath) -> str:
    """Why nothing can be written under a name, or an empty string."""
    if name.is_absolute() or ".." in name.parts:
        return "its name leads out of the tree"
    if "\0" in str(name):
        return "its name has a NUL"
    return f"its path is longer than {MAX_PATH_BYTES} bytes" if is_long(str(name)) else ""
