"""One trial, start to end.  Read :func:`run_trial` top-down: it is the protocol.

A trial is a function of its JSON-able description, the task and a way to get sandboxes;
pytest's fixtures only carry these here.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_autoexp.experiments import run_experiment, told
from pytest_autoexp.first_run import FirstRun
from pytest_autoexp.limits import NOTHING, LimitedSandbox, time_limit
from pytest_autoexp.model.errors import (
    InfrastructureError,
    LimitReached,
    SandboxExhaustedError,
)
from pytest_autoexp.model.result import (
    AgentResult,
    Artifacts,
    ExperimentResult,
    TrialResult,
    cleaned,
)
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import CODE_DIR, REPORT_FILE, Trial
from pytest_autoexp.progress import Progress
from pytest_autoexp.reported import Reported, read_report
from pytest_autoexp.sandbox.folder import PrivateFolder
from pytest_autoexp.sandbox.protocol import Sandbox
from pytest_autoexp.solution import (
    MAX_SOURCE_BYTES,
    Solution,
    missing,
    of_no_use,
    read_solution,
    without_shadowing,
)
from pytest_autoexp.text import printable
from pytest_autoexp.trajectory import Trajectory
from pytest_autoexp.workspace import write_masked_code

if TYPE_CHECKING:
    from pytest_autoexp.gateway.gateway import Gateway

MAX_TRANSCRIPT_BYTES = 64 * 1024**2
"""How much of an agent's record is kept."""

LEFT_DIR = "left"
"""Holds the workspace as the agent left it, in a trial's own folder."""

MAX_DROPPED = 200
"""How many of the changes that do not count are kept."""

OVERTIME_SEC = 5.0
"""How long after its time limit an agent may come back and still say how it ended."""

CallAgent = Callable[[Sandbox], AgentResult | None]
MakeSandbox = Callable[[], Sandbox]


def run_trial(  # noqa: PLR0913 - all that a trial is made of
    trial: Trial,
    task: Task,
    sandbox: Sandbox,
    call_agent: CallAgent,
    make_sandbox: MakeSandbox,
    gateway: Gateway | None = None,
    trajectory: Trajectory | None = None,
    progress: Progress | None = None,
) -> tuple[TrialResult, Artifacts]:
    """Let an agent work, then verify what it wrote.

    Args:
        trial: What is asked.
        task: The task, with the expected values.
        sandbox: The agent's sandbox, with the workspace in place; closed when the agent
            has ended.
        call_agent: Runs the agent in the sandbox that it is given.
        make_sandbox: Makes a fresh, empty sandbox for verification.
        gateway: What the agent reaches models through; ended with the agent.
        trajectory: Where it is kept what the agent does; ended with the agent.
        progress: Is told what is done at the moment.

    Returns:
        The result, and what is to be kept beside it.

    Raises:
        InfrastructureError: If something on our side breaks; the trial is not judged.
    """
    with PrivateFolder() as folder:
        left = folder / LEFT_DIR
        environment = gateway.variables if gateway else NOTHING
        trajectory, progress = trajectory or Trajectory(), progress or Progress()
        progress.phase("agent", trial.limits.time_sec)
        seen = FirstRun(e.command for e in task.relevant_experiments(trial.masked) if not e.hidden)
        agent, agent_sec = _run_agent(trial, sandbox, call_agent, environment, trajectory, seen)
        agent = gateway.settle(agent) if gateway else agent
        trajectory.end(agent, agent_sec)
        progress.phase("grafting")
        stayed = _take_out(sandbox, left, task, trial, agent)
        refused = sandbox.refused()
        sandbox.close()

        reported = read_report(left, agent.reported)
        solution, experiments, verify_sec = _verify(
            trial, task, folder, make_sandbox, progress, reported, whole=not stayed
        )
        result = TrialResult(
            agent=agent,
            experiments=experiments,
            dropped=_listed(solution.dropped) + _listed(stayed),
            reported_matches=reported.matches(task, trial),
            agent_sec=agent_sec,
            verify_sec=verify_sec,
            diff=solution.diff,
            first_run_crashed=seen.crashed,
        )
        artifacts = Artifacts(
            files=dict(solution.files),
            transcript=_transcript(agent, left),
            report=reported.text(),
            refused=refused,
        )
        return result, artifacts


def verify_again(
    trial: Trial,
    task: Task,
    before: TrialResult,
    kept: Artifacts,
    make_sandbox: MakeSandbox,
    progress: Progress | None = None,
) -> tuple[TrialResult, Artifacts]:
    """Verify what was kept of an agent's work, as the work itself is.

    What was kept goes through the same filter once more: the task may have changed.

    Args:
        trial: What is asked now, of the functions that were masked then.
        task: The task as it is now.
        before: The earlier result; what it says of the agent stays.
        kept: What was kept beside it: the files that counted, and the report.
        make_sandbox: Makes a fresh, empty sandbox for verification.
        progress: Is told what is done at the moment.

    Returns:
        The new result, and what is to be kept beside it.

    Raises:
        InfrastructureError: If it cannot be verified.
    """
    known = {function.target for function in task.functions}
    if gone := [target for target in trial.masked if target not in known]:
        raise InfrastructureError(
            f"{', '.join(gone)}: task {task.id} has no such function any more, so that the kept"
            " solution cannot be verified: let the agent work again"
        )
    with PrivateFolder() as folder:
        left = folder / LEFT_DIR
        write_masked_code(task, trial.masked, left / CODE_DIR)
        try:
            _apply(kept.files, left / CODE_DIR)
            if kept.report is not None:
                left.joinpath(REPORT_FILE).write_text(kept.report, encoding="utf-8")
        except OSError as exc:  # a folder has become a file, say
            raise InfrastructureError(
                f"the kept solution does not fit into the code of task {task.id} any more"
                f" ({exc}): let the agent work again"
            ) from exc
        reported = read_report(left, {})
        solution, experiments, verify_sec = _verify(
            trial, task, folder, make_sandbox, progress or Progress(), reported
        )
        result = replace(
            before,
            experiments=experiments,
            dropped=_listed((*before.dropped, *solution.dropped)),
            reported_matches=reported.matches(task, trial),
            verify_sec=verify_sec,
        )
        return result, Artifacts(dict(solution.files), report=reported.text())


