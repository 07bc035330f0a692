"""Experiments with ``verify: reported``: the command must run, the agent's answer is compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import pytest

from pytest_autoexp.agents.builtin import Noop, Oracle
from pytest_autoexp.checking.bench import Bench
from pytest_autoexp.checking.gold import run_gold
from pytest_autoexp.checking.needed import check_needed
from pytest_autoexp.checking.record import record
from pytest_autoexp.checking.summary import Found, TaskSummary
from pytest_autoexp.experiments import run_experiment
from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.model.result import AgentResult, Artifacts, TrialResult
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import Trial
from pytest_autoexp.report.artifacts import read_kept, write_artifacts
from pytest_autoexp.report.explain import explain
from pytest_autoexp.reported import MAX_REPORT_BYTES, read_report
from pytest_autoexp.run_trial import run_trial, verify_again
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python
from pytest_autoexp.sandbox.protocol import Sandbox
from pytest_autoexp.verify import NoAnswer
from pytest_autoexp.workspace import build_workspace, instructions

STEP = "toystats/smooth.py::Smoother.step"
LEVELS = [0.234, 0.527, 0.569, 0.280, 0.517]
RIGHT = {"smooth": {"levels": LEVELS}}
IDLE = "sed -i 's|raise NotImplementedError|return 0.0|' code/toystats/smooth.py"

Agent = Callable[[Sandbox], AgentResult | None]
Run = Callable[..., tuple[TrialResult, Artifacts]]


def make_reported(folder: Path) -> None:
    """Let the toy's last experiment be judged by what the agent reports; it prints nothing."""
    task, main = folder / "task.yaml", folder / "code" / "main.py"
    task.write_text(
        task.read_text().replace(
            "python main.py smooth 3", "python main.py smooth 3\n    verify: reported"
        )
    )
    main.write_text(main.read_text().replace("    print(line)\n", ""))


@pytest.fixture
def task(toy: Path) -> Task:
    make_reported(toy)
    return load_task(toy / "task.yaml")


def make_sandbox() -> NoneSandbox:
    return NoneSandbox(running_python())


def asked(task: Task, *masked: str) -> Trial:
    return Trial(task.id, "0" * 64, len(masked), 0, 0, masked, "x")


@pytest.fixture
def run(task: Task, tmp_path: Path) -> Run:
    def with_agent(call_agent: Agent, *masked: str) -> tuple[TrialResult, Artifacts]:
        trial = asked(task, *masked)
        build_workspace(task, trial, tmp_path / "workspace")
        with make_sandbox() as sandbox:
            sandbox.put(tmp_path / "workspace")
            return run_trial(trial, task, sandbox, call_agent, make_sandbox)

    return with_agent


def working(command: str, reported: object) -> Agent:
    """An agent that writes a report and runs a command."""

    def agent(sandbox: Sandbox) -> None:
        report = f"echo '{json.dumps(reported)}' > report.json"
        sandbox.run(f"{report}; {command}", time_limit_sec=20)

    return agent


@pytest.mark.parametrize("masked", [(), (STEP,)])
def test_the_oracle_reports_the_expected_values_and_passes(
    run: Run, task: Task, masked: tuple[str, ...]
) -> None:
    trial = asked(task, *masked)
    result, artifacts = run(lambda sandbox: Oracle(task).run(trial, sandbox), *masked)
    assert result.passed
    assert (result.verify, result.reported_matches) == ("reported", True)
    smooth = result.experiments[-1]
    assert (smooth.verify, smooth.checks[0].measured) == ("reported", 0.23449941660)
    assert artifacts.report is not None


def test_noop_reports_nothing_and_fails_and_the_table_says_so(run: Run, task: Task) -> None:
    result, _ = run(lambda sandbox: Noop().run(asked(task), sandbox))
    assert [e.name for e in result.experiments if not e.ok] == ["smooth"]
    text = explain(asked(task), result)
    assert "smooth (judged by what the agent reported): the agent reported nothing of it" in text
    assert "reported  rel. error  verdict" in text


