"""What of the host an isolated command sees: the system, the interpreter's trees, and no more.

A table of paths that are shown and paths that are hidden; what holds for a path is what holds
for the nearest one above it.  A hidden path may lie in a shown one (tasks in an environment)
and a shown one in a hidden one (an environment in a repository).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.host.requirements import PythonEnvironment

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Folders of the system, or links between them."""

_PARTS = ("bin", "lib", "lib64", "pyvenv.cfg")
_PACKAGES = ("lib*/python*", "lib*/python*/site-packages", "lib*/python*/dist-packages")

Table = dict[Path, Literal["shown", "hidden"]]


@dataclass(frozen=True)
class View:
    """What is visible, and how bubblewrap is told so.

    Attributes:
        table: Paths as commands see them.
    """

    table: Table

    def sees(self, path: Path) -> bool:
        """Is a path of the host visible?"""
        above = next((p for p in (path, *path.parents) if p in self.table), None)
        return above is not None and self.table[above] == "shown"

    def mounts(self) -> Iterator[str]:
        """The mounts beside those of :data:`SYSTEM`; the later is on top of the earlier."""
        for path in self._changes():
            if self.sees(path):
                yield from ("--ro-bind", str(path), str(path))
            elif path.is_dir():
                yield from ("--tmpfs", str(path))
            else:
                yield from ("--ro-bind", os.devnull, str(path))

    def locks(self) -> Iterator[str]:
        """What makes the covers read-only, after all mount points were made in them."""
        for path in self._changes():
            if not self.sees(path) and path.is_dir():
                yield from ("--remount-ro", str(path))

    def _changes(self) -> list[Path]:
        """The paths for which something else holds than for the folder they are in."""
        changes = [p for p in self.table if self.sees(p) != self.sees(p.parent)]
        return sorted({*changes} - {*map(Path, SYSTEM)}, key=lambda path: len(path.parts))


def view(python: PythonEnvironment, hidden: tuple[Path, ...]) -> View:
    """What a command sees that is run by this interpreter.

    Beside ``hidden`` the caller's home and current folder and the system's folders for
    source code are hidden, where that leaves the interpreter whole.

    Args:
        python: Its trees are shown.
        hidden: Files and folders that are not, wherever they lie.

    Raises:
        InfrastructureError: If one of ``hidden`` cannot be hidden, because the interpreter or
            the system is in it.
    """
    secret, own = _real(hidden), _real(_own_folders())
    shown = [Path(name) for name in SYSTEM if Path(name).is_dir() and not Path(name).is_symlink()]
    shown += chain.from_iterable(_needed(tree, secret | own) for tree in python.trees)
    real = {path: path.resolve() for path in shown}
    essential = {*real.values(), *_essentials(python)}
    table: Table = {}
    for path in sorted(secret | own):
        if not any(path.is_relative_to(tree) for tree in real.values()):
            continue
        lost = _lost(path, essential, set(real.values()))
        if lost is None:
            for tree, place in real.items():
                if path.is_relative_to(place):
                    table[tree / path.relative_to(place)] = "hidden"
        elif path in secret:
            raise InfrastructureError(
                f"{path} would be visible in the sandbox, which needs {lost}: move the tasks (and"
                " the folder from which pytest is run) elsewhere, or use --sandbox=docker"
            )
    return View(table | dict.fromkeys((*shown, *map(Path, SYSTEM)), "shown"))


def _lost(path: Path, essential: set[Path], shown: set[Path]) -> Path | None:
    """Something that is needed, and gone if this path is hidden; None if nothing is."""
    again = [tree for tree in shown if tree.is_relative_to(path) and tree != path]
    needed = (place for place in sorted(essential) if place.is_relative_to(path))
    return next((p for p in needed if not any(p.is_relative_to(tree) for tree in again)), None)


def _needed(tree: Path, hidden: set[Path]) -> list[Path]:
    """The interpreter's tree; only its usual parts if a hidden path lies beside them in it."""
    parts = [tree / name for name in _PARTS if (tree / name).exists()]
    places = [part.resolve() for part in parts]
    inside = [path for path in hidden if path.is_relative_to(tree.resolve())]
    if all(any(path.is_relative_to(place) for place in places) for path in inside):
        return [tree]
    return parts


def _essentials(python: PythonEnvironment) -> Iterator[Path]:
    """Folders without which neither the system nor the interpreter works."""
    for name in SYSTEM:
        yield Path(name).resolve()
    yield python.executable.resolve().parent
    yield python.bin_dir.resolve()
    for tree in python.trees:
        for pattern in _PACKAGES:
            yield from (path.resolve() for path in tree.glob(pattern))


def _own_folders() -> Iterator[Path]:
    """The caller's home and current folder, if there are such, and where sources are kept."""
    with suppress(RuntimeError):
        yield Path.home()
    with suppress(OSError):
        yield Path.cwd()
    yield from (Path("/usr/src"), Path("/usr/local/src"))


def _real(paths: tuple[Path, ...] | Iterator[Path]) -> set[Path]:
    """Those that exist, without links.  What may not be looked at, commands cannot see either."""
    return {Path(os.path.realpath(path)) for path in paths if os.path.exists(path)}  # noqa: PTH110
