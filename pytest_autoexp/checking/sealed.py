"""Sealed: nothing that an agent may read gives an answer away."""

from __future__ import annotations

import ast
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_autoexp.checking import likeness
from pytest_autoexp.checking.copies import find_copies, gold_functions
from pytest_autoexp.checking.readable import Leak, readable
from pytest_autoexp.checking.told import told_experiments, told_numbers
from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.task import Task
from pytest_autoexp.sandbox.protocol import Sandbox
from pytest_autoexp.text import tail

SEARCH_LIMIT_SEC = 300.0
"""How long the search through installed packages may take; usual environments take seconds."""

_SCRIPT, _FUNCTIONS = "likeness.py", "functions.json"


@dataclass(frozen=True)
class Sealed:
    """What gives answers of a task away.

    Attributes:
        leaks: Every leak that was found.
    """

    leaks: tuple[Leak, ...]

    @property
    def ok(self) -> bool:
        """True if there is none."""
        return not self.leaks


def check_sealed(task: Task, sandbox: Sandbox, folder: Path) -> Sealed:
    """Look for what gives answers away: in texts, in the code and in installed packages.

    Args:
        task: The task.
        sandbox: One of the task's environment; its workspace is made anew.
        folder: Where a folder for the time of the search may be made.

    Raises:
        InfrastructureError: If the installed packages cannot be searched.
    """
    texts = tuple(readable(task))
    return Sealed(
        (
            *told_numbers(task.experiments, texts),
            *told_experiments(task.experiments, texts),
            *find_copies(task, texts),
            *_installed(task, sandbox, folder),
        )
    )


def _installed(task: Task, sandbox: Sandbox, folder: Path) -> Iterator[Leak]:
    """Functions of installed packages that contain most of a maskable one.

    The comparison is made by the sandbox's own Python: another version has other syntax trees.
    """
    sources = {function.target: ast.unparse(node) for function, node in gold_functions(task)}
    if not sources:
        return
    with tempfile.TemporaryDirectory(dir=folder) as made:
        script = Path(likeness.__file__).read_bytes()
        Path(made, _SCRIPT).write_bytes(script)
        Path(made, _FUNCTIONS).write_text(json.dumps(sources), encoding="utf-8")
        sandbox.put(Path(made))
    run = sandbox.run(f"python {_SCRIPT} {_FUNCTIONS}", time_limit_sec=SEARCH_LIMIT_SEC)
    if not run.ok:
        why = "it took too long" if run.killed_by == "time" else tail(run.stderr)
        raise InfrastructureError(
            f"{task.id}: the installed packages cannot be searched for its functions: {why}"
        )
    for found in (likeness.Installed(**one) for one in json.loads(run.stdout)):
        yield Leak(
            "installed",
            found.file,
            found.line,
            found.function,
            found.target,
            found.share,
            "leave the package out of the environment, or do not make the function maskable",
        )
