"""Overlays of hidden experiments: there when they run, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_autoexp.checking.copies import find_copies
from pytest_autoexp.checking.readable import readable
from pytest_autoexp.experiments import run_experiment
from pytest_autoexp.loading.loader import load_task, task_digest
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import Trial
from pytest_autoexp.run_trial import run_trial
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python
from pytest_autoexp.sandbox.protocol import Sandbox
from pytest_autoexp.solution import read_solution
from pytest_autoexp.workspace import build_workspace, write_masked_code

MEAN = "toystats/moments.py::mean"

REFERENCE = """\
def mean(values):
    total = 0.0
    for value in values:
        total += value
    return total / len(values)
"""

TESTS = """\
import json, os
from pathlib import Path
from reference.moments import mean as wanted
from toystats.moments import mean
tests = [[1.0], [1.0, 2.5], [3.0, -3.0, 1.0]]
passed = sum(mean(values) == wanted(values) for values in tests)
Path(os.environ["AUTOEXP_METRICS"]).write_text(json.dumps({"tests": len(tests), "passed": passed}))
"""

EXPERIMENT = """\
  - name: hidden-tests
    hidden: true
    overlay: hidden-tests
    command: python run_tests.py
    timeout_sec: 20
    metrics: {tests: 3, passed: 3}
    depends: ["toystats/moments.py::mean"]
"""


@pytest.fixture
def task(toy: Path) -> Task:
    toy.joinpath("task.yaml").write_text(toy.joinpath("task.yaml").read_text() + EXPERIMENT)
    toy.joinpath("hidden-tests", "reference").mkdir(parents=True)
    toy.joinpath("hidden-tests", "run_tests.py").write_text(TESTS)
    toy.joinpath("hidden-tests", "reference", "moments.py").write_text(REFERENCE)
    return load_task(toy / "task.yaml")


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_it_is_there_for_its_own_experiment_alone(task: Task, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    write_masked_code(task, (), folder / "code")
    before = files(folder)
    with NoneSandbox(running_python()) as sandbox:
        visible, _, _, hidden = task.experiments
        assert run_experiment(hidden, folder, sandbox, 0.05).ok
        assert sandbox.read("code/run_tests.py", 10_000) is not None
        assert run_experiment(visible, folder, sandbox, 0.05).ok
        assert sandbox.read("code/run_tests.py", 10_000) is None
    assert files(folder) == before


def test_no_agent_sees_it(task: Task, tmp_path: Path) -> None:
    trial = Trial(task.id, "", 1, 0, 0, (MEAN,), "x")
    build_workspace(task, trial, tmp_path / "workspace")
    found = files(tmp_path / "workspace")
    assert "code/toystats/moments.py" in found
    assert not any("run_tests" in path or "reference" in path for path in found)
    assert list(find_copies(task, readable(task))) == []


def test_an_agent_cannot_put_anything_in_its_place(task: Task, tmp_path: Path) -> None:
    """Right for what the visible experiment asks, and with forged tests: it fails."""
    forged = "Path(os.environ['AUTOEXP_METRICS']).write_text('{\"tests\": 3, \"passed\": 3}')"
    write = (
        "sed -i 's|raise NotImplementedError|return 0.0|' code/toystats/moments.py;"
        f'echo "import os; from pathlib import Path; {forged}" > code/run_tests.py;'
        "mkdir code/reference; echo 'mean = lambda values: 0.0' > code/reference/moments.py"
    )

    def agent(sandbox: Sandbox) -> None:
        assert sandbox.run(write, time_limit_sec=30).ok

    trial = Trial(task.id, task_digest(task), 1, 0, 0, (MEAN,), "x")
    build_workspace(task, trial, tmp_path / "workspace")
    with NoneSandbox(running_python()) as sandbox:
        sandbox.put(tmp_path / "workspace")
        result, _ = run_trial(trial, task, sandbox, agent, lambda: NoneSandbox(running_python()))
    assert [check.measured for check in result.experiments[-1].checks] == [3.0, 0.0]
    overlay = "of a hidden experiment's overlay"
    assert result.dropped == (
        f"reference/moments.py: shadows reference {overlay}",
        f"run_tests.py: shadows run_tests {overlay}",
    )


@pytest.mark.parametrize("path", ["toystats/reference.py", "moments_of_mine/__init__.py"])
def test_a_name_of_the_overlay_counts_wherever_it_stands(
    task: Task, tmp_path: Path, path: str
) -> None:
    write_masked_code(task, (MEAN,), tmp_path / "pristine")
    write_masked_code(task, (MEAN,), tmp_path / "left" / "code")
    file = tmp_path / "left" / "code" / path
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    solution = read_solution(task, (MEAN,), tmp_path / "pristine", tmp_path / "left")
    assert (path in solution.files) is (path == "moments_of_mine/__init__.py")


@pytest.mark.parametrize(
    ("body", "counts"),
    [
        ("from exact_ref import mean as m; return m(values)", False),  # if toystats/ is on the path
        ("return {'reference': sum(values)}['reference'] / len(values)", True),
        ("import moments; return moments.mean(values)", True),  # the code has one
        ("from smooth import Smoother; return Smoother", True),
        ("from plain_ref import mean as m; return m(values)", False),
    ],
)
def test_a_body_may_use_the_overlays_names_for_something_else(
    task: Task, tmp_path: Path, body: str, counts: bool
) -> None:
    (task.folder / "hidden-tests" / "toystats").mkdir()
    for path in ("toystats/exact_ref.py", "reference/smooth.py", "reference/plain_ref.py"):
        (task.folder / "hidden-tests" / path).write_text(REFERENCE)
    write_masked_code(task, (MEAN,), tmp_path / "pristine")
    write_masked_code(task, (MEAN,), tmp_path / "left" / "code")
    file = tmp_path / "left" / "code" / "toystats" / "moments.py"
    file.write_text(file.read_text().replace("raise NotImplementedError", body))
    solution = read_solution(task, (MEAN,), tmp_path / "pristine", tmp_path / "left")
    assert (body.encode() in solution.files["toystats/moments.py"]) is counts
