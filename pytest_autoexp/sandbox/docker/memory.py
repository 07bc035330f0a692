"""A process that the kernel killed for memory: who lacked it, the container or the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COUNTERS = (
    "/sys/fs/cgroup/memory/memory.oom_control",
    "/sys/fs/cgroup/memory/memory.max_usage_in_bytes",
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory.peak",
)
"""Where commands in a container see how many of its processes the kernel killed for memory, and
the most that it took.

Control groups of version 1 and 2 have two of them each; before Linux 5.19 version 2 has no peak.
"""

_NEAR = 0.9  # of the limit: the kernel may give up before the last page is taken
_MIB = 1024**2


@dataclass(frozen=True)
class Counters:
    """What a container's control group tells of its memory.

    Attributes:
        kills: How many of its processes the kernel killed for memory, for whatever lack; None if
            nothing tells.
        peak_bytes: The most that it took at any time; None if nothing tells.
    """

    kills: int | None
    peak_bytes: int | None


@dataclass(frozen=True)
class Kill:
    """The kernel killed a process of a container for memory.

    Attributes:
        limit_bytes: What the container may take.
        peak_bytes: The most that it took at any time, as far as is known; None if nothing is.
    """

    limit_bytes: int
    peak_bytes: int | None

    @property
    def lacked_by_machine(self) -> bool:
        """True if the container never came near its own limit; False if nothing tells."""
        return self.peak_bytes is not None and self.peak_bytes < _NEAR * self.limit_bytes

    def __str__(self) -> str:
        """What happened, for the user; of a machine that lacked memory with the way out."""
        if self.peak_bytes is None or not self.lacked_by_machine:
            return "the sandbox is out of memory, and of no use any more"
        return (
            "the engine's machine ran out of memory, and not the sandbox of its own: of"
            f" {self.limit_bytes / _MIB:.0f} MiB it took {self.peak_bytes / _MIB:.0f}. Use fewer"
            " workers (-n), or a machine with more memory."
        )


def read_counters(text: str) -> Counters:
    """Read what a container's control group tells.

    Args:
        text: Content of those of the :data:`COUNTERS` that are there, one after the other.
    """
    lines = [line.split() for line in text.splitlines()]
    kills = [int(line[1]) for line in lines if line[:1] == ["oom_kill"]]
    peaks = [int(line[0]) for line in lines if len(line) == 1 and line[0].isdigit()]
    return Counters(kills[-1] if kills else None, peaks[-1] if peaks else None)


def peak_bytes(stats: Mapping[str, Any]) -> int | None:
    """The most that a container took, as far as the engine tells; no program in it is needed.

    On control groups of version 2 the engine tells how often the container reached its limit, and
    else only what it takes now.

    Args:
        stats: What the engine measures of the container.

    Returns:
        None if the engine tells nothing, as of a container that has ended.
    """
    memory: Mapping[str, int] = stats.get("memory_stats", {})
    if "max_usage" in memory:
        return memory["max_usage"]
    return memory.get("limit" if memory.get("failcnt") else "usage")
