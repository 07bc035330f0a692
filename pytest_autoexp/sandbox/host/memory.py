"""How much memory processes take together, where no control group limits that (Linux)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress

_LOOK_SEC = 1.0
_PAUSE_FACTOR = 20  # looking may take a twentieth of the time


def takes_more(processes: Collection[int], limit_bytes: int) -> bool:
    """Do processes have more memory of their own in use than this, all together?

    Private and shared memory counts, a page that several have once.  Mapped files count where
    they lie in memory, and not on a disk.  What belongs to no process does not: other files in
    memory, buffers of the kernel.

    Args:
        processes: Their ids.  Those that do not let the caller look are left out.
        limit_bytes: How much they may have.
    """
    # Quickly, each page for every process that has it; only then each once.  That is asked
    # twice: of a process that ends meanwhile, the others' shares grow.
    return (
        _sum_bytes(processes, "status", (b"RssAnon:", b"RssShmem:")) > limit_bytes
        and _own_bytes(processes) > limit_bytes
        and _own_bytes(processes) > limit_bytes
    )


def _own_bytes(processes: Collection[int]) -> int:
    return _sum_bytes(processes, "smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:"))


def _sum_bytes(processes: Collection[int], file: str, names: tuple[bytes, ...]) -> int:
    """Add up lines such as ``RssAnon:  12 kB`` of files of /proc."""
    total = 0
    for process in processes:
        with suppress(OSError), open(f"/proc/{process}/{file}", "rb") as lines:  # noqa: PTH123
            total += sum(int(line.split()[1]) for line in lines if line.startswith(names))
    return total * 1024


class MemoryWatch:
    """Looks now and then whether processes take more memory than they may."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._next_look = time.monotonic() + _LOOK_SEC

    def passed(self, processes: Callable[[], Collection[int]]) -> bool:
        """Look, if it is time for that: do they take more than the limit?"""
        started = time.monotonic()
        if started < self._next_look:
            return False
        found = takes_more(processes(), self._limit_bytes)
        ended = time.monotonic()
        self._next_look = ended + max(_LOOK_SEC, _PAUSE_FACTOR * (ended - started))
        return found

    def wait_sec(self) -> float:
        """How long it is until the next look."""
        return max(0.0, self._next_look - time.monotonic())
