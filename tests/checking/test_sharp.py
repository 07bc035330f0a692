"""Wrong versions of the toy task's functions, run in a real sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pytest_autoexp.checking.bench import Bench
from pytest_autoexp.checking.mistakes import Equivalent, Mistake
from pytest_autoexp.checking.sharp import check_sharp
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python

MEAN = "toystats/moments.py::mean"
VARIANCE = "toystats/moments.py::variance"
GOLD_SEC = {"moments": 0.2, "moments-reseeded": 0.1, "smooth": 0.1}


@pytest.fixture
def bench(toy: Path, tmp_path: Path) -> Iterator[Bench]:
    with NoneSandbox(running_python()) as sandbox:
        yield Bench(load_task(toy / "task.yaml"), tmp_path / "bench", sandbox)


def test_mutants_are_caught_by_the_cheapest_experiment(bench: Bench) -> None:
    sharp = check_sharp(bench, MEAN, GOLD_SEC, (), (), 4)
    assert len(sharp.mutants) == 4 < sharp.generated
    assert {tried.caught_by for tried in sharp.mutants} == {"moments-reseeded"}
    skipped = sharp.mutants[0]
    assert (skipped.id, skipped.what) == (f"{MEAN}:skipped:1.1", "skipped: the whole body")
    assert skipped.reason == "mean is null, not a number, expected 0.39613"
    assert "+    return None\n" in skipped.diff
    assert sharp.survivors == ()
    assert len(json.loads(json.dumps(asdict(sharp)))["mutants"]) == 4


def test_mistakes_of_the_function_are_tried_in_full(bench: Bench) -> None:
    mistakes = (
        Mistake(VARIANCE, "ddof 0", "(len(values) - 1)", "len(values)"),
        Mistake(VARIANCE, "never ends", "centre = sum", "while True: pass\n    centre = sum"),
        Mistake(VARIANCE, "fails", "centre = sum", "centre = 1 / 0 + sum"),
        Mistake(VARIANCE, "squares the sum", "** 2 for", "** 4 for"),
        Mistake(MEAN, "of another function", "total = 0.0", "total = 1.0"),
    )
    bench.task = replace(
        bench.task,
        experiments=tuple(replace(e, timeout_sec=1.5) for e in bench.task.experiments),
    )
    sharp = check_sharp(bench, VARIANCE, GOLD_SEC, mistakes, (), 0)
    assert sharp.mutants == ()
    found = {tried.what: (tried.caught_by, tried.reason) for tried in sharp.mistakes}
    assert found == {
        "ddof 0": (None, ""),  # 2% of a sample of 50
        "never ends": ("moments-reseeded", "stopped at its time limit of 1.5 s"),
        "fails": ("moments-reseeded", "exit status 1"),
        "squares the sum": ("moments-reseeded", found["squares the sum"][1]),
    }
    assert found["squares the sum"][1].startswith("variance is 0.0")
    (survivor,) = sharp.survivors
    assert survivor.id == f"{VARIANCE}: ddof 0"
    assert "-    return sum((value - centre) ** 2 for value in values) / (len" in survivor.diff


def test_equivalent_mutants_are_neither_tried_nor_counted(bench: Bench) -> None:
    equivalent = (
        Equivalent(f"{MEAN}:skipped:1.1", "for the test"),
        Equivalent(f"{VARIANCE}:skipped:1.1", "of another function"),
    )
    sharp = check_sharp(bench, MEAN, GOLD_SEC, (), equivalent, 1)
    assert sharp.equivalent == equivalent[:1]
    assert [tried.id for tried in sharp.mutants] != [f"{MEAN}:skipped:1.1"]
