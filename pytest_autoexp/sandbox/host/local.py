"""The sandbox ``local``: the same as ``none``, isolated by bubblewrap (Linux)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.task import Resources
from pytest_autoexp.model.trial import GatewayAddress
from pytest_autoexp.sandbox.host import forward, process
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import PythonEnvironment
from pytest_autoexp.sandbox.host.seccomp import key_filter
from pytest_autoexp.sandbox.host.view import SYSTEM, view

_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "mime.types")
_OWN_ETC = {
    "passwd": "root:x:0:0::/root:/bin/sh\nagent:x:1000:1000::/home/agent:/bin/sh\n",
    "group": "root:x:0:\nagent:x:1000:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_VIEW = {"workspace": "/workspace", "home": "/home/agent", "tmp": "/tmp", "bin": "/opt/autoexp/bin"}
# Where the caller is root these could be written (core_pattern starts programs as root), since
# bubblewrap's user is then the kernel's root without capabilities, whom file modes let in.
_PROC = ("sys", "sysrq-trigger", "fs", "acpi", "scsi", "driver", "mtrr", "pressure")
_KEYS = ("keys", "key-users")
_FILTER = "filter"
_FILTER_FD = 9
_OPEN_FILTER = f'exec {_FILTER_FD}< "$1" && shift && exec "$@"'
_SOCKET = "/run/models"  # the gateway's
_FORWARD = Path(forward.__file__).read_text()
_SHARED_MEMORY_BYTES = 512 * 1024**2
# No --clearenv and --setenv, which would show every variable, keys too, in the list of
# processes: bubblewrap is started with the sandbox's variables and no others.
_ISOLATE = (
    *("--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"),
    *("--cap-drop", "ALL", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox"),
    *("--json-status-fd", str(process.REPORT_FD)),
    *("--proc", "/proc", "--dev", "/dev"),
    *(part for n in _PROC for part in ("--ro-bind-try", f"/proc/{n}", f"/proc/{n}")),
    # The names of the caller's keys, which no namespace hides.
    *(part for n in _KEYS for part in ("--ro-bind-try", "/dev/null", f"/proc/{n}")),
    *("--size", str(_SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm"),
)
_LOCK_DEVICES = ("--remount-ro", "/dev")
# CUDA looks up processors and memory nodes here.  The rest of /sys stays away: a caller who is
# root could map the registers of PCI devices there.
_SYSTEM_DEVICES = "/sys/devices/system"


@cache
def bubblewrap_problem() -> str | None:
    """Why bubblewrap does not work on this machine, or None if it does (tried once)."""
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap (bwrap) is not installed: install the system's package bubblewrap"
    isolate = [argument for argument in _ISOLATE if argument not in ("--json-status-fd", "3")]
    isolate += _LOCK_DEVICES
    try:
        with tempfile.TemporaryFile() as file:
            file.write(key_filter())
            file.seek(0)
            if key_filter():
                isolate += ["--seccomp", str(file.fileno())]
            done = subprocess.run(
                [program, *isolate, *_system_binds(), "--", "/bin/sh", "-c", "true"],
                capture_output=True,
                timeout=30,
                check=False,
                text=True,
                pass_fds=(file.fileno(),),
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here: {error}"
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit status {done.returncode}"
        return f"bubblewrap does not work here (in a container it usually cannot): {said}"
    return None


class LocalSandbox(NoneSandbox):
    """Commands run in namespaces of their own: bubblewrap.

    They have no network but their own loopback, no capabilities, a read-only system, the
    interpreter's trees, and the private folder's workspace, HOME and /tmp, which live as
    long as the sandbox.  Nothing else of the host is there: not the caller's home, not the
    repository and the tasks, no other process, no kernel keys.  Limits as in ``none``.

    Attributes:
        kind: ``"local"``.
        workspace: ``"/workspace"``.
    """

    kind: str = "local"
    _own_view: ClassVar[bool] = True

    def __init__(
        self,
        python: PythonEnvironment,
        resources: Resources | None = None,
        env: Mapping[str, str] | None = None,
        hidden: tuple[Path, ...] = (),
        devices: tuple[Path, ...] = (),
        gateway: GatewayAddress | None = None,
    ) -> None:
        """Make the private folder.

        Args:
            python: The interpreter that ``python`` means.
            resources: What each command may use.
            env: Environment variables for every command, beside the sandbox's own.
            hidden: Files and folders of the host that commands may not see.
            devices: Files in ``/dev`` that commands see and may open beside the usual ones.
            gateway: What commands find at its port of their loopback.

        Raises:
            InfrastructureError: As for ``none``, and if bubblewrap does not work here.
        """
        self._devices = devices
        self._gateway = gateway
        super().__init__(python, resources, env, hidden)

    def _seen_as(self, name: str) -> str:
        return _VIEW[name]

    def _write_files(self) -> None:
        if problem := bubblewrap_problem():
            raise InfrastructureError(f"--sandbox=local cannot be used: {problem}")
        super()._write_files()
        etc = self._folder.path / "etc"
        etc.mkdir()
        for name, content in _OWN_ETC.items():
            (etc / name).write_text(content)
        if program := key_filter():
            (self._folder.path / _FILTER).write_bytes(program)
        view(self.python, self._hidden)  # says at once what cannot be hidden

    def _wrap(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        program = shutil.which("bwrap")
        if program is None:
            raise InfrastructureError("bubblewrap (bwrap) is not installed any more")
        if self._gateway:
            python, port = str(self.python.executable), str(self._gateway.port)
            argv = (python, "-I", "-S", "-c", _FORWARD, port, _SOCKET, *argv)
        isolated = (program, *_ISOLATE, *self._binds(), "--", *argv)
        if not (self._folder.path / _FILTER).exists():
            return isolated
        with_filter = (program, "--seccomp", str(_FILTER_FD), *isolated[1:])
        return ("/bin/sh", "-c", _OPEN_FILTER, "sh", str(self._folder.path / _FILTER), *with_filter)

    def _binds(self) -> Iterator[str]:
        """What is visible, in the order of mounting: the later hides the earlier."""
        folder = self._folder.path
        for device in self._devices:
            yield from ("--dev-bind-try", str(device), str(device))
        if self._devices:
            yield from ("--ro-bind-try", _SYSTEM_DEVICES, _SYSTEM_DEVICES)
        yield from (*_LOCK_DEVICES, *_system_binds())
        for name in _OWN_ETC:
            yield from ("--ro-bind", str(folder / "etc" / name), f"/etc/{name}")
        for name, seen in _VIEW.items():
            if (folder / name).exists():
                yield from ("--ro-bind" if name == "bin" else "--bind", str(folder / name), seen)
        if self._gateway:
            yield from ("--ro-bind", self._gateway.socket, _SOCKET)
        visible = view(self.python, self._hidden)
        yield from visible.mounts()
        for target, link in _links(self.python.executable):
            if not visible.sees(link) and not self._is_there(link):
                yield from ("--symlink", target, str(link))
        yield from (*visible.locks(), "--remount-ro", "/")

    def _is_there(self, path: Path) -> bool:
        """Has an earlier command left this path in one of the private folders?"""
        return any(
            path.is_relative_to(seen)
            and os.path.lexists(self._folder.path / name / path.relative_to(seen))
            for name, seen in _VIEW.items()
        )

    def _check(self, finished: process.Finished) -> None:
        # bubblewrap reports an exit code only if it got as far as running the command.
        if '"exit-code"' not in finished.report:
            said = finished.result.stderr.strip()[-2000:] or "it was killed"
            raise InfrastructureError(f"bubblewrap failed: {said}")


def _system_binds() -> Iterator[str]:
    """Arguments that show the system, read-only."""
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def _links(executable: Path) -> Iterator[tuple[str, Path]]:
    """Targets and places of the links by which an interpreter is reached."""
    path = executable
    while path.is_symlink():
        target = path.readlink()
        yield str(target), path
        path = Path(os.path.normpath(path.parent / target))
