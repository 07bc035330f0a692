"""A task that is right in every way, to be broken in one way at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import TaskError

GOOD = r"""schema: 1
id: demo
title: A demo
paper: {file: paper.md, arxiv: "2205.00048"}
code: code
environment: {requirements: [numpy], dockerfile: Dockerfile}
resources: {gpus: 0, cpus: 1.5, memory: 2g, disk: 512m, pids: 64}
functions:
  - target: pkg/a.py::mean
    description: the mean
  - target: pkg/a.py::Box.area#2
    description: the area
experiments:
  - name: main
    description: run it
    command: python -m pkg.a
    timeout_sec: 5
    metrics: {loss: 0.5, gaps: {value: [1, 0], atol: 0.1}}
    depends: [pkg/a.py::mean]
  - name: again
    hidden: true
    command: python -m pkg.a --seed 1
    metrics: {loss: 0.25}
    capture: {loss: 'loss (\S+)'}
"""

SOURCE = """
def mean(values):
    def total():
        return sum(values)
    return total() / len(values)

class Box:
    @property
    def area(self):
        return 1

    @area.setter
    def area(self, value):
        pass
"""


@pytest.fixture
def good() -> str:
    """The text of a good task.yaml."""
    return GOOD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a good task."""
    folder = tmp_path / "demo"
    folder.joinpath("code", "pkg").mkdir(parents=True)
    folder.joinpath("code", "pkg", "a.py").write_text(SOURCE)
    folder.joinpath("paper.md").write_text("The text of the paper.\n")
    folder.joinpath("Dockerfile").write_text("FROM python:3.12\n")
    folder.joinpath("task.yaml").write_text(GOOD)
    return folder


@pytest.fixture
def problems(folder: Path) -> Callable[[str | bytes], list[str]]:
    """What is wrong with a task.yaml of this text in the good folder: ``line: key: message``."""

    def problems(text: str | bytes) -> list[str]:
        file = folder / "task.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            load_task(file)
        except TaskError as error:
            return [str(problem).removeprefix(f"{file}:") for problem in error.problems]
        return []

    return problems


@pytest.fixture
def broken(good: str, problems: Callable[[str | bytes], list[str]]) -> Callable[..., list[str]]:
    """What is wrong with the good task.yaml once ``old`` stands replaced by ``new`` in it."""

    def broken(old: str, new: str) -> list[str]:
        assert good.count(old) == 1, f"{old!r} is there {good.count(old)} times"
        return problems(good.replace(old, new))

    return broken
