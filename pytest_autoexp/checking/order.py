"""In which order experiments are tried on other versions of the code, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_autoexp.model.task import Experiment, Task

_SLOWER = 10.0
_SHORTEST_LIMIT_SEC = 10.0


def dependent(task: Task, target: str, gold_sec: Mapping[str, float]) -> tuple[Experiment, ...]:
    """The experiments that list a function as one that they depend on, cheapest first.

    Args:
        task: The task.
        target: The function.
        gold_sec: How long each experiment takes on the task's own code, by name.
    """
    return cheapest_first((e for e in task.experiments if target in e.depends), gold_sec)


def cheapest_first(
    experiments: Iterable[Experiment], gold_sec: Mapping[str, float]
) -> tuple[Experiment, ...]:
    """Experiments in the order of what they cost; of equals, the task's first one first."""
    return tuple(sorted(experiments, key=lambda experiment: gold_sec[experiment.name]))


def time_limits_sec(gold_sec: Mapping[str, float]) -> dict[str, float]:
    """How long each experiment may take on another version of the code, by name.

    An experiment's own limit holds beside this one.
    """
    return {name: max(_SLOWER * sec, _SHORTEST_LIMIT_SEC) for name, sec in gold_sec.items()}
