"""Fair: code that is right but different passes the experiments.

The author keeps such code in ``alternatives/NAME.py`` beside the task: a docstring
``path.py::Qualified.name: what differs``, imports, and the whole function under its own name, a
method as a plain function.  It is put into the masked code as an agent's work would be.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_autoexp.checking.bench import Bench
from pytest_autoexp.loading.code import code_folder
from pytest_autoexp.masking.handin import hand_in
from pytest_autoexp.masking.index import parse_ast
from pytest_autoexp.masking.mask import mask
from pytest_autoexp.masking.source import MaskingError
from pytest_autoexp.model.errors import Problem, TaskError
from pytest_autoexp.model.result import ExperimentResult
from pytest_autoexp.model.task import Experiment, Task
from pytest_autoexp.verify import metric_leaves

ALTERNATIVES_DIR = "alternatives"
"""Folder beside ``task.yaml`` with right implementations that differ from the task's own."""

_HEAD = re.compile(r"\s*(?P<target>[^\s:]+\.py::[^\s:]+):\s*(?P<difference>\S.*)", re.DOTALL)
_FORM = '"""path.py::Qualified.name: what differs"""'


@dataclass(frozen=True)
class Alternative:
    """A right implementation that differs from the task's own.

    Attributes:
        name: Name of its file without ``.py``.
        target: The function that it implements.
        difference: What differs, in the author's words.
        source: Content of the function's file with it grafted in.
    """

    name: str
    target: str
    difference: str
    source: bytes


@dataclass(frozen=True)
class Off:
    """A metric that an alternative does not reach.

    Attributes:
        experiment: The experiment.
        metric: The metric, or an empty string if the experiment failed as a whole.
        expected: What the task's own code gives.
        measured: What came out, or None.
        use: Distance from the expected value in tolerances, above 1; None without a value.
        problem: Why, where that is not plain from the numbers.
    """

    experiment: str
    metric: str
    expected: float | None
    measured: float | None
    use: float | None
    problem: str = ""

    def __str__(self) -> str:
        """One line."""
        if self.measured is None or self.expected is None:
            return f"{self.experiment}: {self.metric}: {self.problem}".replace(": : ", ": ")
        return (
            f"{self.experiment}: {self.metric} is {self.measured:.6g}, expected is "
            f"{self.expected:.6g}: {self.use:.3g} tolerances off"
        )


@dataclass(frozen=True)
class Fair:
    """What the experiments say of an alternative.

    Attributes:
        alternative: Name of the alternative.
        target: The function that it implements.
        difference: What differs.
        off: What it does not reach; empty if it passes.
        largest_use: The largest share of a tolerance that it takes up, among the metrics that
            were measured: 0 at the expected value, 1 at the wall.
        closest: Experiment and metric with that share, ``experiment: metric``.
        slowdown: The largest ratio of an experiment's time to that with the task's own code.
    """

    alternative: str
    target: str
    difference: str
    off: tuple[Off, ...]
    largest_use: float
    closest: str
    slowdown: float

    @property
    def ok(self) -> bool:
        """True if every experiment passes."""
        return not self.off


def read_alternatives(task: Task) -> tuple[Alternative, ...]:
    """Read the alternatives that lie beside a task, in the order of their names.

    Raises:
        TaskError: With everything that is wrong with their files.
    """
    found: list[Alternative] = []
    problems: list[Problem] = []
    for file in sorted(task.folder.joinpath(ALTERNATIVES_DIR).glob("*.py")):
        try:
            found.append(_read(task, file))
        except TaskError as error:
            problems += error.problems
    if problems:
        raise TaskError(tuple(problems))
    return tuple(found)


def check_fair(
    bench: Bench,
    alternative: Alternative,
    experiments: Sequence[Experiment],
    gold_sec: Mapping[str, float],
) -> Fair:
    """Run experiments on the code with an alternative in place of the task's function.

    Each has its own time limit, as it has for agents: an alternative may be slower.

    Args:
        bench: Runs them.
        alternative: The alternative.
        experiments: Those that depend on its function.
        gold_sec: How long they take with the task's own code, by name.

    Raises:
        InfrastructureError: If something on our side breaks.
    """
    edits = {alternative.target.partition("::")[0]: alternative.source}
    off: list[Off] = []
    uses = [(0.0, "")]
    slowdown = 0.0
    for experiment in experiments:
        result = bench.run(experiment, edits)
        slowdown = max(slowdown, result.duration_sec / max(gold_sec[experiment.name], 1e-3))
        if result.problem:
            off.append(Off(experiment.name, "", None, None, None, _problem(result)))
            continue
        tolerances = {
            name: metric.tolerance(bench.default_rtol) for name, metric in metric_leaves(experiment)
        }
        for check in result.checks:
            use = None
            if check.measured is not None:
                use = _use(abs(check.measured - check.expected), tolerances[check.name])
                uses.append((use, f"{experiment.name}: {check.name}"))
            if not check.ok:
                values = check.name, check.expected, check.measured
                off.append(Off(experiment.name, *values, use, check.reason))
    largest_use, closest = max(uses, key=lambda pair: pair[0])
    return Fair(
        alternative.name,
        alternative.target,
        alternative.difference,
        tuple(off),
        largest_use,
        closest,
        slowdown,
    )


def _read(task: Task, file: Path) -> Alternative:
    """One alternative.

    Raises:
        TaskError: It cannot be used.
    """
    shown = str(file)
    source = file.read_bytes()
    try:
        tree = parse_ast(source)
    except SyntaxError as error:
        raise _error(shown, error.lineno or 1, f"does not parse: {error.msg}") from error
    except ValueError as error:
        raise _error(shown, 1, f"does not parse: {error}") from error
    head = _HEAD.fullmatch(ast.get_docstring(tree) or "")
    if head is None:
        raise _error(shown, 1, f"names no function; write a docstring {_FORM} at its top")
    target = head["target"]
    try:
        function = task.function(target)
    except KeyError:
        listed = ", ".join(function.target for function in task.functions)
        problem = f"the task has no function {target}; allowed: {listed}"
        raise _error(shown, 1, problem) from None
    gold = code_folder(task).joinpath(function.path).read_bytes()
    masked = mask(gold, {function.name: function.description})
    try:
        grafted = hand_in(masked, function.name, source)
    except MaskingError as error:
        raise _error(shown, 1, str(error)) from error
    if grafted.dropped:
        lines = "; ".join(grafted.dropped)
        problem = f"an agent could not hand this in, some of it would be dropped: {lines}"
        raise _error(shown, 1, problem)
    return Alternative(file.stem, target, head["difference"].strip(), grafted.source)


def _error(file: str, line: int, message: str) -> TaskError:
    return TaskError((Problem(file, line, "alternative", message),))


def _problem(result: ExperimentResult) -> str:
    """Why an experiment failed as a whole, with the last line that it wrote to standard error."""
    last = result.stderr.strip().rpartition("\n")[2]
    return f"{result.problem}: {last}" if last else result.problem


def _use(error: float, tolerance: float) -> float:
    if error == 0:
        return 0.0
    return error / tolerance if tolerance else float("inf")