@pytest.mark.parametrize(
    ("answer", "problem", "reasons"),
    [
        (RIGHT["smooth"], "", {""}),
        ({"levels": [0.234, 0.527, 0.569, 0.280, 0.6]}, "", {""}),
        ({"levels": LEVELS[:4]}, "", {"list of 4 numbers where 5 are expected"}),
        ({"other": 1}, "", {"missing"}),
        ({"levels": ["0.234"] * 5}, "", {"is a string, not a number"}),
        (NoAnswer("report.json is no JSON"), "report.json is no JSON", {"not reported"}),
        (
            LEVELS,
            "the agent reported a list where one object of metrics is expected",
            {"not reported"},
        ),
        (None, "the agent reported nothing of it", {"not reported"}),
    ],
)
def test_the_answer_is_compared_as_metrics_are(
    task: Task, answer: object, problem: str, reasons: set[str]
) -> None:
    with make_sandbox() as sandbox:
        result = run_experiment(task.experiments[-1], task.folder, sandbox, 0.05, answer)
    assert (result.problem, {check.reason for check in result.checks}) == (problem, reasons)
    assert result.ok is (answer == RIGHT["smooth"])


def test_right_numbers_without_code_fail_where_the_command_fails(run: Run) -> None:
    result, _ = run(working("true", RIGHT), STEP)
    assert result.reported_matches
    assert not result.passed
    [smooth] = result.experiments
    assert (smooth.problem, smooth.checks[0].reason) == ("exit status 1", "not compared")


@pytest.mark.parametrize(
    ("report", "problem", "reason"),
    [
        ("[1]", "report.json holds a list where one JSON object is expected", "not reported"),
        ('{"smooth": {"levels": [NaN, 0, 0, 0, 0]}}', "", "is nan"),
    ],
)
def test_what_is_wrong_with_a_report_is_told(
    run: Run, report: str, problem: str, reason: str
) -> None:
    def agent(sandbox: Sandbox) -> None:
        sandbox.run(f"{IDLE}; echo '{report}' > report.json", time_limit_sec=20)

    result, artifacts = run(agent, STEP)
    [smooth] = result.experiments
    assert (smooth.problem, smooth.checks[0].reason) == (problem, reason)
    assert "NaN," not in (artifacts.report or "")  # which is no JSON


def test_right_numbers_with_code_that_only_runs_pass_and_are_marked(run: Run) -> None:
    result, _ = run(working(IDLE, RIGHT), STEP)
    assert result.passed
    assert result.verify == "reported"


def test_what_comes_with_the_result_counts_before_the_file(run: Run) -> None:
    def agent(sandbox: Sandbox) -> AgentResult:
        working(IDLE, {"smooth": {"levels": [0] * 5}})(sandbox)
        return AgentResult(reported={"smooth": {"levels": np.array(LEVELS)}})

    assert run(agent, STEP)[0].passed


def test_other_experiments_are_measured_as_ever(run: Run) -> None:
    wrong = {"moments": {"mean": 9.0, "variance": 9.0}} | RIGHT
    result, _ = run(working("true", wrong))
    assert result.passed
    assert [e.verify for e in result.experiments] == ["measured", "measured", "reported"]
    assert result.reported_matches is False


def test_it_is_verified_again_with_the_report_that_was_kept(run: Run, task: Task) -> None:
    trial = asked(task, STEP)
    before, kept = run(working(IDLE, RIGHT), STEP)
    again, artifacts = verify_again(trial, task, before, kept, make_sandbox)
    assert (again.passed, again.verify) == (True, "reported")
    assert artifacts.report == kept.report
    without = Artifacts(kept.files)
    assert not verify_again(trial, task, before, without, make_sandbox)[0].passed


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ("é" * 1_900_000, True),  # 11 MB with every é as \u00e9
        ("\ud800", True),
        ([1] * 2_000_000, True),
        ("é" * 2_200_000, False),
        ([1e15] * 500_000, False),
    ],
    ids=["text", "half-character", "list", "large-text", "large-numbers"],
)
def test_a_large_report_counts_or_does_not_also_when_it_is_verified_again(
    run: Run, task: Task, tmp_path: Path, more: object, counts: bool
) -> None:
    def agent(sandbox: Sandbox) -> AgentResult:
        working(IDLE, {})(sandbox)
        return AgentResult(reported={**RIGHT, "more": more})

    trial = asked(task, STEP)
    before, artifacts = run(agent, STEP)
    folder = tmp_path / write_artifacts(tmp_path, "run", trial, before, artifacts)
    again, once_more = verify_again(trial, task, before, read_kept(folder), make_sandbox)
    assert (before.passed, again.passed) == (counts, counts)
    assert artifacts.report == once_more.report
    assert (artifacts.report is not None) is counts


