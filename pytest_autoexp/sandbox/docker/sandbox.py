"""The Docker sandbox: one fresh, locked-down container per phase of a trial."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pytest_autoexp.model.errors import InfrastructureError, SandboxExhaustedError
from pytest_autoexp.model.result import CommandResult, Refused
from pytest_autoexp.sandbox.capture import Capture
from pytest_autoexp.sandbox.docker.container import KILLED, Container
from pytest_autoexp.sandbox.docker.exec import CANNOT_RUN, STDOUT, Exec, Input, Output
from pytest_autoexp.sandbox.docker.network import Network
from pytest_autoexp.sandbox.docker.options import WORKSPACE, DockerSettings
from pytest_autoexp.sandbox.protocol import (
    DEFAULT_OUTPUT_CAP_BYTES,
    MAX_TREE_BYTES,
    Leave,
    Sandbox,
    take_all,
)
from pytest_autoexp.sandbox.tree import check_source, pack, relative_parts, unpack_checked

_TAIL_BYTES = 64 * 1024  # more than a tar stream is padded with at its end

_NOT_THERE = 66  # EX_NOINPUT of sysexits.h

_RESTARTED = (
    "\n[the container had to be restarted to end this command: the workspace is empty now]\n"
)

# Paths come as arguments and never become part of a script.  $0 is the folder meant.
_OPEN = f'chmod u+rwx {WORKSPACE} "$HOME" 2>/dev/null'  # commands may have shut them
_RUN = f'{_OPEN}; cd -- "$0" || exit 126; exec sh -c "$1"'
_CLEAR_AND_UNPACK = f"""
{_OPEN}
cd {WORKSPACE} || exit
for above; do
    if [ -L "$above" ] || ! [ -d "$above" ]; then rm -rf -- "$above" && mkdir -- "$above"; fi
    chmod u+rwx -- "$above"
done
if [ "$0" = {WORKSPACE} ]; then
    find "$HOME" /tmp /dev/shm -mindepth 1 -maxdepth 1 -exec chmod -R u+rwX {{}} + \\
        -exec rm -rf -- {{}} + 2>/dev/null
fi
cd -- "$0" && chmod -R u+rwX . 2>/dev/null
find . -mindepth 1 -maxdepth 1 -exec rm -rf -- {{}} + && exec tar -x -f -
"""
# No component of the path may be a link, so where it leads must be what it says.
# Holes of files need not be in the stream, if this tar knows of that.
_PACK = f"""
{_OPEN}
cd -- "$0" 2>/dev/null || exit {_NOT_THERE}
[ "$(pwd -P)" = "$0" ] || {{ echo "$0: a symbolic link" >&2; exit {_NOT_THERE}; }}
chmod -R u+rX . 2>/dev/null
case "$(tar --version 2>/dev/null)" in *GNU*) exec tar -c -S -f - .;; esac
exec tar -c -f - .
"""
_READ = f"""
{_OPEN}
cd -- "$0" 2>/dev/null && [ "$(pwd -P)" = "$0" ] && [ -f "$1" ] && ! [ -L "$1" ] ||
    exit {_NOT_THERE}
