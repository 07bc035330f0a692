"""Plausible wrong versions of a task's functions are caught by the task's own tolerances.

A task keeps them in ``mistakes.yaml``: entries of target, name, and a passage
(``replace``) of the function's source with what stands there instead (``with``).
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.task import DEFAULT_RTOL, Experiment
from pytest_autoexp.sandbox.cache import Builds
from pytest_autoexp.sandbox.environ import BASE_ENVIRONMENT
from pytest_autoexp.sandbox.host.requirements import python_for
from pytest_autoexp.verify import MetricsUnreadableError, check_metrics, parse_metrics

TASKS = Path(__file__).parents[2] / "tasks"
FILES = sorted(TASKS.glob("*/mistakes.yaml"))
CAUGHT_SHARE = 0.8


@dataclass(frozen=True)
class Mistake:
    target: str
    name: str
    old: str
    new: str

    def apply(self, code: Path) -> None:
        """Write the wrong version into a copy of the code."""
        path, qualified_name = self.target.split("::")
        source = (code / path).read_text(encoding="utf-8")
        first, last = line_range(ast.parse(source), qualified_name.split("."))
        lines = source.splitlines(keepends=True)
        function = "".join(lines[first - 1 : last])
        assert function.count(self.old) == 1, f"{self.name}: found {function.count(self.old)} times"
        lines[first - 1 : last] = [function.replace(self.old, self.new)]
        wrong = "".join(lines)
        ast.parse(wrong)
        (code / path).write_text(wrong, encoding="utf-8")


def line_range(node: ast.AST, names: list[str]) -> tuple[int, int]:
    for name in names:
        node = next(child for child in ast.walk(node) if getattr(child, "name", None) == name)
    assert isinstance(node, ast.FunctionDef)
    assert node.end_lineno is not None
    return node.lineno, node.end_lineno


def read_mistakes(file: Path) -> list[Mistake]:
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [Mistake(e["target"], e["name"], e["replace"], e["with"]) for e in entries]


def passes(experiment: Experiment, code: Path, bin_dir: Path) -> bool:
    """Run an experiment on a code base and judge its metrics."""
    report = code.parent / "metrics.json"
    report.unlink(missing_ok=True)
    path = os.pathsep.join([str(bin_dir), os.environ["PATH"]])
    env = {**BASE_ENVIRONMENT, "PATH": path, "AUTOEXP_METRICS": str(report)}
    try:
        done = subprocess.run(
            experiment.command,
            shell=True,
            check=False,
            cwd=code,
            env=env,
            capture_output=True,
            timeout=experiment.timeout_sec,
        )
        measured = parse_metrics(report.read_bytes())
    except (subprocess.TimeoutExpired, FileNotFoundError, MetricsUnreadableError):
        return False
    checks = check_metrics(experiment, measured, DEFAULT_RTOL)
    return done.returncode == 0 and all(check.ok for check in checks)


def is_caught(
    mistake: Mistake, experiments: Iterable[Experiment], pristine: Path, bin_dir: Path
) -> bool:
    with tempfile.TemporaryDirectory(dir=pristine.parent) as folder:
        code = shutil.copytree(pristine, Path(folder) / "code")
        mistake.apply(code)
        dependent = (e for e in experiments if mistake.target in e.depends)
        return any(not passes(experiment, code, bin_dir) for experiment in dependent)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_every_mistake_fits_the_code(file: Path, tmp_path: Path) -> None:
    task = load_task(file.with_name("task.yaml"))
    for number, mistake in enumerate(read_mistakes(file)):
        task.function(mistake.target)
        code = shutil.copytree(Path(str(task.code)), tmp_path / str(number))
        mistake.apply(code)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_most_mistakes_are_caught(file: Path, tmp_path: Path) -> None:
    task = load_task(file.with_name("task.yaml"))
    bin_dir = python_for(task.environment.requirements, Builds("run", print)).bin_dir
    pristine = shutil.copytree(Path(str(task.code)), tmp_path / "code")
    duration_sec = {}
    for experiment in task.experiments:
        start = time.monotonic()
        assert passes(experiment, pristine, bin_dir), f"{experiment.name}: the original code fails"
        duration_sec[experiment.name] = time.monotonic() - start
    cheapest_first = sorted(task.experiments, key=lambda e: duration_sec[e.name])

    mistakes = read_mistakes(file)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        caught = list(pool.map(lambda m: is_caught(m, cheapest_first, pristine, bin_dir), mistakes))
    survivors = [m for m, is_so in zip(mistakes, caught, strict=True) if not is_so]
    print(f"{task.id}: {len(mistakes) - len(survivors)} of {len(mistakes)} mistakes caught")

    told = "\n".join(f"  {m.target}: {m.name}" for m in survivors)
    assert len(survivors) <= (1 - CAUGHT_SHARE) * len(mistakes), f"not caught:\n{told}"