def test_the_agent_is_told_what_is_judged(task: Task, tmp_path: Path) -> None:
    told = instructions(task, asked(task))
    _, _, smooth = told.partition("### smooth")
    assert told.count("is what is judged") == smooth.count("is what is judged") == 1
    build_workspace(task, asked(task), tmp_path / "workspace")
    listed = json.loads((tmp_path / "workspace" / "experiments.json").read_text())
    assert {e["name"]: e["verify"] for e in listed} == {"moments": "measured", "smooth": "reported"}


GOLD_SEC = {"moments": 1.0, "moments-reseeded": 1.0, "smooth": 1.0}


@pytest.fixture
def bench(task: Task, tmp_path: Path) -> Any:
    with make_sandbox() as sandbox:
        yield Bench(task, tmp_path / "bench", sandbox)


def test_a_check_finds_out_only_whether_it_runs(bench: Bench) -> None:
    gold = run_gold(bench, repeats=1)
    assert gold.problems == ()
    found = Found("toy", "gold", "", (), asdict(gold))
    assert TaskSummary("toy", (found,)).remarks == (
        "toy: of smooth only that the command runs was measured (verify: reported)",
    )
    needed = check_needed(bench, STEP, GOLD_SEC)
    assert (needed.fails_masked, needed.problems) == ("smooth", ())
    assert needed.remarks == (f"{STEP}: matters to smooth only by crashing",)


def test_a_command_that_hides_the_crash_makes_no_function_needed(bench: Bench, task: Task) -> None:
    experiments = [
        replace(e, command=f"{e.command} || true") if e.verify == "reported" else e
        for e in task.experiments
    ]
    bench.task = replace(task, experiments=tuple(experiments))
    assert check_needed(bench, STEP, GOLD_SEC).problems == (
        f"{STEP}: masked alone, it makes no experiment fail",
        f"{STEP}: smooth lists it in depends, but ends without error while it is masked, and with "
        "verify: reported nothing else is measured",
    )


def test_recording_leaves_the_numbers_and_says_so(toy: Path, task: Task) -> None:
    file = toy / "task.yaml"
    before = file.read_text()
    recorded = record(file, {"smooth": {"levels": [1.0] * 5}}, {})
    assert file.read_text() == before
    assert recorded.notes == (
        "smooth: its numbers stay as they are, for nothing is measured (verify: reported)",
    )


def test_it_is_marked_wherever_verdicts_are_shown(
    pytester: pytest.Pytester,
    project: Path,
    results: Callable[[], list[dict[str, Any]]],
    junit: Callable[[], list[Element]],
) -> None:
    make_reported(project / "tasks" / "toy")
    done = pytester.runpytest_subprocess(
        "--agent=oracle", "--seeds=all", "--junitxml=out.xml", "-o", "autoexp_summary=summary.md"
    )
    done.assert_outcomes(passed=3)
    note = "1 of 3 verdicts on numbers that the agent reported"
    done.stdout.fnmatch_lines([f"{note} (verify: reported), which is weaker than measuring them"])
    assert note in (project / "summary.md").read_text()
    found = {tuple(e["verify"] for e in line["experiments"]) for line in results()}
    assert found == {("reported",), ("measured", "measured")}

    def properties(case: Element) -> Mapping[str, str]:
        return {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}

    told = [properties(case)["autoexp.verify"] for case in junit()]
    assert sorted(told) == ["measured", "measured", "reported"]


@pytest.mark.parametrize(
    ("content", "reported", "problem"),
    [
        (b'\xef\xbb\xbf{"moments": {"mean": 1}}', {"moments": {"mean": 1}}, ""),
        (b"[]", {}, "holds a list where one JSON object is expected"),
        (b'{"moments": {"mean": 1, "mean": 2}}', {}, "has the key 'mean' more than once"),
        (b"{", {}, "is no JSON: "),
        (b"\xff", {}, "is no JSON: "),
        (b" " * (MAX_REPORT_BYTES + 1), {}, "is larger than 4096 KiB"),
    ],
)
def test_the_report_is_read_if_it_is_an_object(
    tmp_path: Path, content: bytes, reported: dict[str, object], problem: str
) -> None:
    (tmp_path / "report.json").write_bytes(content)
    found = read_report(tmp_path, {})
    assert found.metrics == reported
    assert found.problem.startswith(problem and f"report.json {problem}")
    assert bool(found.problem) is bool(problem)
