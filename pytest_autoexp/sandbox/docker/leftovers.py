"""Whose a container is, and the removal of those whose owner is gone."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError

from pytest_autoexp.sandbox.docker.engine import connect, engine_errors

RUN_LABEL = "pytest-autoexp.run"
"""Label that holds the id of the run."""

TRIAL_LABEL = "pytest-autoexp.trial"
"""Label that holds the id of the trial."""

OWNER_LABEL = "pytest-autoexp.owner"
"""Label that says which process owns a container."""


@dataclass(frozen=True)
class Owner:
    """A process, told apart from any other one, now or later.

    Attributes:
        node: Name of its machine.
        boot: Which start of the machine; with it, the process ids of which container.
        pid: Its process id.
        started: When it started, in clock ticks since boot; empty where it cannot be told.
    """

    node: str
    boot: str
    pid: int
    started: str

    def __str__(self) -> str:
        """As it stands in a label."""
        return f"{self.node} {self.boot} {self.pid} {self.started}"

    @classmethod
    def this_process(cls) -> Owner:
        """The process that asks."""
        return cls(platform.node(), _boot(), os.getpid(), _started(os.getpid()) or "")

    @classmethod
    def from_label(cls, label: str) -> Owner | None:
        """What a label says; None if it is not one of ours."""
        parts = label.split(" ")
        if len(parts) != 4 or not parts[2].isdecimal():
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3])

    def is_dead(self) -> bool:
        """True if it surely runs no more; of another machine's processes nothing is known."""
        if (self.node, self.boot) != (platform.node(), _boot()):
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        started = _started(self.pid)
        return started is not None and started != self.started


def remove_leftovers(ended_run: str | None = None) -> tuple[str, ...]:
    """Remove the containers whose owner died without removing them.

    What a living process owns, on this machine or another one that uses the same engine,
    stays.

    Args:
        ended_run: A run that is over although its process lives: what is still there of it
            could not be removed when it should have been, as the engine was away.

    Returns:
        Lines for the user: what was removed, and what stayed, whose it is and why.

    Raises:
        InfrastructureError: If the engine does not answer.
    """
    client = connect()
    with engine_errors("leftover containers cannot be listed"):
        owned = list(_owned(client))
        left = [c for c in owned if c.is_left or c.run_id == ended_run]
        removed = [c for c in left if _remove(client, c.name)]
    client.close()
    lines = [f"removed container {c.name}, which an ended run had left" for c in removed]
    lines += [f"kept container {c.name} {c.why_kept}" for c in owned if c not in left]
    return tuple(lines)


@dataclass(frozen=True)
class _Owned:
    """A container of the plugin's."""

    name: str
    run_id: str
    owner: Owner
    state: str

    @property
    def is_left(self) -> bool:
        """Is it surely nobody's any more?"""
        # Nothing of ours outlives a restart of the machine: what it ended, it left.
        before_restart = self.owner.node == platform.node() and self.owner.boot != _boot()
        return self.owner.is_dead() or (before_restart and self.state in ("exited", "dead"))

    @property
    def why_kept(self) -> str:
        if (self.owner.node, self.owner.boot) == (platform.node(), _boot()):
            return f"of run {self.run_id}, which is alive (process {self.owner.pid})"
        return (
            f"of run {self.run_id} on {self.owner.node}, of whose processes nothing is known"
            f" here; if that run has ended: docker rm -f {self.name}"
        )


def _owned(client: DockerClient) -> Iterator[_Owned]:
    # The plain list: the library's own looks at each container, and fails if one goes away.
    for found in client.api.containers(all=True, filters={"label": OWNER_LABEL}):
        labels = found["Labels"]
        owner = Owner.from_label(labels[OWNER_LABEL])
        if owner is not None:
            name = found["Names"][0].lstrip("/")
            yield _Owned(name, labels.get(RUN_LABEL, ""), owner, found["State"])


def _remove(client: DockerClient, container: str) -> bool:
    with suppress(APIError):  # another worker removes it, too
        client.api.remove_container(container, force=True, v=True)
        return True
    return False


def _boot() -> str:
    """Which start of the machine, and the process ids of which container, if in one."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink().name
        return f"{boot}/{namespace}"
    return "unknown"


def _started(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot; empty if it ended.

    None where it cannot be told: without a /proc, or where that hides others' processes.
    """
    with suppress(OSError):
        # proc(5): the name in parentheses may hold anything; fields 3 and 22 count.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return None