exec head -c "$2" -- "$1"
"""


class DockerSandbox(Sandbox):
    """A sandbox that is a container; use :meth:`start`, and close it.

    See :class:`~pytest_autoexp.sandbox.protocol.Sandbox` for what its methods do, and
    :func:`~pytest_autoexp.sandbox.docker.options.container_options` for what isolates it.
    """

    kind = "docker"
    workspace = WORKSPACE

    def __init__(self, settings: DockerSettings) -> None:
        self._settings = settings
        self._container = Container(settings)
        self._network = Network(self._container, settings) if settings.relayed else None
        self._closed = False

    @classmethod
    def start(cls, settings: DockerSettings) -> Self:
        """Start a container.  Whatever interrupts this, none is left.

        Raises:
            InfrastructureError: If no engine answers or it cannot start the container.
        """
        sandbox = cls(settings)
        try:
            if sandbox._network:
                sandbox._network.start()
            sandbox._container.start()
            if sandbox._network:
                with sandbox._container.engine("the network of a container cannot be started"):
                    sandbox._network.ensure()
        except BaseException:
            sandbox.close()
            raise
        return sandbox

    def run(
        self,
        command: str,
        *,
        time_limit_sec: float,
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        output_cap_bytes: int = DEFAULT_OUTPUT_CAP_BYTES,
    ) -> CommandResult:
        """Run a shell command and wait for it."""
        if time_limit_sec <= 0:
            return CommandResult(KILLED, "", "", 0.0, killed_by="time")
        container = self._container
        out, err = Capture(output_cap_bytes), Capture(output_cap_bytes)

        def keep(stream: int, data: bytes) -> None:
            (out if stream == STDOUT else err).feed(data)

        started = time.monotonic()
        argv = ["sh", "-c", _RUN, _absolute(cwd), command]
        with (
            container.engine("a command cannot be run"),
            container.exec(argv, self._environment(env)) as process,
        ):
            in_time = process.follow(keep, started + time_limit_sec)
            # What it left behind is ended too; the stream ends with the last process.
            restarted = not (in_time and container.emptied(0.05)) and container.kill_all(
                lambda sec: process.pause(keep, sec)
            )
            process.drain(keep)
            # After a restart Podman does not know the command any more.
            code = process.exit_code() if in_time and not restarted else KILLED
            duration_sec = time.monotonic() - started
            killed_by: Literal["time", "memory"] | None = None if in_time else "time"
            kill = container.memory_kill(started, code) if in_time else None
            if kill is not None:
                killed_by = "memory"  # or it is our error, below
            if code in (KILLED, CANNOT_RUN) and killed_by is None:
                container.check_alive()  # or is it the whole container that is of no use?
        if kill is not None and kill.lacked_by_machine:
            raise InfrastructureError(str(kill))
        return CommandResult(
            exit_code=code,
            stdout=out.text(),
            stderr=err.text() + (_RESTARTED if restarted else ""),
            duration_sec=duration_sec,
            killed_by=killed_by,
            truncated=out.truncated or err.truncated,
        )

    def put(self, source: Path, path: str = "") -> None:
        """Make a folder of the workspace an exact copy of a host folder."""
        parts = relative_parts(path)
        check_source(source)
        above = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        argv = ["sh", "-c", _CLEAR_AND_UNPACK, _absolute(path), *above]
        said = Capture(4096)
        failed = f"{source} cannot be put into the container"
        with (
            self._container.engine(failed),
            self._container.exec(argv, stdin=True) as process,
        ):
            pack(source, Input(process))
            process.close_stdin()
            process.drain(lambda _, data: said.feed(data))
            if code := process.exit_code():
                if parts and "No space left" in said.text():
                    # What the workspace began with has found its place: commands filled it.
                    raise SandboxExhaustedError(f"the sandbox's commands filled the disk: {path}")
                raise InfrastructureError(
                    f"{failed}: {said.text().strip() or f'its tar ended with status {code}'}\n"
                    f"Its workspace takes {self._settings.workspace_bytes} bytes: what the"
                    " task's resources.disk says, but at most half of resources.memory."
                )

    def get(self, dest: Path, path: str = "", leave: Leave = take_all) -> tuple[str, ...]:
        """Copy a folder of the workspace to the host."""
        argv = ["sh", "-c", _PACK, _absolute(path)]
        left: tuple[str, ...] = ()
        failed = f"{path or 'the workspace'} cannot be copied out of the container"
        with self._container.engine(failed), self._container.exec(argv) as process:
            output = Output(process)
            dest.mkdir(parents=True, exist_ok=True)
            if not output.at_end():
                # Holes in a file are no content there; here they would be.
                held_bytes = self._settings.workspace_bytes
                left = unpack_checked(
                    output,
                    dest,
                    max_bytes=min(MAX_TREE_BYTES, held_bytes),
                    max_streamed_bytes=2 * held_bytes,
                    leave=leave,
                )
                output.read(_TAIL_BYTES)
            if process.ended:  # or it is over a limit, and ended by us
                self._check_own(process, failed)
        said = output.errors.text().splitlines()
        return (*left, *(line.removeprefix("tar: ") for line in said))

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Content of a regular file of the workspace."""
        *folders, name = relative_parts(path) or (".",)
        folder = _absolute("/".join(folders))
        argv = ["sh", "-c", _READ, folder, f"./{name}", str(max_bytes + 1)]
        failed = f"{path} cannot be read in the container"
        with self._container.engine(failed), self._container.exec(argv) as process:
            content = Output(process).read(max_bytes + 1)
            process.drain(lambda *_: None)
            return None if self._check_own(process, failed) else content

    def _check_own(self, process: Exec, failed: str) -> int:
        """The exit status of a program of ours; an error of ours if it was not left to end."""
        code = process.exit_code()
        if code >= CANNOT_RUN:
            self._container.check_alive()
            raise InfrastructureError(f"{failed}: its program ended with status {code}")
        return code

    def refused(self) -> tuple[Refused, ...]:
        """What commands asked for and their network does not reach."""
        return self._network.refused() if self._network else ()

    def close(self) -> None:
        """Stop every process and remove the container; safe to call again.

        Raises:
            InfrastructureError: If the engine does not remove it.
        """
        if self._closed:
            return
        try:
            self._container.remove()
        except KeyboardInterrupt:  # of an impatient user: it is removed all the same
            self._container.remove()
            raise
        finally:
            if self._network:
                self._network.close()
            self._container.disconnect()
        self._closed = True

    def _environment(self, env: Mapping[str, str] | None) -> dict[str, str]:
        """The variables of a command; if there is a network, it runs then."""
        if not self._network:
            return dict(env or {})
        self._network.ensure()
        return {**self._network.environment, **(env or {})}


def _absolute(path: str) -> str:
    return "/".join((WORKSPACE, *relative_parts(path)))
