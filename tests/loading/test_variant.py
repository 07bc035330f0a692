"""A task.yaml that takes all but id and resources from another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pytest_autoexp.loading.loader import load_task, task_digest
from pytest_autoexp.loading.schema_check import VARIANT_SCHEMA, read_schema
from pytest_autoexp.model.errors import TaskError
from pytest_autoexp.model.task import Resources

VARIANT = """schema: 1
id: demo-gpu
variant_of: %s
resources: {gpus: 1, memory: 4g}
"""


@pytest.fixture
def write(folder: Path) -> Callable[[str], Path]:
    """Write the task.yaml of a variant beside the good task."""

    def written(text: str) -> Path:
        file = folder.parent / "demo-gpu" / "task.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text % folder.name if "%s" in text else text)
        return file

    return written


def test_it_is_the_other_task_with_its_own_id_and_resources(
    folder: Path, write: Callable[[str], Path]
) -> None:
    file = write(VARIANT)
    assert load_task(file) == replace(
        load_task(folder / "task.yaml"),
        id="demo-gpu",
        resources=Resources(gpus=1, memory_bytes=4 * 1024**3),
        variant=file,
    )


def test_its_digest_covers_both_files(folder: Path, write: Callable[[str], Path]) -> None:
    first = task_digest(load_task(write(VARIANT)))
    assert first != task_digest(load_task(folder / "task.yaml"))
    assert first != task_digest(load_task(write(VARIANT.replace("4g", "5g"))))
    task = folder / "task.yaml"
    task.write_text(task.read_text().replace("0.25", "0.26"))
    assert first != task_digest(load_task(write(VARIANT)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("id: demo-gpu", "id: demo"), '2: id: "demo" is the id of'),
        (("%s", "nowhere"), "3: variant_of: there is no"),
        (("%s", "../demo"), '3: variant_of: found "../demo" (text); allowed: name of a folder'),
        (("gpus: 1", "gpus: -1"), "4: resources.gpus: found -1 (number); allowed: a whole number"),
        (("resources", "resource"), "4: resource: unknown key"),
        (("resources: {gpus: 1, memory: 4g}\n", ""), "1: resources: missing; allowed: a mapping"),
        (("schema: 1", "schema: 2"), "1: schema: found 2 (number); allowed: 1"),
        (("id: demo-gpu", "title: x\nid: demo-gpu"), "2: title: unknown key"),
    ],
)
def test_what_is_wrong_is_named(
    write: Callable[[str], Path], change: tuple[str, str], message: str
) -> None:
    with pytest.raises(TaskError) as caught:
        load_task(write(VARIANT.replace(*change)))
    assert f"task.yaml:{message}" in str(caught.value)


def test_a_variant_of_a_variant_is_refused(folder: Path, write: Callable[[str], Path]) -> None:
    write(VARIANT)
    other = folder.parent / "more" / "task.yaml"
    other.parent.mkdir()
    other.write_text(VARIANT.replace("demo-gpu", "more") % "demo-gpu")
    with pytest.raises(TaskError, match=r"demo-gpu/task\.yaml is a variant itself"):
        load_task(other)


def test_what_is_wrong_with_the_other_is_named_there(
    folder: Path, write: Callable[[str], Path]
) -> None:
    file = write(VARIANT)
    (folder / "paper.md").unlink()
    with pytest.raises(TaskError) as caught:
        load_task(file)
    [problem] = caught.value.problems
    assert (Path(problem.file), problem.key) == (folder / "task.yaml", "paper.file")


def test_its_schema_is_valid_and_says_what_is_allowed() -> None:
    schema = read_schema(VARIANT_SCHEMA)
    Draft202012Validator.check_schema(schema)
    assert all(key["description"] and key["title"] for key in schema["properties"].values())


def run(project: Path, *args: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    return done.stdout


def test_it_runs_as_a_task_and_is_not_checked_a_second_time(project: Path) -> None:
    variant = project / "tasks" / "toy-big" / "task.yaml"
    variant.parent.mkdir()
    variant.write_text(
        "schema: 1\nid: toy-big\nvariant_of: toy\nresources: {cpus: 1, memory: 3g}\n"
    )
    output = run(project, "--agent=oracle", "--masks=1", "tasks/toy-big")
    assert "1 passed" in output
    [line] = (project / "autoexp-results" / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["trial"]["task_id"] == "toy-big"
    checked = run(project, "--autoexp-check", "--collect-only", "-q")
    assert "tasks/toy/task.yaml" in checked
    assert "toy-big" not in checked
