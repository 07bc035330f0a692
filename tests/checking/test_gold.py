"""A task's own code over several runs: what passes, what moves, which tolerance it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from pytest_autoexp.checking.bench import Bench
from pytest_autoexp.checking.gold import Gold, GoldExperiment, GoldMetric, run_gold, suggest
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python

METRICS = "metrics: {mean: 0.43165861554868384, variance: 0.08622437878249578}"
MakeBench = Callable[..., Bench]

THREADS = """
import json, os, pathlib
file = pathlib.Path(os.environ["AUTOEXP_METRICS"])
threads = {os.environ[name] for name in os.environ if name.endswith("_NUM_THREADS")}
file.write_text(json.dumps({"loss": 1 + 0.003 * float(*threads), "steps": [7], "still": 2}))
"""


@pytest.fixture
def make_bench(toy: Path, tmp_path: Path) -> Iterator[MakeBench]:
    """A bench of the toy with its first experiment alone, changed, and another main.py."""
    with NoneSandbox(running_python()) as sandbox:

        def make(metrics: str = METRICS, main: str = "") -> Bench:
            file = toy / "task.yaml"
            text, _, _ = file.read_text().partition("  - name: moments-reseeded")
            text = text.replace(METRICS, metrics)
            file.write_text(
                "".join(line for line in text.splitlines(True) if "depends" not in line)
            )
            if main:
                toy.joinpath("code", "main.py").write_text(main)
            return Bench(load_task(file, allow_auto=True), tmp_path / "bench", sandbox)

        yield make


def test_own_code_that_passes_and_repeats(make_bench: MakeBench) -> None:
    gold = run_gold(make_bench(), repeats=2)
    (moments,) = gold.experiments
    assert (gold.problems, gold.failures, moments.ok, suggest(gold)) == ((), (), True, ())
    mean, variance = moments.metrics
    assert (mean.name, mean.measured) == ("mean", (0.43165861554868384, 0.43165861554868384))
    assert (mean.tolerance_used, variance.spread) == (0.0, 0.0)
    assert mean.tolerance == pytest.approx(0.05 * 0.4316586)
    assert moments.threads == (1, 1)
    assert 0 < min(moments.durations_sec) <= gold.durations_sec["moments"]
    assert json.loads(json.dumps(asdict(gold)))["experiments"][0]["name"] == "moments"


def test_a_wrong_expected_value_is_a_problem(make_bench: MakeBench) -> None:
    gold = run_gold(make_bench("metrics: {mean: {value: 0.4, rtol: 0.01}, lost: 1}"), repeats=1)
    assert gold.problems == (
        "moments: mean is 0.431659, expected 0.4 within 0.004",
        "moments: lost: missing",
    )
    mean, _ = gold.experiments[0].metrics
    assert mean.tolerance_used == pytest.approx(7.9146539)
    assert gold.reported["moments"]["mean"] == 0.43165861554868384


def test_code_that_fails_is_told_with_its_last_words(make_bench: MakeBench) -> None:
    bench = make_bench("metrics: auto", "raise SystemExit('no data here')")
    gold = run_gold(bench, repeats=2)
    assert gold.problems == gold.failures == ("moments: exit status 1: no data here",)
    assert gold.experiments[0].metrics == ()


def test_numbers_of_threads_show_in_the_spread(make_bench: MakeBench) -> None:
    metrics = "metrics: {loss: {value: 1.0, rtol: 0.01}, steps: [7], still: 2}"
    gold = run_gold(make_bench(metrics, THREADS), repeats=1, threads=(1, 2))
    loss, steps, _ = gold.experiments[0].metrics
    assert gold.experiments[0].threads == (1, 2)
    assert loss.measured == (1.003, 1.006)
    assert loss.spread == pytest.approx(0.003)
    assert (steps.name, steps.spread) == ("steps[0]", 0)
    assert gold.problems == (
        "moments: loss moves by 0.003 between runs, more than a tenth of its tolerance of 0.01",
    )
    assert [str(s) for s in suggest(gold)] == ["moments: loss moves by 0.003: write rtol: 0.05"]
    assert [s.rtol for s in suggest(gold, default_rtol=0.01)] == [0.03]


def test_metrics_that_are_still_to_be_recorded_are_measured(make_bench: MakeBench) -> None:
    gold = run_gold(make_bench("metrics: auto", THREADS), repeats=2)
    (moments,) = gold.experiments
    assert gold.problems == ()
    assert [(m.name, m.expected) for m in moments.metrics] == [
        ("loss", 1.003),
        ("steps[0]", 7),
        ("still", 2),
    ]
    assert gold.reported == {"moments": {"loss": 1.003, "steps": [7], "still": 2}}


def test_only_numbers_can_be_recorded(make_bench: MakeBench) -> None:
    bench = make_bench("metrics: auto", THREADS.replace('"still": 2', '"still": {"x": ["cpu"]}'))
    with pytest.raises(InfrastructureError, match=r"^moments: still\.x\[0\] is 'cpu'; allowed: fi"):
        run_gold(bench, repeats=1)


@pytest.mark.parametrize(
    ("expected", "atol", "spread", "written"),
    [
        (2.0, 0.0, 0.012, "rtol: 0.06"),
        (2.0, 0.0, 0.014, "rtol: 0.07"),
        (-2.0, 0.0, 0.02, "rtol: 0.1"),
        (2.0, 0.0, 0.19, "rtol: 1"),
        (2.0, 0.0, 0.6, "atol: 6"),
        (0.0, 0.001, 0.00021, "atol: 0.003"),
        (0.1, 0.02, 0.0021, "atol: 0.03"),
    ],
)
def test_a_suggestion_is_ten_times_the_spread_rounded_up(
    expected: float, atol: float, spread: float, written: str
) -> None:
    tolerance = max(0.05 * abs(expected), atol)
    runs = (expected, expected + spread)
    metric = GoldMetric("a", expected, 0.05, atol, tolerance, runs, spread, spread / tolerance)
    gold = Gold("toy", (GoldExperiment("main", (1, 1), (1.0, 1.0), ("", ""), (metric,), {}),))
    (suggestion,) = suggest(gold)
    if written == "rtol: 1":  # no relative tolerance can be 1
        written = "atol: 2"
    assert str(suggestion) == f"main: a moves by {spread:.2g}: write {written}"
