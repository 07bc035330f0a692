"""What the tasks' authors keep for the check of them, and what the check found."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_autoexp.checking.fair import read_alternatives
from pytest_autoexp.checking.mistakes import read_equivalent, read_mistakes
from pytest_autoexp.checking.suite import README_FILE, suite_readme
from pytest_autoexp.loading.loader import load_task

TASKS = Path(__file__).parents[2] / "tasks"
FILES = sorted(path for path in TASKS.glob("*/task.yaml") if not load_task(path).variant)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_mistakes_and_alternatives_fit_the_code(file: Path) -> None:
    task = load_task(file)
    targets = {function.target for function in task.functions}
    assert {mistake.target for mistake in read_mistakes(task)} == targets
    assert len({alternative.target for alternative in read_alternatives(task)}) >= len(targets) / 3
    read_equivalent(task)


def test_the_table_of_the_suite_is_current() -> None:
    """Otherwise: ``pytest --autoexp-check -o autoexp_keep_checks=true`` with the changed tasks."""
    assert (TASKS / README_FILE).read_text(encoding="utf-8") == suite_readme(TASKS)
