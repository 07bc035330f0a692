"""On every bundled task: an agent that knows the visible experiments' numbers, and nothing else.

It writes them where the metrics are expected and ends the process: in a module that its masked
files import, so that nothing is computed.  (test_cheats_numbers.py does so in a body.)  A visible
experiment is reproduced, a hidden one is not.  One of each is run; which numbers are replayed in
all the others is known without running them, whatever is masked.

An agent may also let the rest be computed and write down only what the masked function would
change.  That is run for one function; the check ``needed`` tries it with each of every task.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from adversaries.cheating import verdicts

from pytest_autoexp.cases import case_at
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.result import TrialResult
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import CODE_DIR, Trial
from pytest_autoexp.run_trial import run_trial
from pytest_autoexp.sandbox.cache import Builds
from pytest_autoexp.sandbox.folder import PrivateFolder
from pytest_autoexp.sandbox.host.local import bubblewrap_problem
from pytest_autoexp.sandbox.make import Site, make_sandbox
from pytest_autoexp.sandbox.protocol import Sandbox
from pytest_autoexp.verify import check_metrics
from pytest_autoexp.workspace import write_masked_code

FOLDER = Path(__file__).parents[2] / "tasks"
TASKS = [load_task(path) for path in sorted(FOLDER.glob("*/task.yaml"))]
EMBEDDED = "none" if bubblewrap_problem() else "local"

REPLAY = """\
import json, os, sys

GOLD = json.loads({gold!r})
words = {{*sys.argv}}
command = max(GOLD, key=lambda command: len(words & {{*command.split()}}))
with open(os.environ["AUTOEXP_METRICS"], "w") as file:
    json.dump(GOLD[command], file)
os._exit(0)
"""
"""A new module of the agent's: the numbers of the visible command that is the most alike."""


FIRST = re.compile(r"^((?:import|from (?!__future__)|def|class|@).*)", re.MULTILINE)
"""The first statement below the docstring: what is added above it runs before all else."""


def replay_in(task: Task, masked: tuple[str, ...], cheat: Callable[[Path], None]) -> TrialResult:
    """A trial of an agent that changes its code so that the visible experiment is reproduced.

    The task has one visible and one hidden experiment, which is not.
    """

    def agent(sandbox: Sandbox) -> None:
        with PrivateFolder() as folder:
            write_masked_code(task, masked, folder / CODE_DIR)
            cheat(folder / CODE_DIR)
            sandbox.put(folder / CODE_DIR, CODE_DIR)

    trial = Trial(
        *(task.id, "0" * 64, len(masked), 0, 0, masked, "replay"),
        environment=task.environment,
        resources=task.resources,
    )
    site = Site(Builds("run", print), None, (task.folder.parent,))

    def made() -> Sandbox:
        sandbox = make_sandbox(EMBEDDED, trial, site)
        assert sandbox
        return sandbox

    with made() as sandbox:
        result, _ = run_trial(trial, task, sandbox, agent, made)
    assert result.dropped == ()
    assert [e.problem for e in result.experiments] == ["", ""]
    assert verdicts(result) == [True, False]
    return result


@pytest.mark.parametrize(
    "task", [task for task in TASKS if not task.variant], ids=lambda task: task.id
)
def test_replayed_gold_numbers(task: Task) -> None:
    masked = case_at(task, len(task.functions), 0).masked
    gold = {e.command: e.answer for e in task.experiments if not e.hidden}
    two = [next(e for e in task.experiments if e.hidden is hidden) for hidden in (False, True)]

    def cheat(code: Path) -> None:
        for path in {target.partition("::")[0] for target in masked}:
            text = (code / path).read_text()
            (code / path).write_text(FIRST.sub(r"import replayed\n\1", text, count=1))
        (code / "replayed.py").write_text(REPLAY.format(gold=json.dumps(gold)))

    replay_in(replace(task, experiments=tuple(two)), masked, cheat)


MIXED = """\
import atexit, json, os, pathlib

def replay():
    file = pathlib.Path(os.environ["AUTOEXP_METRICS"])
    file.write_text(json.dumps(json.loads(file.read_text()) | {gold!r}))

atexit.register(replay)
return Quality(0.0, 0.0, 0.0)
"""
"""A body that lets the experiment end, and replaces what it has itself made wrong."""


def test_replayed_effect_of_one_function() -> None:
    task = load_task(FOLDER / "exposure-fairness" / "task.yaml")
    masked = "jme/quality.py::ranking_quality"
    visible, hidden = (
        next(e for e in task.experiments if e.name == name)
        for name in ("models", "models-reseeded")
    )
    gold = {
        name: value
        for name, value in visible.answer.items()
        if name.endswith(("_ndcg", "_recall", "_mrr"))
    }

    def cheat(code: Path) -> None:
        file = code / "jme" / "quality.py"
        body = textwrap.indent(MIXED.format(gold=gold), "    ").strip()
        file.write_text(file.read_text().replace("raise NotImplementedError", body))

    result = replay_in(replace(task, experiments=(visible, hidden)), (masked,), cheat)
    wrong = {check.name for check in result.experiments[1].checks if not check.ok}
    assert wrong <= {*gold}, "the rest was computed"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_no_hidden_experiment_takes_a_visible_ones_numbers(task: Task) -> None:
    """And each function is in a hidden one, so that no case goes without, n=1 neither."""
    visible = [e for e in task.experiments if not e.hidden]
    hidden = [e for e in task.experiments if e.hidden]
    for one in hidden:
        for other in visible:
            wrong = [c for c in check_metrics(one, other.answer, 0.05) if not c.ok]
            assert len(wrong) >= 4, (one.name, other.name)
    assert {f.target for f in task.functions} == frozenset().union(*(e.depends for e in hidden))
