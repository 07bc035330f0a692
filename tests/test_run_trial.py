"""A trial without pytest around it: a function of its description, the task and sandboxes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from pytest_autoexp.loading.loader import load_task, task_digest
from pytest_autoexp.model.errors import InfrastructureError, SandboxExhaustedError
from pytest_autoexp.model.result import AgentResult, Artifacts, CommandResult, TrialResult
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import Limits, Trial
from pytest_autoexp.run_trial import run_trial
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python
from pytest_autoexp.sandbox.protocol import Leave, Sandbox, take_all
from pytest_autoexp.workspace import build_workspace

MEAN = "toystats/moments.py::mean"
RIGHT = {"moments": {"mean": 0.4316586, "variance": 0.0862243}}

RunAgent = Callable[..., tuple[TrialResult, Artifacts]]


@pytest.fixture
def task(toy: Path) -> Task:
    return load_task(toy / "task.yaml")


def make_sandbox() -> NoneSandbox:
    return NoneSandbox(running_python())


@pytest.fixture
def run(task: Task, tmp_path: Path) -> RunAgent:
    def with_agent(
        call_agent: Callable[[Sandbox], AgentResult | None], *masked: str, task: Task = task
    ) -> tuple[TrialResult, Artifacts]:
        trial = Trial(task.id, task_digest(task), len(masked), 0, 0, masked, "x")
        assert json.loads(json.dumps(trial.to_json())) == trial.to_json()
        workspace = tmp_path / "workspace"
        build_workspace(task, trial, workspace)
        with make_sandbox() as sandbox:
            sandbox.put(workspace)
            return run_trial(trial, task, sandbox, call_agent, make_sandbox)

    return with_agent


def shell(command: str) -> Callable[[Sandbox], None]:
    def agent(sandbox: Sandbox) -> None:
        sandbox.run(command, time_limit_sec=30)

    return agent


WRITE_MEAN = (
    "sed -i 's|raise NotImplementedError|return sum(values) / len(values)|' "
    "code/toystats/moments.py"
)


def test_right_code_passes_in_visible_and_hidden_experiments(run: RunAgent) -> None:
    result, artifacts = run(shell(WRITE_MEAN), MEAN)
    assert result.passed
    assert [(e.name, e.hidden) for e in result.experiments] == [
        ("moments", False),
        ("moments-reseeded", True),
    ]
    assert list(artifacts.files) == ["toystats/moments.py"]


def test_numbers_of_the_visible_seed_written_down_fail_in_the_hidden_one(run: RunAgent) -> None:
    body = "return 0.43165861554868384"
    result, _ = run(shell(WRITE_MEAN.replace("return sum(values) / len(values)", body)), MEAN)
    assert [e.ok for e in result.experiments] == [True, False]
    assert not result.passed


@pytest.mark.parametrize(
    ("report", "matches"),
    [
        (None, None),
        (RIGHT, True),
        ({"moments": {"mean": 0.43, "variance": 0.086}}, True),
        ({"moments": {"mean": 0.5, "variance": 0.086}}, False),
        ({"moments": {"mean": 0.43}}, False),
        ({"moments": 3}, False),
        ({"other": {}}, False),
    ],
)
def test_what_is_reported_is_compared_and_decides_nothing(
    run: RunAgent, report: object, matches: bool | None
) -> None:
    command = "true" if report is None else f"echo '{json.dumps(report)}' > report.json"
    result, _ = run(shell(command), MEAN)
    assert result.reported_matches is matches
    assert not result.passed


def test_a_report_that_nobody_asked_for_is_not_compared(task: Task, run: RunAgent) -> None:
    hidden = replace(task, experiments=tuple(e for e in task.experiments if e.hidden))
    result, artifacts = run(lambda sandbox: AgentResult(reported=RIGHT), MEAN, task=hidden)
    assert (result.reported_matches, artifacts.report is not None) == (None, True)


def test_a_report_may_come_with_the_result(run: RunAgent) -> None:
    result, _ = run(lambda sandbox: AgentResult(reported=RIGHT), MEAN)
    assert (result.reported_matches, result.passed) == (True, False)


def test_what_was_reported_is_kept_as_json_whatever_it_was(run: RunAgent) -> None:
    numbers = {"a": np.float32(0.5), "b": np.arange(2), "c": math.nan, 1: {2}, ("x",): 3}

    def agent(sandbox: Sandbox) -> AgentResult:
        sandbox.run('echo \'{"a": 1, "d": 4}\' > report.json', time_limit_sec=30)
        return AgentResult(reported=numbers)  # type: ignore[arg-type]  # foreign code

    report = run(agent, MEAN)[1].report
    assert report is not None
    assert json.loads(report) == {"a": 0.5, "b": [0, 1], "c": "NaN", "1": "{2}", "d": 4}


def test_a_report_that_json_cannot_tell_is_none(run: RunAgent) -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    assert run(lambda sandbox: AgentResult(reported=endless), MEAN)[1].report is None


def test_nothing_reported_is_no_report(run: RunAgent) -> None:
    assert run(shell("true"), MEAN)[1].report is None


def test_n_0_needs_nothing_done_and_runs_every_experiment(run: RunAgent) -> None:
    result, _ = run(lambda sandbox: None)
    assert result.passed
    assert len(result.experiments) == 3


def test_what_the_agent_changed_elsewhere_has_no_effect(run: RunAgent) -> None:
    commands = [
        "cd code",
        # The experiment script, another function, a module that shadows, a start-up hook.
        'echo \'import json, os; open(os.environ["AUTOEXP_METRICS"], "w")\' > main.py',
        "sed -i 's/len(values) - 1/len(values)/' toystats/moments.py",
        "echo 'def random(): return 1' > random.py",
        "echo 'import os; os._exit(0)' > sitecustomize.py",
        WRITE_MEAN.replace("code/", ""),
    ]
    result, artifacts = run(shell("; ".join(commands)), MEAN)
    assert result.passed
    dropped = "\n".join(result.dropped)
    for part in ("main.py: changed", "variance", "random.py: shadows", "sitecustomize.py: a name"):
        assert part in dropped
    assert list(artifacts.files) == ["toystats/moments.py"]


def test_a_process_that_outlives_the_agent_changes_nothing(run: RunAgent) -> None:
    late = "(setsid sh -c 'sleep 1; echo junk > code/toystats/moments.py' >/dev/null 2>&1 &)"
    result, _ = run(shell(f"{WRITE_MEAN}; {late}"), MEAN)
    assert result.passed


def test_the_agents_transcript_is_kept_only_from_its_workspace(run: RunAgent) -> None:
    def agent(sandbox: Sandbox) -> AgentResult:
        sandbox.run("echo step > t.jsonl", time_limit_sec=30)
        return AgentResult(transcript="t.jsonl")

    assert run(agent, MEAN)[1].transcript == b"step\n"


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../etc/passwd", "missing", "code"])
def test_a_transcript_elsewhere_is_none(run: RunAgent, path: str) -> None:
    assert run(lambda sandbox: AgentResult(transcript=path), MEAN)[1].transcript is None


class Exhausted(NoneSandbox):
    """One that has no memory left as soon as something was run in it."""

    def run(self, command: str, **arguments: Any) -> CommandResult:
        if "main.py" in command:
            raise SandboxExhaustedError("the sandbox is out of memory")
        return super().run(command, **arguments)

    def get(self, dest: Path, path: str = "", leave: Leave = take_all) -> tuple[str, ...]:
        raise SandboxExhaustedError("the sandbox is out of memory")


def test_commands_that_use_up_their_sandbox_have_failed(task: Task) -> None:
    trial = Trial(task.id, task_digest(task), 1, 0, 0, (MEAN,), "x")
    python = running_python()
    with Exhausted(python) as sandbox:
        agent = shell("python main.py")
        result, _ = run_trial(trial, task, sandbox, agent, lambda: Exhausted(python))
    assert not result.passed
    assert result.agent.exit_status == (
        "crashed: SandboxExhaustedError: the sandbox is out of memory"
    )
    assert result.dropped[-1] == "the whole workspace: the sandbox is out of memory"
    assert {(e.killed_by, e.problem) for e in result.experiments} == {
        ("memory", "the sandbox is out of memory")
    }


def test_what_is_ours_to_blame_is_not_judged(run: RunAgent) -> None:
    def agent(sandbox: Sandbox) -> None:
        raise InfrastructureError("the provider is down")

    with pytest.raises(InfrastructureError, match="the provider is down"):
        run(agent, MEAN)


def test_a_command_that_the_deadline_ends_ends_the_agent_at_its_limit(
    task: Task, tmp_path: Path
) -> None:
    def agent(sandbox: Sandbox) -> None:
        sandbox.run(f"{WRITE_MEAN}; sleep 30", time_limit_sec=60)

    trial = Trial(task.id, "0" * 64, 1, 0, 0, (MEAN,), "x", limits=Limits(time_sec=1.0))
    build_workspace(task, trial, tmp_path / "workspace")
    with make_sandbox() as sandbox:
        sandbox.put(tmp_path / "workspace")
        result, _ = run_trial(trial, task, sandbox, agent, make_sandbox)
    assert result.agent.exit_status == "limit: time"
    assert result.passed


def test_a_command_that_its_own_limit_ends_does_not(run: RunAgent) -> None:
    def agent(sandbox: Sandbox) -> None:
        sandbox.run("sleep 30", time_limit_sec=0.2)

    assert run(agent, MEAN)[0].agent.exit_status == "completed"


def test_the_traceback_of_a_crashed_agent_is_kept(run: RunAgent) -> None:
    def agent(sandbox: Sandbox) -> None:
        raise ValueError("wrong")

    result, _ = run(agent, MEAN)
    assert result.agent.exit_status == "crashed: ValueError: wrong"
    assert f'File "{__file__}"' in result.agent.stderr
    assert 'raise ValueError("wrong")' in result.agent.stderr


def test_a_command_needs_no_limit_of_its_own(run: RunAgent) -> None:
    result, _ = run(lambda sandbox: cast("Any", sandbox).run(WRITE_MEAN) and None, MEAN)
    assert result.passed
