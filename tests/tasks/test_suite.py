"""Plausible wrong versions of the bundled tasks' functions are caught by the tasks' tolerances."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pytest_autoexp.checking.bench import Bench
from pytest_autoexp.checking.mistakes import read_equivalent, read_mistakes
from pytest_autoexp.checking.sharp import Tried, check_sharp
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.sandbox.cache import Builds
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import python_for

TASKS = Path(__file__).parents[2] / "tasks"
FILES = sorted(TASKS.glob("*/mistakes.yaml"))
CAUGHT_SHARE = 0.8


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_every_mistake_fits_the_code(file: Path) -> None:
    task = load_task(file.with_name("task.yaml"))
    assert {m.target for m in read_mistakes(task)} <= {f.target for f in task.functions}
    read_equivalent(task)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_most_mistakes_are_caught(file: Path, tmp_path: Path) -> None:
    """The first of each function; ``--autoexp-check`` tries them all."""
    task = load_task(file.with_name("task.yaml"))
    first = {mistake.target: mistake for mistake in reversed(read_mistakes(task))}
    mistakes = tuple(first.values())
    tried: list[Tried] = []
    python = python_for(task.environment.requirements, Builds("run", print))
    with NoneSandbox(python, task.resources) as sandbox:
        bench = Bench(task, tmp_path, sandbox)
        gold_sec = {}
        for experiment in task.experiments:
            start = time.monotonic()
            assert bench.run(experiment, {}).ok, f"{experiment.name}: the original code fails"
            gold_sec[experiment.name] = time.monotonic() - start
        for target in dict.fromkeys(mistake.target for mistake in mistakes):
            tried += check_sharp(bench, target, gold_sec, mistakes, (), 0).mistakes

    survivors = [version.id for version in tried if version.caught_by is None]
    told = "\n".join(f"  {name}" for name in survivors)
    assert len(tried) == len(mistakes)
    assert len(survivors) <= (1 - CAUGHT_SHARE) * len(mistakes), f"not caught:\n{told}"
