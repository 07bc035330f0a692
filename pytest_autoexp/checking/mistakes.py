"""Wrong versions that the author wrote, and mutants that the author found to change nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pytest_autoexp.checking.notes import Entry, read_notes
from pytest_autoexp.loading.code import code_folder
from pytest_autoexp.loading.findings import nearest, quoted
from pytest_autoexp.masking.index import parse_ast, resolve
from pytest_autoexp.masking.layout import Layout
from pytest_autoexp.masking.mutants import mutants
from pytest_autoexp.masking.source import decode, encode
from pytest_autoexp.model.errors import Problem, TaskError
from pytest_autoexp.model.task import Task

MISTAKES_FILE = "mistakes.yaml"
EQUIVALENT_FILE = "equivalent.yaml"


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong version of one function.

    Attributes:
        target: The function.
        name: What is wrong with it, in a few words; unique within the function.
        old: A passage of the function's source, which occurs in it exactly once.
        new: What stands there instead.
    """

    target: str
    name: str
    old: str
    new: str

    @property
    def path(self) -> str:
        """The function's file."""
        return self.target.partition("::")[0]

    def apply(self, source: bytes) -> bytes:
        """The wrong version of the function's file.

        Args:
            source: The file's content.

        Raises:
            ValueError: The mistake does not fit the function, or the result does not parse; the
                message says why.
        """
        file = decode(source)
        layout = Layout(file.text)
        found = resolve(self.target.partition("::")[2], layout.names)
        function = next(f for f in layout.functions if f.name == found)
        start, _ = layout.span(function.node)
        text = file.text[start : function.end]
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"occurs {times} times in the function; allowed: once")
        wrong = file.text[:start] + text.replace(self.old, self.new) + file.text[function.end :]
        try:
            changed = ast.dump(parse_ast(wrong)) != ast.dump(parse_ast(file.text))
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"does not parse with what is put in its place: {error}") from error
        if not changed:
            raise ValueError("what is put in its place is the same code")
        return encode(wrong, file.encoding)


@dataclass(frozen=True)
class Equivalent:
    """A mutant that no input can tell from the function.

    Attributes:
        mutant: Its id.
        reason: Why.
    """

    mutant: str
    reason: str


def read_mistakes(task: Task) -> tuple[Mistake, ...]:
    """Read and check the mistakes beside a task.

    Args:
        task: The task; the entries of its ``mistakes.yaml`` have the keys ``target``, ``name``,
            ``replace`` and ``with``.

    Raises:
        TaskError: If the file cannot be used: with a problem for each mistake that does not fit.
    """
    file = task.folder / MISTAKES_FILE
    entries = read_notes(file, ("target", "name", "replace", "with"))
    code = code_folder(task) if entries else task.folder
    mistakes: list[Mistake] = []
    problems: list[Problem] = []
    for entry in entries:
        value = entry.values
        mistake = Mistake(value["target"], value["name"], value["replace"], value["with"])
        problem = _target_problem(task, mistake.target)
        if problem:
            problems.append(entry.problem(file, "target", problem))
            continue
        if any((m.target, m.name) == (mistake.target, mistake.name) for m in mistakes):
            problems.append(entry.problem(file, "name", "is given twice for this function"))
        try:
            mistake.apply((code / mistake.path).read_bytes())
        except ValueError as error:
            problems.append(entry.problem(file, "replace", str(error)))
        mistakes.append(mistake)
    if problems:
        raise TaskError(tuple(problems))
    return tuple(mistakes)


def read_equivalent(task: Task) -> tuple[Equivalent, ...]:
    """Read and check the list of equivalent mutants beside a task.

    Args:
        task: The task; the entries of its ``equivalent.yaml`` have the keys ``mutant`` and
            ``reason``.

    Raises:
        TaskError: If the file cannot be used: with a problem for each mutant that is not
            generated (any more).
    """
    file = task.folder / EQUIVALENT_FILE
    entries = read_notes(file, ("mutant", "reason"))
    problems = tuple(_stale(task, file, entries))
    if problems:
        raise TaskError(problems)
    return tuple(Equivalent(e.values["mutant"], e.values["reason"]) for e in entries)


def _stale(task: Task, file: Path, entries: tuple[Entry, ...]) -> Iterator[Problem]:
    """A problem for each entry that names no mutant, or one that is named already."""
    code = code_folder(task) if entries else task.folder

    @cache
    def generated(target: str) -> frozenset[str]:
        path = target.partition("::")[0]
        return frozenset(mutant.id for mutant in mutants((code / path).read_bytes(), target))

    seen: set[str] = set()
    for entry in entries:
        mutant = entry.values["mutant"]
        target = mutant.rsplit(":", 2)[0]
        if problem := _target_problem(task, target):
            yield entry.problem(file, "mutant", problem)
        elif mutant not in generated(target):
            message = f"there is no mutant {quoted(mutant)}{nearest(mutant, generated(target))}"
            yield entry.problem(file, "mutant", message)
        elif mutant in seen:
            yield entry.problem(file, "mutant", f"{quoted(mutant)} is given twice")
        seen.add(mutant)


def _target_problem(task: Task, target: str) -> str:
    targets = [function.target for function in task.functions]
    if target in targets:
        return ""
    return f"the task has no function {quoted(target)}{nearest(target, targets)}"
