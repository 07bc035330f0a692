"""What an agent may read of a task, and what a leak in it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from pytest_autoexp.loading.code import TASK_FILE, code_files, code_folder
from pytest_autoexp.loading.yaml_lines import read_yaml
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import CODE_DIR, INSTRUCTIONS_FILE, Trial
from pytest_autoexp.workspace import instructions

MAX_TEXT_BYTES = 2 * 1024**2
"""Largest file of the code that is looked through."""

_PROSE_SUFFIXES = {".md", ".rst", ".txt", ".ipynb", ".tex", ".html"}
_CODE_SUFFIXES = {".py", ".pyi", ".sh", ".toml", ".cfg", ".ini", ".yaml", ".yml"}


@dataclass(frozen=True)
class Leak:
    """Something that gives an answer away.

    Attributes:
        kind: A metric's value (``number``), a hidden experiment (``hidden``), a masked body
            elsewhere in what the agent reads (``copy``) or in a package (``installed``).
        file: Where it stands: relative to the task, or to the folder of installed packages.
        line: Its line, counted from 1.
        found: What stands there.
        gives_away: The metric, experiment or function.
        share: How alike a copy is, from 0 to 1; None for other kinds.
        advice: What to do.
    """

    kind: Literal["number", "hidden", "copy", "installed"]
    file: str
    line: int
    found: str
    gives_away: str
    share: float | None
    advice: str

    def __str__(self) -> str:
        """One line: where, what and what to do."""
        alike = "" if self.share is None else f" ({self.share:.0%} alike)"
        where = f"{self.file}:{self.line}"
        return f"{where}: {self.found} gives away {self.gives_away}{alike}; {self.advice}"


@dataclass(frozen=True)
class Text:
    """A text that an agent may read.

    Attributes:
        file: Where the author finds it, relative to the task.
        first_line: Line of the file at which it starts, counted from 1.
        content: It.
        kind: ``prose`` for people, ``code`` for machines, ``data`` for anything else.
    """

    file: str
    first_line: int
    content: str
    kind: Literal["prose", "code", "data"]


def readable(task: Task) -> Iterator[Text]:
    """Every text that an agent may read in some case of a task.

    The code counts as a whole: whatever is masked in one case can be read in another.
    """
    yield Text(task.paper.path.name, 1, task.paper.path.read_text(encoding="utf-8"), "prose")
    targets = tuple(function.target for function in task.functions)
    trial = Trial(task.id, "", len(targets), 0, 0, targets, agent="")
    yield Text(INSTRUCTIONS_FILE, 1, instructions(task, trial), "prose")
    lines = read_yaml(task.folder / TASK_FILE).lines
    for index, function in enumerate(task.functions):
        line = lines.of(("functions", index, "description"))
        yield Text(TASK_FILE, line, " ".join(function.description.split()), "prose")
    folder = code_folder(task)
    for path in code_files(folder):
        file = folder / path
        if file.stat().st_size <= MAX_TEXT_BYTES:
            content = file.read_bytes()
            if b"\0" not in content:
                yield Text(f"{CODE_DIR}/{path}", 1, content.decode("utf-8", "replace"), _kind(path))


def _kind(path: str) -> Literal["prose", "code", "data"]:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in _CODE_SUFFIXES:
        return "code"
    return "prose" if suffix in _PROSE_SUFFIXES or not suffix else "data"
