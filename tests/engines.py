"""A Docker engine of the tests' own: it may be stopped and killed, and it believes in GPUs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient

GPU_HOOK = "nvidia-container-runtime-hook"
"""A program of this name on its path makes an engine offer NVIDIA GPUs."""

_CONTAINERD = """
version = 2
root = "{root}/containerd"
state = "{run}/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{run}/containerd.sock"
"""
_CGROUPS = Path("/sys/fs/cgroup")
_MEMORY_LIMITS = {"memory/{}/memory.limit_in_bytes": "-1", "{}/memory.max": "max"}
"""Where a control group of version 1 and 2 has its limit, and what stands for none."""
_CONTAINERS_SIZE = "64m"  # of what the engine writes of each container, without its files
_ANSWER_SEC = 60.0
_END_SEC = 60.0


class OwnEngine:
    """A dockerd with a folder, a socket and a containerd of its own, and no network.

    It offers NVIDIA GPUs of any name: its containers get ``NVIDIA_VISIBLE_DEVICES``, and a
    stand-in for NVIDIA's hook that does nothing.  It ends with the thread that started it.
    Its machine may run short of memory, and its disk may be full.

    Attributes:
        host: Its address, as ``DOCKER_HOST`` takes it.
    """

    def __init__(self, beside: Path) -> None:
        """Make its folders; :meth:`remove` them.

        Args:
            beside: Where its images are kept: overlayfs does not work on every file system.
        """
        self._root = Path(tempfile.mkdtemp(prefix="autoexp-engine-", dir=beside))
        self._run = Path(tempfile.mkdtemp(prefix="dockerd-", dir="/tmp"))  # short: it has sockets
        self._log = self._run / "log"
        self._containerd: subprocess.Popen[bytes] | None = None
        self._dockerd: subprocess.Popen[bytes] | None = None
        self.host = f"unix://{self._run}/docker.sock"
        hook = self._run / "bin" / GPU_HOOK
        hook.parent.mkdir()
        hook.write_text("#!/bin/sh\nexit 0\n")
        hook.chmod(0o755)
        config = _CONTAINERD.format(root=self._root, run=self._run)
        (self._run / "containerd.toml").write_text(config)
        self._containers = self._root / "containers"
        self._containers.mkdir()
        options = f"mode=710,size={_CONTAINERS_SIZE}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self._containers]
        subprocess.run(command, check=True)
        (self._root / "docker").mkdir()
        # By a link: the engine takes away what is mounted in its own folder.
        (self._root / "docker" / "containers").symlink_to(self._containers)

    def start(self) -> None:
        """Start it and wait until it answers; does nothing if it runs."""
        if self._dockerd is not None:
            return
        if self._containerd is None:
            self._containerd = self._daemon("containerd", config=self._run / "containerd.toml")
            self._wait_for(self._containerd, self._run / "containerd.sock")
        self._dockerd = self._daemon(
            "dockerd",
            containerd=self._run / "containerd.sock",
            data_root=self._root / "docker",
            exec_root=self._run / "exec",
            pidfile=self._run / "pid",
            host=self.host,
            cgroup_parent=f"/{self._run.name}",
            exec_opt="native.cgroupdriver=cgroupfs",
            bridge="none",
            iptables="false",
            ip_masq="false",
        )
        self._wait_for(self._dockerd, self._run / "docker.sock")
        self.client().close()  # answered when all is set up

    def stop(self) -> None:
        """End it as the system does, with its containers."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does: its containers run on until it starts again."""
        self._end(signal.SIGKILL)

    def limit_memory(self, limit_bytes: int | None) -> None:
        """Let its containers take no more than this together, as if its machine had no more.

        Args:
            limit_bytes: None for no limit.
        """
        for name, unlimited in _MEMORY_LIMITS.items():
            file = _CGROUPS / name.format(self._run.name)
            if file.exists():
                file.write_text(unlimited if limit_bytes is None else str(limit_bytes))
                return
        assert limit_bytes is None, "a container has been there, and its control group is here"

    def fill_disk(self) -> None:
        """Leave no room for what it writes of a container, beside the container's files."""
        found = os.statvfs(self._containers)
        used_bytes = (found.f_blocks - found.f_bfree) * found.f_frsize
        self._resize_containers(str(max(used_bytes, found.f_frsize)))  # of 0 it takes no limit

    def free_disk(self) -> None:
        """Let there be room again."""
        self._resize_containers(_CONTAINERS_SIZE)

    def client(self) -> DockerClient:
        """A client of it; close it."""
        import docker

        return docker.DockerClient(base_url=self.host, timeout=120)

    def remove(self) -> None:
        """End it, and all that it started, and remove its folders."""
        try:
            if self._dockerd is None:  # the containers of a killed one are ended by the next
                self.start()
            self.stop()
        finally:
            for daemon in (self._dockerd, self._containerd):
                if daemon is not None:
                    daemon.terminate()
                    daemon.wait(_END_SEC)
            for process in self._processes():
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            for folder in (self._run, self._root):
                for mount in _mounts_below(folder):
                    subprocess.run(["umount", "--lazy", mount], check=False)
                shutil.rmtree(folder)
            for group in (*_CGROUPS.glob(f"*/{self._run.name}"), _CGROUPS / self._run.name):
                with suppress(OSError):  # none there, or its last process is still going
                    group.rmdir()

    def _resize_containers(self, size: str) -> None:
        command = ["mount", "-o", f"remount,size={size}", self._containers]
        subprocess.run(command, check=True)

    def _daemon(self, program: str, **options: object) -> subprocess.Popen[bytes]:
        """Start a daemon; it ends with the thread that calls this."""
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        path = f"{self._run / 'bin'}:{os.environ['PATH']}"
        with self._log.open("ab") as log:
            return subprocess.Popen(
                # A network of its own: `bridge=none` removes docker0 from the one it is in.
                ["setpriv", "--pdeathsig", "TERM", "unshare", "--net", program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": path},
            )

    def _wait_for(self, daemon: subprocess.Popen[bytes], address: Path) -> None:
        deadline = time.monotonic() + _ANSWER_SEC
        while not _listens(address):
            if daemon.poll() is not None or time.monotonic() > deadline:
                log_end = self._log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"the tests' own engine does not start:\n{log_end}")
            time.sleep(0.1)

    def _end(self, by: signal.Signals) -> None:
        if self._dockerd is not None:
            self._dockerd.send_signal(by)
            self._dockerd.wait(_END_SEC)
            self._dockerd = None

    def _processes(self) -> Iterator[int]:
        """What it started, and so names its folder; none after an orderly end."""
        mine = os.fsencode(self._run)
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if mine in command.read_bytes():
                    yield int(command.parent.name)


@contextmanager
def own_engine(main: DockerClient, image: str) -> Iterator[OwnEngine]:
    """An engine that runs, and has an image of the machine's.

    Args:
        main: The machine's engine.
        image: Name of the image.
    """
    engine = OwnEngine(Path(main.info()["DockerRootDir"]).parent)
    try:
        engine.start()
        client = engine.client()
        client.images.load(main.images.get(image).save(named=image))
        client.close()
        yield engine
    finally:
        engine.remove()


def own_engine_problem(main: DockerClient) -> str | None:
    """Why no engine of the tests' own can be started, or None if one can."""
    if os.geteuid() != 0:
        return "an engine of the tests' own needs root"
    missing = [name for name in ("dockerd", "containerd", "setpriv") if shutil.which(name) is None]
    if missing:
        return f"an engine of the tests' own needs {', '.join(missing)}"
    if not Path(main.info()["DockerRootDir"]).is_dir():
        return "an engine of the tests' own needs the other one to be on this machine"
    return None


def _listens(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as knock, suppress(OSError):
        knock.connect(str(address))
        return True
    return False


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split(" ")[4] for line in lines]
    return sorted((p for p in points if Path(p).is_relative_to(folder)), key=len, reverse=True)
