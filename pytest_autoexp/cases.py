"""Which cases of a task a run asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_autoexp.masking.draw import count, draw
from pytest_autoexp.model.errors import UsageError
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import Case
from pytest_autoexp.selection import Selection
from pytest_autoexp.text import plural

MAX_CASES = 100_000
"""Most cases of one task and n that ``--seeds=all`` may ask for."""


@dataclass(frozen=True)
class Cases:
    """The cases of one task, and what was asked for but does not exist.

    Attributes:
        cases: In order of n, then seed.
        notes: One sentence for each n that gives fewer cases than were asked for.
    """

    cases: tuple[Case, ...]
    notes: tuple[str, ...]


def cases_of(task: Task, masks: Selection, seeds: Selection) -> Cases:
    """The cases (n, seed) of a task.

    Args:
        task: The task.
        masks: The values of n; ``all`` masks every function of the task.
        seeds: The seeds; ``all`` gives every combination.

    Raises:
        UsageError: If ``--seeds=all`` asks for more than :data:`MAX_CASES` combinations.
    """
    targets = [function.target for function in task.functions]
    dependent = frozenset[str]().union(*(e.depends for e in task.experiments))
    total = len(targets)
    values = sorted(set(masks.numbers_below(total + 1)) | ({total} if masks.all else set()))
    notes: list[str] = []
    if surplus := masks.count_from(total + 1):
        asked = plural(surplus, "value") + f" of --masks={masks.text}"
        notes.append(f"{asked} not collected: the task has {plural(total, 'function')}")
    cases: list[Case] = []
    for n in values:
        combinations = count(total, len(dependent), n)
        if seeds.all and combinations > MAX_CASES:
            raise UsageError(
                f"--seeds=all: {task.id} has {combinations} combinations for n={n}, more than "
                f"{MAX_CASES}; give a range such as --seeds=0-99"
            )
        if surplus := seeds.count_from(combinations):
            notes.append(
                f"n={n}: {plural(surplus, 'seed')} of --seeds={seeds.text} not collected: there "
                f"{'is' if combinations == 1 else 'are'} {plural(combinations, 'combination')}"
            )
        cases.extend(
            Case(task.id, n, seed, draw(task.id, targets, dependent, n, seed))
            for seed in _seeds(seeds, combinations)
        )
    return Cases(tuple(cases), tuple(notes))


def _seeds(seeds: Selection, combinations: int) -> Iterable[int]:
    return range(combinations) if seeds.all else seeds.numbers_below(combinations)
