"""What stays behind when a tree is taken out of a sandbox, in lines for the user."""

from __future__ import annotations

import os

MAX_PATH_BYTES = 1000
"""How long a path in such a tree may be: below any folder, no call of ours finds it too long."""

MAX_SEEN_FACTOR = 10
"""A tree is given up after so many times the entries that may come out, most left behind."""

_MAX_LINES = 100
_MAX_SHOWN = 200


class Leavings:
    """Collects the lines; what is over a hundred is only counted."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._count = 0
        self._cut: tuple[str, ...] = ()

    def add(self, name: str, reason: str) -> None:
        """Note that the entry ``name`` stayed behind, and why."""
        self._count += 1
        if len(self._lines) < _MAX_LINES:
            self._lines.append(_line(name, reason))

    def add_cut(self, name: str, reason: str) -> None:
        """Note that the tree was given up at the entry ``name``: this is always told."""
        self._cut = (_line(name, reason),)

    def lines(self) -> tuple[str, ...]:
        """One for each entry."""
        more = self._count - len(self._lines)
        return (*self._lines, *([f"and {more} more"] if more else []), *self._cut)


def _line(name: str, reason: str) -> str:
    shown = name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}..."
    return f"{shown!r}: {reason}"


def is_long(path: str) -> bool:
    """Is this path longer than one may be that comes out?"""
    return len(os.fsencode(path)) > MAX_PATH_BYTES
