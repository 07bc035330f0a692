"""What stays behind when a tree is taken out of a sandbox, in lines for the user."""

from __future__ import annotations

import os

MAX_PATH_BYTES = 1000
"""How long a path in such a tree may be: below any folder, no call of ours finds it too long."""

_MAX_LINES = 100
_MAX_SHOWN = 200


class Leavings:
    """Collects the lines; what is over a hundred is only counted."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._count = 0

    def add(self, name: str, reason: str) -> None:
        """Note that the entry ``name`` stayed behind, and why."""
        self._count += 1
        if len(self._lines) < _MAX_LINES:
            shown = name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}..."
            self._lines.append(f"{shown!r}: {reason}")

    def lines(self) -> tuple[str, ...]:
        """One for each entry."""
        more = self._count - len(self._lines)
        return (*self._lines, f"and {more} more") if more else tuple(self._lines)


def is_long(path: str) -> bool:
    """Is this path longer than one may be that comes out?"""
    return len(os.fsencode(path)) > MAX_PATH_BYTES
