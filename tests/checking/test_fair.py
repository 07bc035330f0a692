from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_autoexp.checking.bench import Bench
from pytest_autoexp.checking.fair import Fair, check_fair, read_alternatives
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import TaskError
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python

VARIANCE = "toystats/moments.py::variance"


@pytest.fixture
def sandbox() -> Iterator[NoneSandbox]:
    with NoneSandbox(running_python()) as sandbox:
        yield sandbox


def write(toy: Path, text: str, name: str = "other.py") -> None:
    toy.joinpath("alternatives").mkdir(exist_ok=True)
    toy.joinpath("alternatives", name).write_text(text)


def check(toy: Path, folder: Path, sandbox: NoneSandbox) -> Fair:
    task = load_task(toy / "task.yaml")
    (alternative,) = read_alternatives(task)
    folder.mkdir()
    experiments = task.relevant_experiments((alternative.target,))
    gold_sec = {experiment.name: 0.05 for experiment in experiments}
    return check_fair(Bench(task, folder, sandbox), alternative, experiments, gold_sec)


def test_a_task_without_alternatives_has_none(toy: Path) -> None:
    assert read_alternatives(load_task(toy / "task.yaml")) == ()


def test_another_formula_passes(toy: Path, tmp_path: Path, sandbox: NoneSandbox) -> None:
    write(
        toy,
        f'"""{VARIANCE}: by the library,\nin one call"""\n'
        "import statistics\n\n\n"
        "def variance(values):\n    return statistics.variance(values)\n",
    )

    fair = check(toy, tmp_path / "bench", sandbox)

    assert fair.ok
    assert (fair.alternative, fair.target) == ("other", VARIANCE)
    assert fair.difference == "by the library,\nin one call"
    assert 0 <= fair.largest_use < 1e-6
    assert fair.slowdown > 0


def test_a_method_is_written_as_a_function(toy: Path, tmp_path: Path, sandbox: NoneSandbox) -> None:
    write(
        toy,
        '"""toystats/smooth.py::Smoother.step: by the gap"""\n'
        "def step(self, value):\n"
        "    level = value if self.level is None else self.level\n"
        "    self.level = level + self.alpha * (value - level)\n"
        "    return self.level\n",
    )

    assert check(toy, tmp_path / "bench", sandbox).ok


def test_what_is_off_is_told_in_tolerances(toy: Path, tmp_path: Path, sandbox: NoneSandbox) -> None:
    write(
        toy,
        f'"""{VARIANCE}: ddof=0, and 1.02 percent more"""\n'
        "def variance(values):\n"
        "    centre = sum(values) / len(values)\n"
        "    return 1.12 * sum((v - centre) ** 2 for v in values) / len(values)\n",
    )

    fair = check(toy, tmp_path / "bench", sandbox)

    # 1.12 * 49 / 50 is 9.76 % too much: 1.952 times the tolerance of 5 %
    assert [(off.experiment, off.metric) for off in fair.off] == [
        ("moments", "variance"),
        ("moments-reseeded", "variance"),
    ]
    assert fair.off[0].use == pytest.approx(1.952, rel=1e-6)
    assert fair.largest_use == pytest.approx(1.952, rel=1e-6)
    assert fair.closest in ("moments: variance", "moments-reseeded: variance")
    assert "variance is 0.0946" in str(fair.off[0])
    assert "1.95 tolerances off" in str(fair.off[0])


def test_one_that_raises_fails_with_the_last_line(
    toy: Path, tmp_path: Path, sandbox: NoneSandbox
) -> None:
    write(toy, f'"""{VARIANCE}: raises"""\ndef variance(values):\n    return 1 / 0\n')

    fair = check(toy, tmp_path / "bench", sandbox)

    assert str(fair.off[0]) == "moments: exit status 1: ZeroDivisionError: division by zero"
    assert fair.largest_use == 0


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("def variance(values):\n    return 1\n", 1, "names no function; write a docstring"),
        ('"""variance: by hand"""\n', 1, "names no function"),
        (f'"""{VARIANCE}"""\n', 1, "names no function"),
        ('"""toystats/moments.py::median: x"""\n', 1, "no function toystats/moments.py::median;"),
        (f'"""{VARIANCE}: x"""\n\ndef other():\n    pass\n', 1, "no function variance"),
        (f'"""{VARIANCE}: x"""\n\ndef variance(values)\n', 3, "does not parse"),
        (f'"""{VARIANCE}: x"""\n\ndef variance(a):\n    return a\n', 1, "those of variance are"),
        (
            f'"""{VARIANCE}: x"""\nprint()\ndef variance(values):\n    return 1\n',
            1,
            "would be dropped: statement at module level",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_why(toy: Path, text: str, line: int, told: str) -> None:
    write(toy, text)
    write(toy, f'"""{VARIANCE}: fine"""\ndef variance(values):\n    return 1\n', "fine.py")

    with pytest.raises(TaskError) as raised:
        read_alternatives(load_task(toy / "task.yaml"))

    (problem,) = raised.value.problems
    assert problem.file == str(toy / "alternatives" / "other.py")
    assert problem.line == line
    assert told in problem.message


def test_all_files_that_cannot_be_used_are_told_at_once(toy: Path) -> None:
    write(toy, "", "a.py")
    write(toy, "def", "b.py")

    with pytest.raises(TaskError) as raised:
        read_alternatives(load_task(toy / "task.yaml"))

    assert len(raised.value.problems) == 2
