from __future__ import annotations

from pathlib import Path

import pytest

from pytest_autoexp.checking.mistakes import (
    Equivalent,
    Mistake,
    read_equivalent,
    read_mistakes,
)
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import TaskError

MEAN = "toystats/moments.py::mean"
GOOD = f"- target: {MEAN}\n  name: from one\n  replace: 0.0\n  with: 1.0\n"


def mistakes(toy: Path, text: str) -> tuple[Mistake, ...]:
    (toy / "mistakes.yaml").write_text(text)
    return read_mistakes(load_task(toy / "task.yaml"))


def test_values_are_taken_as_they_are_written(toy: Path) -> None:
    assert mistakes(toy, GOOD) == (Mistake(MEAN, "from one", "0.0", "1.0"),)
    (without,) = mistakes(toy, GOOD.replace("0.0", "'+= value'").replace("with: 1.0", "with: ''"))
    assert (without.old, without.new) == ("+= value", "")
    assert mistakes(toy, "# none\n") == ()


def test_a_task_without_notes(toy: Path) -> None:
    task = load_task(toy / "task.yaml")
    assert (read_mistakes(task), read_equivalent(task)) == ((), ())


def test_a_mistake_changes_its_passage_only(toy: Path) -> None:
    source = (toy / "code/toystats/moments.py").read_bytes()
    (mistake,) = mistakes(toy, GOOD)
    assert mistake.apply(source) == source.replace(b"total = 0.0", b"total = 1.0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n", "1: (file): the top level is no list"),
        ("- [\n", "(file): not valid YAML"),
        ("- 1\n", "1: [0]: is no mapping; allowed: a mapping with target, name, replace, with"),
        (GOOD.replace("  name: from one\n", ""), "1: [0]: has the keys target, replace, with;"),
        (GOOD.replace("from one", "[a]"), "2: [0].name: is no text"),
        (GOOD.replace("with: 1.0", "with: "), "4: [0].with: is no text"),
        (GOOD.replace("::mean", "::maen"), "1: [0].target: the task has no function"),
        (GOOD + GOOD, "5: [1].name: is given twice for this function"),
        (GOOD.replace("replace: 0.0", "replace: zero"), "[0].replace: occurs 0 times"),
        (GOOD.replace("replace: 0.0", "replace: value"), "[0].replace: occurs 5 times"),
        (GOOD.replace("with: 1.0", "with: 1.0)"), "[0].replace: does not parse"),
        (GOOD.replace("with: 1.0", "with: (0.0)"), "what is put in its place is the same code"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(toy: Path, text: str, message: str) -> None:
    with pytest.raises(TaskError) as raised:
        mistakes(toy, text)
    assert message in str(raised.value)
    assert str(raised.value).startswith(f"{toy / 'mistakes.yaml'}:")


def test_equivalent_mutants(toy: Path) -> None:
    task = load_task(toy / "task.yaml")
    file = toy / "equivalent.yaml"
    entry = f"- mutant: {MEAN}:constant:2.1\n  reason: for the test\n"
    file.write_text(entry)
    assert read_equivalent(task) == (Equivalent(f"{MEAN}:constant:2.1", "for the test"),)
    file.write_text(entry + entry.replace("2.1", "9.1") + entry + entry.replace("mean", "area"))
    with pytest.raises(TaskError) as raised:
        read_equivalent(task)
    assert [str(problem).partition("]")[2] for problem in raised.value.problems] == [
        f'.mutant: there is no mutant "{MEAN}:constant:9.1"; did you mean "{MEAN}:constant:2.1"?',
        f'.mutant: "{MEAN}:constant:2.1" is given twice',
        f'.mutant: the task has no function "toystats/moments.py::area"; did you mean "{MEAN}"?',
    ]
