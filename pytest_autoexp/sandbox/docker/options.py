"""What a container is made of, and what the engine is asked to create for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from docker.types import DeviceRequest, Ulimit

from pytest_autoexp.model.task import Resources
from pytest_autoexp.sandbox.docker import podman
from pytest_autoexp.sandbox.docker.leftovers import OWNER_LABEL, RUN_LABEL, TRIAL_LABEL, Owner
from pytest_autoexp.sandbox.environ import BASE_ENVIRONMENT
from pytest_autoexp.sandbox.protocol import MAX_TREE_FILES
from pytest_autoexp.sandbox.tree import SANDBOX_UID

WORKSPACE = "/workspace"
"""The workspace inside a container."""

OWN_USER = "0:0"
"""User and group of the plugin's own processes in a container: root, without capabilities."""

_LIFETIME_SEC = 30 * 24 * 3600  # of one that nobody can tell to be left, as from a lost machine
_HOME = "/home/agent"
_TMP = "/tmp"


@dataclass(frozen=True)
class DockerSettings:
    """What a container is made of.

    Attributes:
        image: Name or id of an image that the engine has.
        resources: What it may use.  Files are kept in memory: of the memory limit the
            workspace takes at most half, ``/tmp`` and the home folder an eighth each.
        run_id: The run that it belongs to.
        trial_id: The trial that it belongs to.
        devices: Indices or UUIDs of the GPUs that it sees.
        network: The hosts that its commands reach; none if empty.
        gateway_port: Port of the host's loopback that they find at theirs.
    """

    image: str
    resources: Resources
    run_id: str
    trial_id: str
    devices: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    gateway_port: int | None = None

    @property
    def relayed(self) -> bool:
        """Does a program of ours run beside its commands, that relays their connections?"""
        return bool(self.network or self.gateway_port)

    @property
    def workspace_bytes(self) -> int:
        """Size of the workspace.

        Whatever is written there, to ``/tmp``, to the home folder and to ``/dev/shm``, an eighth
        of the memory is left to processes.
        """
        return min(self.resources.disk_bytes, self.resources.memory_bytes // 2)


def container_options(
    settings: DockerSettings, name: str, engine_cpus: int, *, is_podman: bool
) -> dict[str, Any]:
    """What the engine is asked to create.

    Args:
        settings: What the container is made of.
        name: Its name.
        engine_cpus: CPUs of the engine's machine: more cannot be asked for.
        is_podman: Is it Podman that is asked?
    """
    limits = settings.resources
    eighth = min(limits.disk_bytes, limits.memory_bytes // 8)
    owned = f"uid={SANDBOX_UID},gid={SANDBOX_UID},mode=755,exec,nr_inodes={MAX_TREE_FILES}"
    tmpfs = {
        WORKSPACE: f"size={settings.workspace_bytes},{owned}",
        _HOME: f"size={eighth},{owned}",
        _TMP: f"size={eighth},mode=1777,exec,nr_inodes={MAX_TREE_FILES}",
    }
    gpus = DeviceRequest(device_ids=[*settings.devices], capabilities=[["gpu"]])
    return {
        "image": settings.image,
        "name": name,
        "labels": {
            RUN_LABEL: settings.run_id,
            TRIAL_LABEL: settings.trial_id,
            OWNER_LABEL: str(Owner.this_process()),
        },
        # Root without capabilities: commands cannot end it, and it can do nothing.
        "entrypoint": ["sleep", str(_LIFETIME_SEC)],
        "user": OWN_USER,
        "init": True,
        "healthcheck": {"test": ["NONE"]},
        "hostname": "sandbox",
        "working_dir": "/",
        "environment": {**BASE_ENVIRONMENT, "HOME": _HOME, "TMPDIR": _TMP},
        "use_config_proxy": False,
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        # A segment of shared memory goes with the last process that uses it.  Message queues and
        # System V's semaphores, which would last from one command to the next, there are none.
        "sysctls": {
            "kernel.shm_rmid_forced": "1",
            "kernel.msgmni": "0",
            "kernel.sem": "250 32000 100 0",
            "fs.mqueue.queues_max": "0",
        },
        "shm_size": eighth,
        "tmpfs": podman.plain_tmpfs(tmpfs) if is_podman else tmpfs,
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "nano_cpus": int(min(limits.cpus, engine_cpus) * 1e9),
        "pids_limit": limits.pids,
        "ulimits": [
            Ulimit(name="fsize", soft=limits.disk_bytes, hard=limits.disk_bytes),
            Ulimit(name="core", soft=0, hard=0),
        ],
        "device_requests": [gpus] if settings.devices else None,
    }
