"""``auto`` in a task.yaml: what is still to be measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_autoexp.loading.auto import Placeholders, find_placeholders
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import TaskError
from pytest_autoexp.model.task import Metric

METRICS = "metrics: {loss: 0.25}"
DEPENDS = "depends: [pkg/a.py::mean]"
TARGETS = {"pkg/a.py::mean", "pkg/a.py::Box.area#2"}


@pytest.mark.parametrize("word", ["auto", '"auto"', "'auto'"])
def test_a_placeholder_is_no_expected_value(folder: Path, good: str, word: str) -> None:
    file = folder / "task.yaml"
    file.write_text(good.replace(METRICS, f"metrics: {word}").replace(DEPENDS, f"depends: {word}"))
    with pytest.raises(TaskError) as caught:
        load_task(file)
    what = f"auto: not recorded yet; run pytest --autoexp-record {file}"
    assert [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems] == [
        f"19: experiments[0].depends: {what}",
        f"23: experiments[1].metrics: {what}",
    ]


def test_a_task_with_placeholders_can_be_loaded_to_measure_them(folder: Path, good: str) -> None:
    file = folder / "task.yaml"
    file.write_text(good.replace(METRICS, "metrics: auto").replace(DEPENDS, "depends: auto"))
    main, again = load_task(file, allow_auto=True).experiments
    assert main.metrics["loss"] == Metric(0.5)
    assert main.depends == TARGETS
    assert (again.metrics, again.capture) == ({}, {"loss": r"loss (\S+)"})
    assert find_placeholders(file) == Placeholders(frozenset({"again"}), frozenset({"main"}))


def test_without_placeholders_a_task_is_the_same_either_way(folder: Path) -> None:
    file = folder / "task.yaml"
    assert load_task(file, allow_auto=True) == load_task(file)
    assert find_placeholders(file) == Placeholders(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (METRICS, "metrics: automatic", "experiments[1].metrics"),
        (METRICS, "metrics: {loss: auto}", "experiments[1].metrics.loss"),
        (METRICS, "metrics: [auto]", "experiments[1].metrics"),
        (DEPENDS, "depends: all", "experiments[0].depends"),
        ("timeout_sec: 5", "timeout_sec: auto", "experiments[0].timeout_sec"),
    ],
)
def test_auto_stands_for_all_metrics_and_for_depends_only(
    folder: Path, good: str, old: str, new: str, key: str
) -> None:
    file = folder / "task.yaml"
    file.write_text(good.replace(old, new))
    with pytest.raises(TaskError) as caught:
        load_task(file, allow_auto=True)
    assert [problem.key for problem in caught.value.problems] == [key]
