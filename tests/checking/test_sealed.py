from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from pytest_autoexp.checking.sealed import check_sealed
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python

MEAN = """\
def mean(values: list[float]) -> float:
    series = Series(values, copy_of_rows=True).sorted_rows(by_weight=True)
    total = series.weighted_total(axis=0)
    parts = series.count_of_parts(minimum=1)
    series.check(limit=3, strict=False)
    if parts.are_missing():
        raise EmptyError(values)
    middle = total.divided_by(parts, where_zero=0)
    return middle.rounded_to(digits=12).value
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    return folder


@pytest.fixture
def sandbox(packages: Path) -> Iterator[NoneSandbox]:
    with NoneSandbox(running_python(), env={"PYTHONPATH": str(packages)}) as sandbox:
        yield sandbox


def test_the_toy_is_sealed(toy: Path, tmp_path: Path, sandbox: NoneSandbox) -> None:
    sealed = check_sealed(load_task(toy / "task.yaml"), sandbox, tmp_path)

    assert sealed.ok
    assert sealed.leaks == ()


def test_each_kind_of_leak_is_found(
    toy: Path, tmp_path: Path, packages: Path, sandbox: NoneSandbox
) -> None:
    toy.joinpath("code/toystats/moments.py").write_text(
        f"{MEAN}\n\ndef variance(values: list[float]) -> float:\n    return 1.0\n"
    )
    packages.joinpath("given.py").write_text(MEAN.replace("mean", "average"))
    toy.joinpath("code/again.py").write_text(MEAN)
    toy.joinpath("code/README.md").write_text("The mean is 0.432.\n")
    with toy.joinpath("paper.md").open("a") as paper:
        paper.write("\nAlso `python main.py moments 4`, with variance 9.376e-2.\n")
    before = sorted(tmp_path.iterdir())

    sealed = check_sealed(load_task(toy / "task.yaml"), sandbox, tmp_path)

    assert sorted(tmp_path.iterdir()) == before
    assert [(leak.kind, leak.file, leak.line) for leak in sealed.leaks] == [
        ("number", "paper.md", 5),
        ("number", "code/README.md", 1),
        ("hidden", "paper.md", 5),
        ("copy", "code/again.py", 1),
        ("installed", "given.py", 1),
    ]
    assert not sealed.ok
    assert json.loads(json.dumps(asdict(sealed)))["leaks"][4]["found"] == "average"


def test_a_number_in_a_description_has_its_line_in_task_yaml(
    toy: Path, tmp_path: Path, sandbox: NoneSandbox
) -> None:
    text = (toy / "task.yaml").read_text()
    (toy / "task.yaml").write_text(text.replace("list of floats.", "list, such as 0.4317."))

    sealed = check_sealed(load_task(toy / "task.yaml"), sandbox, tmp_path)

    assert [(leak.file, leak.line, leak.found) for leak in sealed.leaks] == [
        ("task.yaml", 8, "0.4317")
    ]
