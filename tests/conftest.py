from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOY = Path(__file__).with_name("toy")


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A copy of the toy task: three functions, three experiments, one of them hidden."""
    return Path(shutil.copytree(TOY, tmp_path / "toy"))


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """A user's project: a folder of tasks that holds the toy, run without isolation."""
    shutil.copytree(TOY, pytester.path / "tasks" / "toy")
    pytester.makeini("[pytest]\naddopts = --sandbox=none\n")
    return pytester.path


@pytest.fixture
def results(project: Path) -> Callable[[], list[dict[str, Any]]]:
    """Reads the lines of the project's results.jsonl."""

    def read() -> list[dict[str, Any]]:
        text = (project / "autoexp-results" / "results.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    return read


def junit_cases(path: Path) -> list[ElementTree.Element]:
    """The test cases of a JUnit XML file."""
    return list(ElementTree.parse(path).getroot().iter("testcase"))


@pytest.fixture
def junit(project: Path) -> Callable[[], list[ElementTree.Element]]:
    """Reads the test cases of the project's out.xml."""
    return lambda: junit_cases(project / "out.xml")
