"""On which functions an experiment depends: those that it calls and that move its metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_autoexp.checking.bench import Bench
from pytest_autoexp.checking.depends import find_depends, trace
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python

MEAN, VARIANCE = "toystats/moments.py::mean", "toystats/moments.py::variance"
STEP = "toystats/smooth.py::Smoother.step"
GOLD_SEC = {"moments": 0.1, "moments-reseeded": 0.1, "smooth": 0.1}


@pytest.fixture
def bench(toy: Path, tmp_path: Path) -> Iterator[Callable[[], Bench]]:
    with NoneSandbox(running_python()) as sandbox:
        yield lambda: Bench(
            load_task(toy / "task.yaml", allow_auto=True), tmp_path / "bench", sandbox
        )


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_an_experiment_depends_on_what_moves_its_metrics(bench: Callable[[], Bench]) -> None:
    made = bench()
    before = made.source("toystats/moments.py")
    assert find_depends(made, GOLD_SEC) == {
        "moments": {MEAN, VARIANCE},
        "moments-reseeded": {MEAN, VARIANCE},
        "smooth": {STEP},
    }
    assert made.source("toystats/moments.py") == before


def test_calls_are_told_by_experiment(bench: Callable[[], Bench]) -> None:
    calls = {name: own.called for name, own in trace(bench(), GOLD_SEC).items()}
    both = {MEAN, VARIANCE}
    assert calls == {"moments": both, "moments-reseeded": both, "smooth": {STEP}}


METRICS = "{mean: 0.43165861554868384, variance: 0.08622437878249578}"


@pytest.mark.parametrize("metrics", ["auto", "{mean: 5, variance: 0.0862}"])
def test_what_is_called_without_moving_a_metric_does_not_count(
    toy: Path, bench: Callable[[], Bench], metrics: str
) -> None:
    change(toy / "task.yaml", METRICS, metrics)
    change(toy / "code" / "main.py", '"mean": mean(sample)', '"mean": 5 + 1e-3 * mean(sample)')
    assert find_depends(bench(), {"moments": 0.1}) == {"moments": {VARIANCE}}


def test_a_function_without_which_the_experiment_always_fails_counts(
    toy: Path, bench: Callable[[], Bench]
) -> None:
    main = 'assert 0.4 < mean(sample) < 0.5; metrics = {"mean": 5, '
    change(toy / "code" / "main.py", 'metrics = {"mean": mean(sample), ', main)
    assert find_depends(bench(), {"moments": 0.1}) == {"moments": {MEAN, VARIANCE}}


def test_calls_in_child_processes_and_threads_count(toy: Path, bench: Callable[[], Bench]) -> None:
    main = toy / "code" / "main.py"
    main.write_text("""
import json, os, subprocess, sys, threading
from toystats.moments import mean, variance
if sys.argv[1] == "child":
    print(mean([1.0, 2.0]))
else:
    child = [sys.executable, __file__, "child"]
    found = {"mean": float(subprocess.check_output(child))}
    thread = threading.Thread(target=lambda: found.update(variance=variance([1.0, 2.0])))
    thread.start()
    thread.join()
    with open(os.environ["AUTOEXP_METRICS"], "w") as file:
        json.dump(found, file)
""")
    change(toy / "task.yaml", METRICS, "{mean: 1, variance: 1}")
    assert find_depends(bench(), {"moments": 0.1}) == {"moments": {MEAN, VARIANCE}}


@pytest.mark.parametrize(
    ("main", "why"),
    [
        ("raise SystemExit('no data here')", "exit status 1\nno data here"),
        (
            "import os; open(os.environ['AUTOEXP_METRICS'], 'w').write('{\"mean\": 1}')",
            "variance: missing",
        ),
    ],
)
def test_own_code_that_fails_is_an_error(
    toy: Path, bench: Callable[[], Bench], main: str, why: str
) -> None:
    toy.joinpath("code", "main.py").write_text(main)
    with pytest.raises(InfrastructureError) as caught:
        find_depends(bench(), {"moments": 0.1})
    assert str(caught.value).startswith("moments: ")
    assert str(caught.value).endswith(why)
