"""How much of the disk a sandbox's folder takes, and whether that is more than it may."""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_NEXT_TO_NOTHING_BYTES = 256 * 1024
_ENTRY_BYTES = 1024  # what a name, and what is known of it, takes beside the content
_LOOK_SEC = 1.0
_PAUSE_FACTOR = 20  # looking may take a twentieth of the time, half of it near the limit
_MOST_DESCRIPTORS = 100_000  # more take so long to look at that the time limit waits


@dataclass(frozen=True)
class Usage:
    """What the tree below a folder takes.

    Attributes:
        used_bytes: Blocks of its files, and a little for each entry.
        entries: How many files, folders and others.
        whole: False if a part could not be looked at: too deep, or without permission.
        too_deep: True if paths are longer than the system takes, which nobody needs.
    """

    used_bytes: int
    entries: int
    whole: bool
    too_deep: bool = False


def usage(folder: Path, enough_bytes: float = float("inf")) -> Usage:
    """Measure a tree, in which commands may be at work, following no link.

    Args:
        folder: Its top.
        enough_bytes: Stop counting when more than this was found.
    """
    used_bytes = entries = 0
    whole, too_deep = True, False
    todo = [str(folder)]
    while todo and used_bytes <= enough_bytes:
        try:
            with os.scandir(todo.pop()) as scan:
                for entry in scan:
                    info = entry.stat(follow_symlinks=False)
                    used_bytes += info.st_blocks * 512 // info.st_nlink + _ENTRY_BYTES
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):  # gone meanwhile
            continue
        except OSError as error:
            whole = False
            too_deep = too_deep or error.errno == errno.ENAMETOOLONG
    return Usage(used_bytes, entries, whole, too_deep)


def nameless_bytes(processes: Iterable[int], device: int, enough_bytes: int) -> int:
    """What files take that processes hold open and that have no name any more (Linux).

    Args:
        processes: Their ids.  Those that do not let the caller look are left out.
        device: Count files of this device alone (``st_dev``): what is in memory is on others.
        enough_bytes: Stop counting when more than this was found.

    Returns:
        More than ``enough_bytes`` if there are too many descriptors to look at, too.
    """
    seen: set[int] = set()
    used_bytes = looked = 0
    for process in processes:
        with suppress(OSError), os.scandir(f"/proc/{process}/fd") as descriptors:
            for descriptor in descriptors:
                looked += 1
                if looked > _MOST_DESCRIPTORS:
                    return enough_bytes + 1
                with suppress(OSError):  # closed meanwhile
                    info = Path(descriptor.path).stat()  # the open file's, whatever its name was
                    if info.st_nlink == 0 and info.st_dev == device and info.st_ino not in seen:
                        seen.add(info.st_ino)
                        used_bytes += info.st_blocks * 512
        if used_bytes > enough_bytes:
            break
    return used_bytes


class DiskWatch:
    """Looks now and then whether a folder takes more than it may."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._device = folder.stat().st_dev
        self._used_bytes = 0
        self._looked = time.monotonic()
        self._next_look = self._looked + _LOOK_SEC

    def passed(self, processes: Callable[[], Iterable[int]] = tuple) -> bool:
        """Look, if it is time for that: is the limit passed, or are files hidden too deep?

        Args:
            processes: Tells who may hold files of the folder open that are removed from it.
        """
        started = time.monotonic()
        if started < self._next_look:
            return False
        # In this order: what loses its name meanwhile must not count twice.
        nameless = nameless_bytes(processes(), self._device, self._limit_bytes)
        found = usage(self._folder, self._limit_bytes - nameless)
        used_bytes = nameless + found.used_bytes
        ended = time.monotonic()
        took_sec = ended - started
        grown_bytes = used_bytes - self._used_bytes
        full_sec = math.inf  # if it goes on growing like this
        if grown_bytes > 0:
            left_bytes = self._limit_bytes - used_bytes
            full_sec = left_bytes / grown_bytes * (ended - self._looked)
        pause_sec = min(_PAUSE_FACTOR * took_sec, max(took_sec, full_sec))
        self._used_bytes, self._looked = used_bytes, ended
        self._next_look = ended + max(_LOOK_SEC, pause_sec)
        return used_bytes > self._limit_bytes or found.too_deep

    def wait_sec(self) -> float:
        """How long it is until the next look."""
        return max(0.0, self._next_look - time.monotonic())


class Share:
    """Tells whose doing it is that a disk is full."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Note how much is free.

        Args:
            folder: A sandbox's, just made.
            limit_bytes: What may be written there.

        Raises:
            OSError: If the file system does not tell.
        """
        self._folder = folder
        free = os.statvfs(folder)
        self._most_bytes = min(limit_bytes, free.f_bavail * free.f_frsize // 2)
        self._most_entries = free.f_favail // 2 or float("inf")  # 0: no such limit there
        self._blamed = False

    def explains(self, error: BaseException | None) -> bool:
        """True for "disk full" if the folder takes its limit, or half of what was free.

        Where that was so once, it stays so: what it takes may have been removed since.
        """
        if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return False
        return self._is_its_doing()

    def is_full_of_others(self) -> bool:
        """True if next to nothing is free, and it is not the folder that takes it."""
        disk = os.statvfs(self._folder)
        has_room = disk.f_bavail * disk.f_frsize >= _NEXT_TO_NOTHING_BYTES
        return not has_room and not self._is_its_doing()

    def _is_its_doing(self) -> bool:
        if not self._blamed:
            found = usage(self._folder)
            much = found.used_bytes >= self._most_bytes or found.entries >= self._most_entries
            self._blamed = much or not found.whole
        return self._blamed
