"""task.yaml: a task that is right, or all that is wrong with it."""

# ruff: noqa: PT017 - an error is as right as a result
from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz.harness import damaged, damaged_lines, fuzz, often
from fuzz.yaml_tricks import BOMB, lines, words
from hypothesis import strategies as st

from pytest_autoexp.loading.loader import load_task, task_digest
from pytest_autoexp.model.errors import TaskError
from pytest_autoexp.model.task import Metric, MetricTree, Task
from pytest_autoexp.sandbox.conda import CondaFileError, parse_conda

TOY = Path(__file__).parents[1] / "toy"
FULL = """\
schema: 1
id: full
title: Everything that a task may say
field: statistics
data: made up
paper: {file: paper.md, arxiv: "2205.00048"}
code: code
environment:
  requirements: ["numpy>=1.26", packaging]
resources: {gpus: 1, cpus: 2.5, memory: 512m, disk: 1g, pids: 64}
functions:
  - target: toystats/moments.py::mean
    description: >
      Arithmetic mean
      of a list.
  - target: toystats/moments.py::variance
    description: Variance.
experiments:
  - name: one
    description: Run it.
    command: python main.py moments 3
    timeout_sec: 12.5
    metrics:
      mean: {value: 0.43, rtol: 0.1}
      zero: {value: 0, atol: 1e-3}
      levels: [1, [2.5, -3e-4]]
      nested: {a: 1, b: {value: [1, 2], atol: 0.5}}
    depends: [toystats/moments.py::mean]
  - name: two
    hidden: true
    command: |
      python main.py smooth 3
    metrics: {loss: 1.5}
    capture: {loss: "loss: (\\\\S+)"}
"""
NEWER = """\
schema: 1
id: newer
title: What a task may say besides
paper: {file: paper.md}
code: code
environment: {conda: environment.yml}
functions:
  - target: toystats/moments.py::mean
    id: mean
    passage: The mean is the sum over the count.
    description: Mean.
  - {target: toystats/moments.py::variance, id: "7", description: Variance., unused: true}
experiments:
  - name: printed
    description: Run it.
    command: python main.py moments 3
    metrics: {mean: 0.43, both: [1, 2]}
    depends: [toystats/moments.py::mean]
    capture: object
  - name: reported
    description: Run it, and report the mean.
    command: python main.py moments 4
    metrics: {mean: 0.5}
    depends: [toystats/moments.py::mean]
    verify: reported
  - name: tests
    hidden: true
    overlay: overlay
    command: python check.py
    metrics: {passed: 3}
    depends: [toystats/moments.py::mean]
"""
CONDA = """\
name: toy
channels: [defaults, conda-forge]
dependencies:
  - python=3.11
  - pytorch::pytorch=1.12.1=py3.11_cuda11.3_0
  - cudatoolkit>=11.3
  - pip:
      - numpy>=1.26
prefix: /home/x
"""
VARIANT = """\
schema: 1
id: toy-small
variant_of: toy
resources: {memory: 1g, pids: 32}
"""
BASES = [(TOY / "task.yaml").read_text(), FULL, NEWER]


class Folders:
    """Task folders beside each other, made once; the task.yaml is another for every input."""

    def __init__(self) -> None:
        self._holder = tempfile.TemporaryDirectory(prefix="fuzz-")
        root = Path(self._holder.name)
        shutil.copytree(TOY, root / "toy")
        tried = Path(shutil.copytree(TOY, root / "tried"))
        self.tried = tried / "task.yaml"
        (tried / "environment.yml").write_text(CONDA)
        (tried / "overlay").mkdir()
        (tried / "overlay" / "check.py").write_text("print(1)\n")


FOLDERS = Folders()


def texts_of(base: str) -> st.SearchStrategy[bytes]:
    by_line = damaged_lines(base, lines, words).map(lambda text: text.encode(errors="replace"))
    return often(by_line, damaged(base.encode()))


def metrics_in(tree: MetricTree) -> Iterator[Metric]:
    if isinstance(tree, Metric):
        yield tree
    else:
        for inner in tree.values() if not isinstance(tree, tuple) else tree:  # type: ignore[union-attr]
            yield from metrics_in(inner)


def check_usable(task: Task) -> None:
    targets = {function.target for function in task.functions}
    assert len(targets) == len(task.functions) > 0
    assert any(not e.hidden or e.overlay for e in task.experiments)
    assert len({experiment.name for experiment in task.experiments}) == len(task.experiments)
    for experiment in task.experiments:
        assert set() < experiment.depends <= targets
        assert 0 < experiment.timeout_sec < math.inf
        found = [metric for tree in experiment.metrics.values() for metric in metrics_in(tree)]
        assert found
        for metric in found:
            # Nothing is right whatever comes out, and nothing is wrong whatever comes out.
            assert math.isfinite(metric.expected)
            assert metric.rtol is None or 0 <= metric.rtol < 1
            assert 0 <= metric.atol < math.inf
            assert metric.expected or metric.atol
    assert task.resources.memory_bytes > 0
    assert task.resources.disk_bytes > 0
    assert len(task_digest(task)) == 64


@fuzz(st.sampled_from(BASES).flatmap(texts_of) | texts_of(VARIANT), st.booleans())
def test_a_task_file_gives_a_task_or_all_that_is_wrong(raw: bytes, allow_auto: bool) -> None:
    FOLDERS.tried.write_bytes(raw)
    try:
        task = load_task(FOLDERS.tried, allow_auto=allow_auto)
    except TaskError as error:
        assert 0 < len(error.problems) <= 101
        for problem in error.problems:
            assert 1 <= problem.line <= raw.count(b"\n") + raw.count(b"\r") + 2
            assert str(problem).isprintable()
            assert len(str(problem)) < 10_000
    else:
        if not allow_auto:
            check_usable(task)


@fuzz(texts_of(CONDA))
def test_a_conda_environment_is_read_or_told_to_be_none(raw: bytes) -> None:
    try:
        found = parse_conda(raw)
    except CondaFileError as error:
        assert 0 < len(str(error)) < 2_000
    else:
        assert isinstance(found.text, str)
        assert len(found.text) < 100_000


@pytest.mark.parametrize(
    "text",
    [
        *("name: !!int ''", "name: !!bool x", "name: !!timestamp x"),
        *(f"dependencies: {BOMB}", f"dependencies: [{{a: {BOMB}}}]"),
        f"dependencies: [python]\nvariables: {BOMB}",
        f"dependencies: [python]\nvariables: {{a: {BOMB}}}",
    ],
    ids=["int", "bool", "timestamp", "bomb", "dependency", "variables", "variable"],
)
def test_a_conda_environment_of_yaml_tricks_is_told_to_be_none(text: str) -> None:
    with pytest.raises(CondaFileError) as error:
        parse_conda(text.encode())
    assert len(str(error.value)) < 2_000


def test_what_is_damaged_is_right_before() -> None:
    for text in (*BASES, VARIANT):
        FOLDERS.tried.write_text(text)
        check_usable(load_task(FOLDERS.tried))
