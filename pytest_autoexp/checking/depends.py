"""Which functions an experiment depends on: those whose absence moves one of its metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_autoexp.checking.bench import Bench, Edits
from pytest_autoexp.checking.gold import expecting
from pytest_autoexp.checking.needed import effect_of
from pytest_autoexp.checking.order import time_limits_sec
from pytest_autoexp.experiments import Measured
from pytest_autoexp.masking.variants import CALLS_VARIABLE, traced
from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.task import Experiment, Metric, MetricTree
from pytest_autoexp.text import tail
from pytest_autoexp.verify import check_metrics

_CALLS_FILE = "calls.txt"
_MAX_CALLS_BYTES = 1024**2


@dataclass(frozen=True)
class Traced:
    """What an experiment does on the task's own code.

    Attributes:
        experiment: The experiment, with what it gave as its expected values.
        called: Targets of the functions that it calls.
    """

    experiment: Experiment
    called: frozenset[str]


def find_depends(bench: Bench, gold_sec: Mapping[str, float]) -> dict[str, frozenset[str]]:
    """Find the functions on which experiments depend.

    A function matters to an experiment that calls it if, with zeros in place of its result, or
    its input, or nothing, some metric moves by more than twice its tolerance, or if it fails
    with each of them.

    Args:
        bench: The task; its metrics may be still to be recorded.
        gold_sec: How long the experiments to look at take, by name.

    Returns:
        Targets by name of the experiment.

    Raises:
        InfrastructureError: If an experiment fails on the task's own code, or something on our
            side breaks.
    """
    limits_sec = time_limits_sec(gold_sec)
    return {
        name: frozenset(
            target
            for target in own.called
            if effect_of(bench, target, own.experiment, limits_sec[name]).matters
        )
        for name, own in trace(bench, gold_sec).items()
    }


def trace(bench: Bench, gold_sec: Mapping[str, float]) -> dict[str, Traced]:
    """Run experiments once and see which functions they call, in child processes and threads too.

    Args:
        bench: The task; its metrics may be still to be recorded.
        gold_sec: How long the experiments to look at take, by name.

    Raises:
        InfrastructureError: If an experiment fails on the task's own code, or something on our
            side breaks.
    """
    code = _traced_code(bench)
    limits_sec = time_limits_sec(gold_sec)
    env = {CALLS_VARIABLE: f"{bench.sandbox.workspace}/{_CALLS_FILE}"}
    found = {}
    for experiment in bench.task.experiments:
        if experiment.name in gold_sec:
            run = bench.measure(experiment, code, limits_sec[experiment.name], env)
            noted = bench.sandbox.read(_CALLS_FILE, _MAX_CALLS_BYTES) or b""
            expected = _as_measured(bench, experiment, run)
            found[experiment.name] = Traced(expected, frozenset(noted.decode().splitlines()))
    return found


def _traced_code(bench: Bench) -> Edits:
    """A version of the code whose functions note their targets when they are called."""
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    for function in bench.task.functions:
        labels[function.path][function.name] = function.target
    return {path: traced(bench.source(path), names) for path, names in labels.items()}


def _as_measured(bench: Bench, experiment: Experiment, run: Measured) -> Experiment:
    """The experiment with what it gave as its expected values, and its own tolerances."""
    if run.metrics is None:
        why = "\n".join([run.problem, tail(run.run.stderr)])
        raise InfrastructureError(f"{experiment.name}: fails on the task's own code: {why}")
    experiment = expecting(experiment, run.metrics)
    for check in check_metrics(experiment, run.metrics, bench.default_rtol):
        if check.measured is None:
            raise InfrastructureError(f"{experiment.name}: {check.name}: {check.reason}")
    metrics = {name: _filled(tree, run.metrics[name]) for name, tree in experiment.metrics.items()}
    return replace(experiment, metrics=metrics)


def _filled(tree: MetricTree, measured: Any) -> MetricTree:
    """Expected metrics with the values of measured ones that have their shape."""
    if isinstance(tree, Metric):
        return replace(tree, expected=float(measured))
    if isinstance(tree, tuple):
        return tuple(_filled(item, value) for item, value in zip(tree, measured, strict=True))
    return {name: _filled(item, measured[name]) for name, item in tree.items()}
