from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_autoexp.loading.loader import load_task, task_digest
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import Limits, Trial
from pytest_autoexp.workspace import build_workspace, instructions


@pytest.fixture
def task(toy: Path) -> Task:
    return load_task(toy / "task.yaml")


def trial(task: Task, *masked: str, context: str = "full") -> Trial:
    limits = Limits(time_sec=90, steps=1, cost_usd=0.5)
    return Trial(
        task.id, task_digest(task), len(masked), 0, 0, masked, "x", limits=limits, context=context
    )


def built(task: Task, given: Trial, tmp_path: Path) -> dict[str, str]:
    """What the agent gets: text by path."""
    dest = tmp_path / "workspace"
    build_workspace(task, given, dest)
    return {
        str(file.relative_to(dest)): file.read_text()
        for file in sorted(dest.rglob("*"))
        if file.is_file()
    }


MEAN = "toystats/moments.py::mean"


def test_the_agent_gets_paper_instructions_and_masked_code(task: Task, tmp_path: Path) -> None:
    files = built(task, trial(task, MEAN), tmp_path)
    assert sorted(files) == [
        "code/main.py",
        "code/toystats/__init__.py",
        "code/toystats/moments.py",
        "code/toystats/smooth.py",
        "experiments.json",
        "instructions.md",
        "paper.md",
    ]
    assert files["code/toystats/moments.py"].startswith(
        '"""Moments of a sample."""\n\n\n'
        "def mean(values: list[float]) -> float:\n"
        '    """Arithmetic mean of a non-empty list of floats."""\n'
        "    raise NotImplementedError\n\n\n"
        "def variance("
    )


def test_without_context_there_is_no_paper(task: Task, tmp_path: Path) -> None:
    files = built(task, trial(task, MEAN, context="none"), tmp_path)
    assert "paper.md" not in files
    assert "paper.md" not in files["instructions.md"]


def test_with_the_oracles_context_the_paper_is_what_speaks_of_the_masked_functions(
    task: Task, tmp_path: Path
) -> None:
    whole = "# Sums\n\nOf sums.\n\n# Levels\n\nExponential smoothing takes in the newest value.\n"
    task.paper.path.write_text(whole)
    step = "toystats/smooth.py::Smoother.step"
    files = built(task, trial(task, step, context="oracle"), tmp_path / "one")
    assert files["paper.md"] == "## Levels\n\nExponential smoothing takes in the newest value.\n"
    assert "`paper.md` is what a paper says of this work, without its" in files["instructions.md"]
    files = built(task, trial(task, context="oracle"), tmp_path / "none")
    assert files["paper.md"] == "(No function is masked: none of the paper is needed.)\n"


def test_programs_find_the_visible_experiments_without_values(task: Task, tmp_path: Path) -> None:
    files = built(task, trial(task, MEAN, "toystats/smooth.py::Smoother.step"), tmp_path)
    moments, smooth = json.loads(files["experiments.json"])
    assert moments == {
        "name": "moments",
        "command": "python main.py moments 3",
        "timeout_sec": 20.0,
        "verify": "measured",
        "metrics": {"mean": None, "variance": None},
    }
    assert smooth["metrics"] == {"levels": [None] * 5}


def test_nothing_tells_bodies_expected_values_or_hidden_experiments(
    task: Task, tmp_path: Path
) -> None:
    everything = "\n".join(built(task, trial(task, MEAN), tmp_path).values())
    assert "total / len(values)" not in everything
    assert "moments-reseeded" not in everything
    assert "0.43165" not in everything
    assert "0.39612" not in everything


def test_caches_version_control_and_links_stay_out(task: Task, toy: Path, tmp_path: Path) -> None:
    code = toy / "code"
    for folder in (".git", "__pycache__", ".pytest_cache"):
        (code / folder).mkdir()
        (code / folder / "kept").write_text("total / len(values)")
    (code / "old.pyc").write_text("total / len(values)")
    (code / "out").symlink_to("/etc")
    assert len(built(task, trial(task, MEAN), tmp_path)) == 7


def test_instructions_name_files_commands_metrics_and_limits(task: Task) -> None:
    text = instructions(task, trial(task, MEAN, "toystats/smooth.py::Smoother.step"))
    for part in (
        "- `code/toystats/moments.py`: `mean`\n",
        "- `code/toystats/smooth.py`: `Smoother.step`\n",
        "### moments\n\nMoments of the sample.\n\n```sh\npython main.py moments 3\n```\n",
        "Metrics: `mean`, `variance`.",
        "Metrics: `levels` (a list of 5).",
        "`AUTOEXP_METRICS`",
        "`report.json`",
        "grow by more than 524,288 characters or 75,000 words",
        "You have 90 seconds, 1 step and 0.5 USD.",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("last", "named"),
    [
        ({}, "writes its metrics there as JSON. `"),
        ({"verify": "reported"}, "writes its metrics there as JSON, unless something else is said"),
        ({"capture": "object"}, "writes its metrics there as JSON, unless something else is said"),
    ],
)
def test_where_metrics_go_is_said_of_those_that_write_them(
    task: Task, last: dict[str, Any], named: str
) -> None:
    changed = replace(
        task, experiments=(*task.experiments[:-1], replace(task.experiments[-1], **last))
    )
    text = instructions(changed, trial(task))
    assert named in text
    assert ("metrics are read from what the command prints" in text) is ("capture" in last)
    alone = instructions(changed, trial(task, "toystats/smooth.py::Smoother.step"))
    assert ("`AUTOEXP_METRICS`" in alone) is (not last)


def test_only_relevant_experiments_are_asked_for(task: Task) -> None:
    text = instructions(task, trial(task, MEAN))
    assert "### moments" in text
    assert "### smooth" not in text


def test_no_report_is_asked_for_where_no_experiment_is_seen(task: Task) -> None:
    hidden = replace(task, experiments=tuple(e for e in task.experiments if e.hidden))
    for text in (instructions(hidden, trial(hidden, MEAN)), instructions(hidden, trial(hidden))):
        assert "No experiment is given" in text
        assert "report" not in text.lower()


def test_n_0_asks_for_reproduction(task: Task) -> None:
    text = instructions(task, trial(task))
    assert "The code is complete." in text
    assert "### moments" in text
    assert "### smooth" in text
    assert "missing" not in text
