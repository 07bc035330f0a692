from __future__ import annotations

from pathlib import Path

import pytest

from pytest_autoexp.cases import Cases, cases_of
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import UsageError
from pytest_autoexp.model.task import Experiment, Function, Metric, Paper, Task
from pytest_autoexp.selection import Selection


def cases(task: Task, masks: str, seeds: str = "0") -> Cases:
    return cases_of(task, Selection.parse(masks, "--masks"), Selection.parse(seeds, "--seeds"))


def task_of(functions: int) -> Task:
    targets = [f"m.py::f{i}" for i in range(functions)]
    experiment = Experiment("e", "", "true", 1.0, {"m": Metric(1.0)}, frozenset(targets))
    return Task(
        id="big",
        title="Big",
        folder=Path(),
        paper=Paper(Path("paper.md")),
        code=Path("code"),
        functions=tuple(Function(target, "") for target in targets),
        experiments=(experiment,),
    )


def points(found: Cases) -> list[tuple[int, int]]:
    return [(case.n, case.seed) for case in found.cases]


@pytest.mark.parametrize(
    ("masks", "seeds", "expected"),
    [
        ("1", "0", [(1, 0)]),
        ("0", "0", [(0, 0)]),
        ("0-2", "0,1", [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)]),
        ("all", "0", [(3, 0)]),
        ("1,all", "0", [(1, 0), (3, 0)]),
        ("3,all", "0", [(3, 0)]),
        ("1", "all", [(1, 0), (1, 1), (1, 2)]),
        ("7", "0", []),
    ],
)
def test_what_is_asked_for_and_exists_is_a_case(
    toy: Path, masks: str, seeds: str, expected: list[tuple[int, int]]
) -> None:
    assert points(cases(load_task(toy / "task.yaml"), masks, seeds)) == expected


def test_every_function_is_masked_once_at_n_1(toy: Path) -> None:
    task = load_task(toy / "task.yaml")
    masked = [case.masked for case in cases(task, "1", "all").cases]
    assert sorted(masked) == sorted((function.target,) for function in task.functions)


def test_too_large_an_n_is_noted_once(toy: Path) -> None:
    notes = cases(load_task(toy / "task.yaml"), "2-7").notes
    assert notes == ("4 values of --masks=2-7 not collected: the task has 3 functions",)


def test_surplus_seeds_are_noted(toy: Path) -> None:
    notes = cases(load_task(toy / "task.yaml"), "1", "0-9").notes
    assert notes == ("n=1: 7 seeds of --seeds=0-9 not collected: there are 3 combinations",)


def test_a_seed_gives_the_same_case_whatever_else_is_asked_for() -> None:
    task = task_of(12)
    alone = cases(task, "4", "17").cases
    among = cases(task, "1-5", "0-30").cases
    assert set(alone) < set(among)


def test_ten_thousand_cases_of_two_hundred_functions_are_distinct() -> None:
    found = cases(task_of(200), "20", "0-9999").cases
    assert len({case.masked for case in found}) == 10_000


def test_all_seeds_of_too_many_combinations_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--seeds=all: big has \d+ combinations for n=20"):
        cases(task_of(200), "20", "all")