def _verify(  # noqa: PLR0913 - private, and called twice
    trial: Trial,
    task: Task,
    folder: Path,
    make_sandbox: MakeSandbox,
    progress: Progress,
    reported: Reported,
    *,
    whole: bool = True,
) -> tuple[Solution, tuple[ExperimentResult, ...], float]:
    """Graft what counts of what was left into pristine code and run the experiments on that.

    Returns:
        What counted, the experiments' results, and the seconds in the sandbox.
    """
    verified = folder / "verified"
    pristine = verified / CODE_DIR
    write_masked_code(task, trial.masked, pristine)
    solution = read_solution(task, trial.masked, pristine, folder / LEFT_DIR, whole=whole)

    started = time.monotonic()
    progress.phase("making the sandbox")
    with make_sandbox() as fresh:
        solution = without_shadowing(solution, pristine, fresh)
        _apply(solution.files, pristine)
        experiments = tuple(
            run_experiment(
                experiment,
                verified,
                fresh,
                trial.default_rtol,
                reported.answer(experiment.name),
            )
            for experiment in told(task.relevant_experiments(trial.masked), progress)
        )
    return solution, experiments, time.monotonic() - started


def _run_agent(
    trial: Trial,
    sandbox: Sandbox,
    call_agent: CallAgent,
    environment: Mapping[str, str],
    trajectory: Trajectory,
    seen: FirstRun,
) -> tuple[AgentResult, float]:
    """Run the agent under its limits; a limit or a crash of its own ends it, no more."""
    started = time.monotonic()
    try:
        with time_limit(trial.limits.time_sec) as deadline:
            limited = LimitedSandbox(sandbox, deadline, environment, trajectory, seen)
            agent = call_agent(limited) or AgentResult()
            if limited.out_of_time and getattr(agent, "exit_status", "") == "completed":
                agent = replace(agent, exit_status="limit: time")
    except LimitReached as exc:
        agent = AgentResult(exit_status=str(exc))
    except (InfrastructureError, KeyboardInterrupt):
        raise
    except BaseException as exc:  # noqa: BLE001 - foreign code: also CancelledError, pytest.skip
        agent = AgentResult(f"crashed: {_described(exc)}", stderr=_traceback(exc))
    if not isinstance(agent, AgentResult):
        raise InfrastructureError(
            f"agent {trial.agent} returned {type(agent).__name__}; allowed: an AgentResult or None"
        )
    agent_sec = time.monotonic() - started
    if agent_sec > trial.limits.time_sec + OVERTIME_SEC:  # it swallowed LimitReached
        agent = replace(agent, exit_status="limit: time")
    return cleaned(agent), agent_sec


def _described(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {printable(str(error))}"
    except Exception:  # noqa: BLE001 - foreign code: its __str__ may raise anything
        return type(error).__name__


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - as above
        return ""


def _listed(dropped: tuple[str, ...]) -> tuple[str, ...]:
    """The lines, one for each change, safe to print, and not more than anybody reads."""
    lines = tuple(printable(line).replace("\n", "\\n") for line in dropped[:MAX_DROPPED])
    if more := len(dropped) - len(lines):
        lines += (f"... and {more} more",)
    return lines


def _apply(files: Mapping[str, bytes], code: Path) -> None:
    for path, source in files.items():
        file = code / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(source)


def _take_out(
    sandbox: Sandbox, left: Path, task: Task, trial: Trial, agent: AgentResult
) -> tuple[str, ...]:
    """Copy what the agent leaves to ``left``; lines for what stays behind."""
    try:
        stayed = sandbox.get(left, leave=of_no_use(task, agent.transcript))
        for path in missing(task, trial.masked, left) if stayed else ():
            # What it was asked for must not be lost to a tree that is too large as a whole.
            content = sandbox.read(path, MAX_SOURCE_BYTES)
            if content is not None and len(content) <= MAX_SOURCE_BYTES:
                _apply({path: content}, left)
    except SandboxExhaustedError as exc:  # it has only itself to blame
        left.mkdir(exist_ok=True)
        return (f"the whole workspace: {exc}",)
    return stayed


def _transcript(agent: AgentResult, left: Path) -> bytes | None:
    """The agent's record, if it names a file of the workspace."""
    if agent.transcript is None:
        return None
    try:
        file = (left / agent.transcript).resolve()
        if not file.is_relative_to(left.resolve()) or not file.is_file():
            return None
        with file.open("rb") as stream:
            return stream.read(MAX_TRANSCRIPT_BYTES)
    except (OSError, ValueError):  # no such path can be
        return None
