"""What the last check of a task found, kept beside it; and the table of a suite of tasks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_autoexp.checking.fair import ALTERNATIVES_DIR
from pytest_autoexp.checking.mistakes import EQUIVALENT_FILE, MISTAKES_FILE
from pytest_autoexp.checking.summary import TaskSummary
from pytest_autoexp.loading.code import TASK_FILE
from pytest_autoexp.loading.loader import load_task, task_digest
from pytest_autoexp.model.task import Task

CHECKED_FILE = "checked.json"
"""Beside ``task.yaml``: what the last complete check of the task found."""

README_FILE = "README.md"
"""Beside the tasks: the table of the suite."""

_INTRODUCTION = """\
# The tasks

Made by `pytest --autoexp-check -o autoexp_keep_checks=true`; see
[how a task is checked](../docs/checking.md). *Time* is that of all experiments on one core;
*mutants* and *mistakes* are how many wrong versions of the functions the published tolerances
catch, *alternatives* how many right-but-different ones pass.

"""
_HEADER = (
    *("task", "paper", "field", "data", "functions", "experiments"),
    *("time", "mutants", "mistakes", "alternatives"),
)


@dataclass(frozen=True)
class Checked:
    """What a complete check found.

    Attributes:
        digest: What was checked: the task's content, and what its author keeps for the check.
        gold_sec: How long all experiments take, one after another.
        mutants: How many generated wrong versions are caught, and of how many.
        mistakes: The same for the author's own.
        alternatives: How many right-but-different versions pass, and of how many.
        problems: What does not hold.
    """

    digest: str
    gold_sec: float
    mutants: tuple[int, int]
    mistakes: tuple[int, int]
    alternatives: tuple[int, int]
    problems: tuple[str, ...]

    @classmethod
    def of(cls, task: Task, summary: TaskSummary) -> Checked | None:
        """From what was found; None if the check was not complete."""
        gold = summary.of("gold")
        per_function = (summary.of("needed"), summary.of("sharp"))
        whole = all(len(parts) == len(task.functions) for parts in per_function)
        if not (gold and whole and summary.of("sealed")):
            return None
        experiments = gold[0].details["experiments"]
        fair = summary.of("fair")
        mutants, mistakes = summary.caught("mutants"), summary.caught("mistakes")
        lines = [line for found in summary.found for line in found.problems]
        return cls(
            digest=_digest(task),
            gold_sec=round(sum(min(e["durations_sec"]) for e in experiments), 1),
            mutants=(mutants.caught, mutants.of),
            mistakes=(mistakes.caught, mistakes.of),
            alternatives=(sum(not found.problems for found in fair), len(fair)),
            problems=(*lines, *summary.shortcomings),
        )

    @classmethod
    def read(cls, folder: Path) -> Checked | None:
        """What is kept in a task's folder; None if nothing is."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            data = json.loads((folder / CHECKED_FILE).read_text(encoding="utf-8"))
            pairs = {name: tuple(data[name]) for name in ("mutants", "mistakes", "alternatives")}
            return cls(data["digest"], data["gold_sec"], **pairs, problems=tuple(data["problems"]))
        return None

    @classmethod
    def is_good(cls, task: Task) -> bool:
        """True if a check was kept, nothing of the task has changed since, and all holds."""
        checked = cls.read(task.folder)
        return checked is not None and checked.digest == _digest(task) and not checked.problems

    def write(self, folder: Path) -> None:
        """Keep it in a task's folder.

        Raises:
            OSError: If it cannot be written.
        """
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"
        (folder / CHECKED_FILE).write_text(text, encoding="utf-8")


def _digest(task: Task) -> str:
    digest = hashlib.sha256(task_digest(task).encode())
    alternatives = sorted(task.folder.joinpath(ALTERNATIVES_DIR).glob("*.py"))
    for file in (task.folder / MISTAKES_FILE, task.folder / EQUIVALENT_FILE, *alternatives):
        content = file.read_bytes() if file.is_file() else b""
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def suite_readme(folder: Path) -> str:
    """The README of a folder of tasks: a table of them.

    Raises:
        TaskError: If one of them cannot be used.
    """
    tasks = [load_task(file) for file in sorted(folder.glob(f"*/{TASK_FILE}"))]
    rows = [_row(task) for task in tasks if not task.variant]
    variants = [
        f"- {task.variant.parent.name}: {task.folder.name} with {task.resources.gpus} GPU(s)\n"
        for task in tasks
        if task.variant
    ]
    below = ["\n", *variants] if variants else []
    return _INTRODUCTION + "\n".join(_markdown([_HEADER, *rows])) + "\n" + "".join(below)


def _row(task: Task) -> tuple[str, ...]:
    checked = Checked.read(task.folder)
    if checked is None or checked.digest != _digest(task):
        measured: tuple[str, ...] = ("not checked", "", "", "")
    else:
        pairs = (checked.mutants, checked.mistakes, checked.alternatives)
        measured = (f"{checked.gold_sec:.0f} s", *(f"{good}/{of}" for good, of in pairs))
    arxiv = task.paper.arxiv
    title = f"[{task.title}](https://arxiv.org/abs/{arxiv})" if arxiv else task.title
    return (
        f"[{task.id}]({task.folder.name}/README.md)",
        title,
        task.field,
        task.data,
        str(len(task.functions)),
        str(len(task.experiments)),
        *measured,
    )


def _markdown(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        if number == 0:
            yield "|" + "---|" * len(row)
