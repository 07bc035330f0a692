"""Every bundled task: the oracle passes, noop fails, and it is as big as it should be."""

from __future__ import annotations

import ast
import itertools
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_autoexp.loading.code import code_folder
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.masking.index import ast_functions
from pytest_autoexp.model.task import Task
from pytest_autoexp.sandbox.cache import Builds
from pytest_autoexp.sandbox.docker.images import ensure_image
from pytest_autoexp.sandbox.host.local import bubblewrap_problem
from pytest_autoexp.verify import metric_leaves

ROOT = Path(__file__).parents[2]
LOADED = [load_task(file) for file in sorted((ROOT / "tasks").glob("*/task.yaml"))]
TASKS = [task.id for task in LOADED if not task.variant]
IN_CONTAINERS = ["alibi", "exposure-fairness", "rocket"]
"""One for each of the suite's kinds of environment: PyTorch, data of a package, and so on."""
EMBEDDED = "none" if bubblewrap_problem() else "local"


def run(task: str, results: Path, *args: str) -> list[dict[str, Any]]:
    """The lines of results.jsonl of a run on one bundled task."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"tasks/{task}"]
    subprocess.run([*command, f"--results={results}", *args], cwd=ROOT, check=False)
    return [json.loads(line) for line in (results / "results.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("task", TASKS)
def test_the_oracle_passes_and_noop_fails(task: str, tmp_path: Path) -> None:
    """That noop fails for every single function is known from the check of the task."""
    sandbox = f"--sandbox={EMBEDDED}"
    [passed] = run(task, tmp_path / "oracle", "--agent=oracle", "--masks=all", sandbox)
    assert passed["outcome"] == "passed"
    noop = ("--agent=noop", "--masks=1", "--seeds=0-1")
    for line in run(task, tmp_path / "noop", *noop, sandbox):
        assert line["outcome"] == "failed"
        assert all(not e["ok"] for e in line["experiments"]), line["trial"]["masked"]
        assert any(e["hidden"] for e in line["experiments"]), line["trial"]["masked"]


@pytest.mark.docker
@pytest.mark.parametrize("task", IN_CONTAINERS)
def test_the_oracle_passes_and_noop_fails_in_containers(
    task: str, tmp_path: Path, base_image: str
) -> None:
    environment = load_task(ROOT / "tasks" / task / "task.yaml").environment
    ensure_image(environment, base_image, Builds("run", print))
    args = ["--masks=all", "--sandbox=docker", f"-oautoexp_base_image={base_image}"]
    [passed] = run(task, tmp_path / "oracle", "--agent=oracle", *args)
    [failed] = run(task, tmp_path / "noop", "--agent=noop", *args)
    assert (passed["outcome"], failed["outcome"]) == ("passed", "failed")
    assert all(e["exit_code"] == 1 for e in failed["experiments"])


@pytest.mark.parametrize("task", TASKS)
def test_each_task_is_big_enough_and_has_a_hidden_experiment(task: str) -> None:
    loaded = load_task(ROOT / "tasks" / task / "task.yaml")
    assert loaded.id == task
    assert 10 <= len(loaded.functions) <= 15
    assert 3 <= len({function.path for function in loaded.functions}) <= 8
    assert 3 <= len(loaded.experiments) <= 5
    assert any(experiment.hidden for experiment in loaded.experiments)
    assert all(len(list(metric_leaves(experiment))) >= 5 for experiment in loaded.experiments)
    assert statistics.median(code_lines(loaded)) >= 12


def code_lines(task: Task) -> list[int]:
    """Lines of code of each function, without its docstring."""
    counts = []
    for function in task.functions:
        source = (code_folder(task) / function.path).read_text()
        tree = ast.parse(source)
        at = dict(ast_functions(tree))[function.name]
        [node] = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.lineno == at]
        body = node.body[1:] if ast.get_docstring(node) else node.body
        lines = source.splitlines()
        own = (lines[at - 1 : node.body[0].lineno - 1], lines[body[0].lineno - 1 : node.end_lineno])
        counts.append(sum(bool(line.strip()) for line in itertools.chain(*own)))
    return counts


def test_the_suite_has_twelve_tasks_and_three_that_use_a_gpu() -> None:
    assert len(TASKS) >= 12
    assert sum(len(task.functions) for task in LOADED if not task.variant) >= 140
    on_gpu = [task for task in LOADED if task.variant and task.resources.gpus]
    assert len({task.folder for task in on_gpu}) >= 3
    assert {task.id for task in on_gpu} == {f"{task.folder.name}-gpu" for task in on_gpu}
