"""What an agent says that it measured: in ``report.json``, with its result, or in both.

It decides nothing, but where a task says ``verify: reported``.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import REPORT_FILE, Trial
from pytest_autoexp.verify import MetricsUnreadableError, NoAnswer, check_metrics, parse_metrics

MAX_REPORT_BYTES = 4 * 1024**2
"""Largest report that counts, as it is kept, so that it counts when it is verified again, too."""


@dataclass(frozen=True)
class Reported:
    """An agent's report.

    Attributes:
        metrics: What it says of each experiment, by name, as JSON types; empty if it says nothing,
            more than :data:`MAX_REPORT_BYTES`, or what cannot be read.
        problem: Why its file cannot be read.
    """

    metrics: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    def answer(self, experiment: str) -> object:
        """What it says of an experiment, or why nothing is known of that."""
        answer = self.metrics.get(experiment)
        return NoAnswer(self.problem) if answer is None and self.problem else answer

    def matches(self, task: Task, trial: Trial) -> bool | None:
        """Whether it is right; None without one, or where none was asked for."""
        visible = [e for e in task.relevant_experiments(trial.masked) if not e.hidden]
        if not self.metrics or not visible:
            return None
        for experiment in visible:
            metrics = self.metrics.get(experiment.name)
            if not isinstance(metrics, dict):
                return False
            if not all(c.ok for c in check_metrics(experiment, metrics, trial.default_rtol)):
                return False
        return True

    def text(self) -> str | None:
        """What is kept: JSON, as small as what was reported; NaN is no JSON, but a text."""
        if not self.metrics:
            return None
        plain = json.loads(json.dumps(self.metrics), parse_constant=str)
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n"
        return text.encode("utf-8", "backslashreplace").decode()  # half a character, as in JSON


def read_report(left: Path, said: Mapping[str, Any]) -> Reported:
    """An agent's report.

    Args:
        left: The workspace as the agent left it.
        said: What came with its result; of an experiment, that counts before the file.
    """
    written, problem = _written(left / REPORT_FILE)
    try:
        text = json.dumps({**written, **said}, default=_plain, skipkeys=True)
        reported = Reported(json.loads(text), problem)
        fits = len((reported.text() or "").encode()) <= MAX_REPORT_BYTES
    except Exception:  # noqa: BLE001 - foreign objects: whatever they raise
        fits = False
    return reported if fits else Reported({}, problem)


def _written(file: Path) -> tuple[Mapping[str, Any], str]:
    """What the file holds, and why it cannot be read."""
    if not file.is_file():
        return {}, ""
    with file.open("rb") as stream:
        content = stream.read(MAX_REPORT_BYTES + 1)
    try:
        return parse_metrics(content.removeprefix(BOM_UTF8), file.name, MAX_REPORT_BYTES), ""
    except MetricsUnreadableError as exc:
        return {}, str(exc)


def _plain(value: object) -> Any:
    """A NumPy number or array as JSON types, anything else as its text."""
    as_list = getattr(value, "tolist", None)
    return as_list() if as_list is not None else str(value)
