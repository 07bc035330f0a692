"""What every sandbox does: run commands, take trees in, give trees out, and go away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from pytest_autoexp.model.result import CommandResult, Refused

DEFAULT_OUTPUT_CAP_BYTES = 1024**2
"""How much of a command's standard output (and, apart, standard error) is kept."""

MAX_TREE_BYTES = 1024**3
"""How large a tree may be that is taken out of a sandbox."""

MAX_TREE_FILES = 100_000
"""How many entries a tree may have that is taken out of a sandbox."""


Leave = Callable[[str, int], str]
"""Why a file is not to be taken out, an empty text if it is: by its path below the folder that is
taken out, and its size in bytes."""


def take_all(_path: str, _size_bytes: int) -> str:
    """Every file is to be taken out."""
    return ""


class Sandbox(Protocol):
    """A private place with one folder, the workspace, in which commands run.

    Every path is relative to the workspace, with forward slashes.  Whatever goes wrong on
    our side (engine, container, host disk) raises
    :class:`~pytest_autoexp.model.errors.InfrastructureError`; what the commands do does not
    raise, unless it leaves nothing to go on with: then it is a
    :class:`~pytest_autoexp.model.errors.SandboxExhaustedError`.  A sandbox is a context
    manager; leaving it closes it.

    Attributes:
        kind: ``"docker"``, ``"local"``, ``"none"`` or a name of the user's own.
        workspace: Absolute path of the workspace as commands see it.
    """

    kind: str
    workspace: str

    def run(
        self,
        command: str,
        *,
        time_limit_sec: float,
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        output_cap_bytes: int = DEFAULT_OUTPUT_CAP_BYTES,
    ) -> CommandResult:
        """Run a shell command and wait for it.

        When it returns, no process that the command started is left.  At the time limit
        the whole process tree is killed and ``killed_by`` is ``"time"``.

        Args:
            command: Run by ``sh -c``.
            time_limit_sec: Wall-clock limit; 0 or less ends it at once.
            cwd: Folder inside the workspace to start in.
            env: Environment variables beside the sandbox's own.
            output_cap_bytes: How much of each of stdout and stderr is kept: the first and
                the last half; the command is not stopped by it.
        """
        ...

    def put(self, source: Path, path: str = "") -> None:
        """Make the folder ``path`` of the workspace an exact copy of the host folder ``source``.

        What was there before is gone afterwards; for the whole workspace, so is what commands
        left in their home folder and in folders for temporary files.
        """
        ...

    def get(self, dest: Path, path: str = "", leave: Leave = take_all) -> tuple[str, ...]:
        """Copy the folder ``path`` of the workspace to the host folder ``dest`` (created).

        Only regular files and folders come out.  Links, devices, sockets, names that lead
        out of the tree, and what is over :data:`MAX_TREE_BYTES` or :data:`MAX_TREE_FILES`
        stay behind.  A missing folder gives an empty ``dest``.

        Args:
            dest: The host folder.
            path: The folder of the workspace.
            leave: Says which files are not wanted.

        Returns:
            One line for each thing that stayed behind, saying why.
        """
        ...

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Content of a regular file of the workspace, up to ``max_bytes + 1`` bytes.

        The one byte more lets the caller see that a file is too large.  None if there is
        no such regular file (a link is none).
        """
        ...

    def refused(self) -> tuple[Refused, ...]:
        """The hosts that commands asked for and that their network does not reach.

        Sandboxes without a proxy do not know.
        """
        return ()

    def close(self) -> None:
        """Stop every process and remove everything.  May be called more than once."""
        ...

    def __enter__(self) -> Self:
        """The sandbox itself."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()
