"""What Podman does otherwise behind its Docker-compatible socket, all in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_autoexp.model.errors import InfrastructureError

TOP_COLUMNS = "user"
"""Makes ``top`` read the container's processes itself.

With what it is asked for by default it starts a ``ps`` in the container, which fails where the
image has none or the container is full.
"""

_FULL_SHARE = 0.9
_TMPFS_OPTIONS = ("size", "exec")


def is_podman(info: Mapping[str, Any]) -> bool:
    """True if it is Podman that answers.

    Args:
        info: What the engine tells of itself.
    """
    return "BuildahVersion" in info


def plain_tmpfs(tmpfs: Mapping[str, str]) -> dict[str, str]:
    """File systems in memory with the options that Podman takes.

    It refuses an owner and a number of files.  So anybody may write there, and how many files
    there are is bounded by the memory limit alone.

    Args:
        tmpfs: Their options by path, as Docker takes them.
    """
    plain = {}
    for path, options in tmpfs.items():
        kept = [o for o in options.split(",") if o.partition("=")[0] in _TMPFS_OPTIONS]
        plain[path] = ",".join([*kept, "mode=1777", "notmpcopyup"])
    return plain


def is_full(stats: Mapping[str, Any]) -> bool:
    """True if a container has next to no memory left.

    The counter cannot be read then: that takes a program in the container.

    Args:
        stats: What the engine measures of the container.
    """
    memory = stats["memory_stats"]
    return bool(memory["usage"] > _FULL_SHARE * memory["limit"])


def check_limits(info: Mapping[str, Any]) -> None:
    """Make sure that the engine limits memory and processes; any engine can be asked.

    A rootless Podman ignores limits on control groups of version 1, and claims to have them.

    Args:
        info: What the engine tells of itself.

    Raises:
        InfrastructureError: If it does not.
    """
    ignored = bool(info.get("Rootless")) and info.get("CgroupVersion") == "1"
    missing = [
        name
        for name, key in (("memory", "MemoryLimit"), ("processes", "PidsLimit"))
        if ignored or not info.get(key)
    ]
    if missing:
        raise InfrastructureError(
            f"the engine cannot limit {' and '.join(missing)} of a container (control groups of"
            f" version {info.get('CgroupVersion', '1')}"
            f"{', rootless' if info.get('Rootless') else ''}): run it as root, or on a machine"
            " with control groups of version 2, or use --sandbox=local"
        )
