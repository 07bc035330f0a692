"""The sandbox ``none``: plain processes in a private folder, with limits and no isolation."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.result import CommandResult
from pytest_autoexp.model.task import Resources
from pytest_autoexp.sandbox import folder
from pytest_autoexp.sandbox.environ import BASE_ENVIRONMENT
from pytest_autoexp.sandbox.folder import PrivateFolder, make_real_folder, remove_tree
from pytest_autoexp.sandbox.host import cgroup, process
from pytest_autoexp.sandbox.host.disk import Share
from pytest_autoexp.sandbox.host.requirements import PythonEnvironment
from pytest_autoexp.sandbox.host.tree import get_tree, parts_of, put_tree, read_file
from pytest_autoexp.sandbox.protocol import (
    DEFAULT_OUTPUT_CAP_BYTES,
    MAX_TREE_BYTES,
    Leave,
    Sandbox,
    take_all,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORKSPACE, _HOME, _TMP, _BIN = "workspace", "home", "tmp", "bin"
_FULL = "the sandbox's commands filled the disk: No space left on device"
_MAX_ARGUMENT_BYTES = 100_000  # Linux takes 128 KiB for one argument
_ENTER = 'cd -- "$1" || exit 126; shift; exec "$@"'


class NoneSandbox(Sandbox):
    """Commands run as the caller, in a temporary folder with a workspace, HOME and TMPDIR.

    They see nothing of the caller's environment variables, are held to the limits that
    :func:`pytest_autoexp.sandbox.host.process.run` documents, and are killed to the last
    process.  They can read and write what the caller can: trust what you run in it.
    ``disk_bytes`` limits each single file at once, and within seconds their sum in the private
    folder, with files that are removed and still open: a command that passes it is ended.

    Attributes:
        kind: ``"none"``.
        workspace: Absolute path of the workspace as commands see it.
    """

    kind: str = "none"
    _own_view: ClassVar[bool] = False
    """Do commands see the folders under other names than the host?"""

    def __init__(
        self,
        python: PythonEnvironment,
        resources: Resources | None = None,
        env: Mapping[str, str] | None = None,
        hidden: tuple[Path, ...] = (),
    ) -> None:
        """Make the private folder.

        Args:
            python: The interpreter that ``python`` means.
            resources: What each command may use.
            env: Environment variables for every command, beside the sandbox's own.
            hidden: Files and folders of the host that commands may not see, wherever they
                lie.  Without isolation (``none``) nothing can be hidden.

        Raises:
            InfrastructureError: If the private folder cannot be made, or something cannot be
                hidden that should be.
        """
        self.python = python
        self.resources = resources or Resources()
        self._env = dict(env or {})
        self._hidden = hidden
        self._folder = PrivateFolder()
        self.workspace = self._seen_as(_WORKSPACE)
        try:
            with self._our_errors():
                self._share = Share(self._folder.path, self.resources.disk_bytes)
                self._make_folders()
                self._write_files()
        except BaseException:
            self.close()
            raise

    def run(
        self,
        command: str,
        *,
        time_limit_sec: float,
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        output_cap_bytes: int = DEFAULT_OUTPUT_CAP_BYTES,
    ) -> CommandResult:
        """Run a shell command and wait for it; see :class:`~.protocol.Sandbox`."""
        if "\0" in command:
            return CommandResult(2, "", "sh: the command holds a NUL character\n", 0.0)
        start = "/".join((self.workspace, *parts_of(cwd)))
        env = self._environment() | dict(env or {})
        setting = _setting(self.python.variables, env)
        try:
            with self._our_errors():
                self._make_folders()  # the last command may have removed them
                argv = ("/bin/sh", "-c", _ENTER, "sh", start, *setting, *self._shell(command))
        except InfrastructureError as error:
            if not self._share.explains(error.__cause__):
                raise
            return CommandResult(1, "", f"sh: {_FULL}\n", 0.0)
        finished = process.run(
            process.Command(
                argv=self._wrap(argv),
                cwd=self._folder.path,
                env=env,
                resources=self.resources,
                report=self._own_view,
                setuid=self._own_view,
                writes=self._folder.path,
            ),
            time_limit_sec,
            output_cap_bytes,
        )
        if finished.by_itself:
            self._check(finished)
        if not finished.result.ok and self._share.is_full_of_others():
            raise InfrastructureError(
                f"the disk of {self._folder.path} is full, and not by what ran there: make room, or"
                " set TMPDIR to a folder on another disk"
            )
        return finished.result

    def put(self, source: Path, path: str = "") -> None:
        """Make a folder of the workspace an exact copy of ``source``; see the protocol."""
        if not parts_of(path):
            for name in (_HOME, _TMP):
                remove_tree(self._folder.path / name)
        put_tree(source, self._folder.path, "/".join((_WORKSPACE, *parts_of(path))))

    def get(self, dest: Path, path: str = "", leave: Leave = take_all) -> tuple[str, ...]:
        """Copy a folder of the workspace to ``dest``; see the protocol."""
        parts = (_WORKSPACE, *parts_of(path))
        most_bytes = min(MAX_TREE_BYTES, self.resources.disk_bytes)
        fresh = not os.path.lexists(dest)
        for removed in (_HOME, _TMP), (_WORKSPACE,):
            try:
                return get_tree(self._folder.descriptor, parts, dest, most_bytes, leave)
            except InfrastructureError as error:
                if not self._share.explains(error.__cause__):
                    raise
                # Its commands filled the disk: make room, first with what is not asked for.
                for name in removed:
                    remove_tree(self._folder.path / name)
                if fresh:
                    remove_tree(dest)
        with self._our_errors():
            dest.mkdir(exist_ok=True)
        return (f"the whole workspace: {_FULL}",)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Content of a regular file of the workspace; see the protocol."""
        return read_file(self._folder.descriptor, (_WORKSPACE, *parts_of(path)), max_bytes)

    def close(self) -> None:
        """Remove the private folder; every process ended with its command."""
        self._folder.remove()

    def _seen_as(self, name: str) -> str:
        """Path of one of the private folders as commands see it."""
        return str(self._folder.path / name)

    def _wrap(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """What is run on the host so that ``argv`` runs in the sandbox."""
        return argv

    def _check(self, finished: process.Finished) -> None:
        """Raise InfrastructureError if the sandbox itself broke."""

    def _make_folders(self) -> None:
        for name in (_WORKSPACE, _HOME, _TMP):
            make_real_folder(self._folder.path / name)

    def _write_files(self) -> None:
        """Give the interpreter the names ``python`` and ``python3`` where it has others."""
        for name in ("python", "python3"):
            usual = self.python.bin_dir / name
            if not (usual.exists() and usual.samefile(self.python.executable)):
                launcher = self._folder.path / _BIN / name
                launcher.parent.mkdir(exist_ok=True)
                executable = shlex.quote(str(self.python.executable))
                launcher.write_text(f'#!/bin/sh\nexec {executable} "$@"\n')
                launcher.chmod(0o755)

    def _environment(self) -> dict[str, str]:
        path = [self._seen_as(_BIN), str(self.python.bin_dir), "/usr/local/bin", "/usr/bin", "/bin"]
        if not (self._folder.path / _BIN).exists():
            del path[0]
        if self.python.programs:  # last: an agent's own python is not the task's
            path.append(str(self.python.programs))
        own = {
            "PATH": ":".join(path),
            "HOME": self._seen_as(_HOME),
            "TMPDIR": self._seen_as(_TMP),
            "CUDA_VISIBLE_DEVICES": "",  # no GPU, unless the caller says which
            process.MARK: self._folder.path.name,
        }
        return {**BASE_ENVIRONMENT, **own, **self._env}

    def _shell(self, command: str) -> tuple[str, ...]:
        """How the shell is given a command: by a file where it is too long for an argument."""
        content = command.encode("utf-8", "surrogateescape" if _encodes(command) else "replace")
        if len(content) <= _MAX_ARGUMENT_BYTES:
            return ("/bin/sh", "-c", os.fsdecode(content), "sh")
        (self._folder.path / _TMP / "command.sh").write_bytes(content)
        return ("/bin/sh", f"{self._seen_as(_TMP)}/command.sh")

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InfrastructureError(
                f"the sandbox's folder {self._folder.path} cannot be used: {error}; TMPDIR may"
                " name a folder on another disk"
            ) from error


def _setting(variables: Mapping[str, str], env: Mapping[str, str]) -> tuple[str, ...]:
    """What sets a task's variables, for its command alone: no program of ours starts with them."""
    pairs = [f"{name}={value}" for name, value in variables.items() if name not in env]
    return ("/usr/bin/env", *pairs) if pairs else ()


def remove_leftovers() -> tuple[str, ...]:
    """Remove what processes left that were killed: private folders and control groups.

    Returns:
        A line for the user for each folder.
    """
    cgroup.remove_leftovers()
    return folder.remove_leftovers()


def _encodes(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair, as models write them
        return False
    return True
