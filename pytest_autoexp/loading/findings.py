"""What is wrong with a file, collected until all of it is known, and the words for it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_autoexp.model.errors import Problem, TaskError

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys and list indices from the top of the file."""

WHOLE_FILE = "(file)"
"""The key of a problem that belongs to no key."""

MAX_PROBLEMS = 100
"""After how many problems the checks of a file look for no more."""

_PLAIN_KEY = re.compile(r"\w[\w-]*")
_SHOWN_CHARS = 60
_SHOWN_OPTIONS = 12


@dataclass(frozen=True)
class Lines:
    """On which line of a file each key or list item begins.

    Attributes:
        by_path: Line number, counted from 1, of each key and list item that was seen.
    """

    by_path: Mapping[KeyPath, int]

    def of(self, path: KeyPath) -> int:
        """Line of a path, or of the nearest thing around it that the file holds."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.by_path:
                return self.by_path[path[:length]]
        return 1


class Found(NamedTuple):
    """One problem.

    Attributes:
        path: Where it is.
        message: What was found and what is allowed.
        line: Its line, where that is not the line of ``path``: of a key given again.
    """

    path: KeyPath
    message: str
    line: int | None = None


class Findings:
    """The problems of one file.

    Args:
        file: Path of the file, as the user knows it.
        lines: Where its keys stand.
    """

    def __init__(self, file: str, lines: Lines) -> None:
        self._file = file
        self._lines = lines
        self._found: dict[Found, None] = {}
        self._malformed: set[KeyPath] = set()
        self._sealed = False

    def add(self, path: KeyPath, message: str, line: int | None = None) -> None:
        """Note a problem, unless it is known or enough are."""
        if self.enough:
            return
        self._found[Found(path, message, line)] = None
        if not self._sealed:
            self._malformed.update(path[:length] for length in range(len(path) + 1))

    def seal_form(self) -> None:
        """Say that the form of the file is checked: what is added from now on is about content."""
        self._sealed = True

    def well_formed(self, path: KeyPath) -> bool:
        """True if nothing is wrong with the form of what stands at ``path`` and below it."""
        return path not in self._malformed

    @property
    def enough(self) -> bool:
        """True if so much is wrong that looking for more helps nobody."""
        return len(self._found) >= MAX_PROBLEMS

    def raise_if_any(self) -> None:
        """End the checks if something was found.

        Raises:
            TaskError: With all problems, in the order of the file.
        """
        problems = [
            Problem(self._file, line or self._lines.of(path), dotted(path), message)
            for path, message, line in self._found
        ]
        problems.sort(key=lambda problem: problem.line)
        if self.enough:
            more = f"more may be wrong: the checks end after {MAX_PROBLEMS} problems"
            problems.append(Problem(self._file, problems[-1].line, WHOLE_FILE, more))
        if problems:
            raise TaskError(tuple(problems))


def dotted(path: KeyPath) -> str:
    """A path as text: ``experiments[0].metrics.loss``; odd keys are quoted."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN_KEY.fullmatch(key):
            text += f".{key}" if text else key
        else:
            text += f"[{quoted(key)}]"
    return text or WHOLE_FILE


def quoted(text: str) -> str:
    """Text in double quotes, on one line, printable, and cut where it is long."""
    if len(text) > _SHOWN_CHARS:
        text = text[: _SHOWN_CHARS - 3] + "..."
    return json.dumps(text, ensure_ascii=not text.isprintable())


def described(value: Any) -> str:
    """What was found, in words: ``"fast" (text)``, ``3 (number)``, ``a list of 2``."""
    if isinstance(value, str):
        return f"{quoted(value)} (text)" if value else "an empty text"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{str(value).lower()} (true or false)"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, Mapping):
        return f"a mapping with {listed(value)}" if value else "an empty mapping"
    return f"{value} (number)"


def listed(options: Iterable[str]) -> str:
    """Names behind each other, the first dozen of them."""
    names = [name if _PLAIN_KEY.fullmatch(name) else quoted(name) for name in options]
    more = f" and {len(names) - _SHOWN_OPTIONS} more" if len(names) > _SHOWN_OPTIONS else ""
    return ", ".join(names[:_SHOWN_OPTIONS]) + more


def nearest(word: str, options: Iterable[str]) -> str:
    """``; did you mean "..."?`` with the option that comes close, or an empty string."""
    matches = difflib.get_close_matches(word, options, n=1) if len(word) < 200 else []
    return f"; did you mean {quoted(matches[0])}?" if matches else ""
