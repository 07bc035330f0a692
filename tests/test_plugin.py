"""What a user of pytest sees: a table of behaviour of the main job."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest

Results = Callable[[], list[dict[str, Any]]]
JUnit = Callable[[], list[Element]]


@pytest.fixture(autouse=True)
def _in_project(project: Path) -> None:
    """Every test here runs in a project with the toy task."""


@pytest.fixture(params=["-n0", "-n2"])
def workers(request: pytest.FixtureRequest) -> str:
    """The same behaviour is asked of a plain run and of one under xdist."""
    value: str = request.param
    return value


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run pytest in a process of its own."""
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)


def test_the_oracle_passes_every_case(
    pytester: pytest.Pytester, workers: str, results: Results
) -> None:
    result = run(pytester, "--agent=oracle", "--masks=0-3", "--seeds=all", workers)
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["*agent*n*pass@1*passed*failed*errors*", "oracle*1*100.0%*3*0*0"])
    assert result.ret == pytest.ExitCode.OK
    assert [line["outcome"] for line in results()] == ["passed"] * 8


def test_noop_fails_each_masked_function_and_passes_n_0(
    pytester: pytest.Pytester, workers: str, results: Results
) -> None:
    result = run(pytester, "--agent=noop", "--masks=0,1,all", "--seeds=all", workers)
    result.assert_outcomes(passed=1, failed=4)
    assert sorted((r["trial"]["n"], r["outcome"]) for r in results()) == [
        (0, "passed"),
        (1, "failed"),
        (1, "failed"),
        (1, "failed"),
        (3, "failed"),
    ]


def test_without_agent_the_projects_own_tests_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_own="def test_own(): pass")
    result = run(pytester, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*task.yaml*")


def test_with_agent_the_task_folder_runs_and_nothing_else(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_own="def test_own(): assert False")
    pytester.makepyfile(**{"tasks/toy/code/test_inside": "def test_inside(): assert False"})
    run(pytester, "--agent=oracle").assert_outcomes(passed=1)


def test_a_path_chooses_what_runs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_own="def test_own(): pass")
    run(pytester, "--agent=oracle", "test_own.py", "tasks").assert_outcomes(passed=2)
    run(pytester, "--agent=oracle", "tasks/toy/task.yaml").assert_outcomes(passed=1)
    node = "tasks/toy/task.yaml::test_reproduces[n=2-seed=1]"
    args = ["--agent=oracle", "--masks=1-2", "--seeds=all", node]
    run(pytester, *args).assert_outcomes(passed=1)


def test_collect_only_lists_stable_ids_and_runs_nothing(
    pytester: pytest.Pytester, project: Path
) -> None:
    args = ["--agent=oracle", "--masks=0-1", "--seeds=0-1", "--attempts=2", "--collect-only", "-q"]
    result = run(pytester, *args)
    assert [line for line in result.outlines if "::" in line] == [
        f"tasks/toy/task.yaml::test_reproduces[n={n}-seed={seed}-attempt={attempt}]"
        for n, seed in [(0, 0), (1, 0), (1, 1)]
        for attempt in (0, 1)
    ]
    assert not (project / "autoexp-results").exists()


def test_selection_by_keyword_and_marker(pytester: pytest.Pytester) -> None:
    args = ["--agent=oracle", "--masks=0-2", "--seeds=all"]
    run(pytester, *args, "-m", "autoexp(n=0)").assert_outcomes(passed=1, deselected=6)
    run(pytester, *args, "-k", "nothing").assert_outcomes(deselected=7)


def test_last_failed_runs_the_failures_again(pytester: pytest.Pytester) -> None:
    args = ["--agent=noop", "--masks=0-1", "--seeds=all"]
    pytester.runpytest_subprocess(*args).assert_outcomes(passed=1, failed=3)
    again = pytester.runpytest_subprocess(*args, "--lf")
    again.assert_outcomes(failed=3)


def test_exitfirst_stops_after_one_failure(pytester: pytest.Pytester) -> None:
    args = ["--agent=noop", "--masks=1", "--seeds=all", "-x"]
    run(pytester, *args).assert_outcomes(failed=1)


def test_junit_tells_failures_from_errors_and_carries_the_properties(
    pytester: pytest.Pytester, workers: str, junit: JUnit
) -> None:
    pytester.makeconftest(
        """
        from pytest_autoexp import InfrastructureError

        def pytest_autoexp_run_agent(agent, trial, sandbox):
            if trial.seed == 1:
                raise InfrastructureError("the model provider is down")
        """
    )
    args = ["--agent=noop", "--masks=1", "--seeds=0-1", "--junitxml=out.xml", workers]
    run(pytester, *args).assert_outcomes(failed=1, errors=1)
    failed, error = sorted(junit(), key=lambda case: case.attrib["name"])
    assert failed.find("failure") is not None
    assert failed.find("error") is None
    assert error.find("failure") is None
    assert "the model provider is down" in error.find("error").attrib["message"]  # type: ignore[union-attr]
    properties = {p.attrib["name"]: p.attrib["value"] for p in failed.iter("property")}
    assert properties["autoexp.task"] == "toy"
    assert properties["autoexp.n"] == "1"
    assert properties["autoexp.seed"] == "0"
    assert properties["autoexp.attempt"] == "0"
    assert properties["autoexp.masked"].startswith("toystats/")
    assert properties["autoexp.agent"] == "noop"
    assert properties["autoexp.sandbox"] == "none"
    assert properties["autoexp.exit_status"] == "completed"
    assert float(properties["autoexp.verify_sec"]) > 0
    assert any(name.endswith(".expected") for name in properties)
    assert {v for name, v in properties.items() if name.endswith(".ok")} == {"false"}


def test_a_failure_shows_the_metric_table_and_no_traceback_of_ours(
    pytester: pytest.Pytester,
) -> None:
    result = run(pytester, "--agent=noop", "--masks=all")
    result.stdout.fnmatch_lines(
        [
            "*3 of 3 experiments not reproduced (agent noop: completed)",
            "masked: toystats/moments.py::mean",
            "moments: exit status 1, * s",
            "  metric *expected *measured *rel. error *verdict",
            "  mean * 0.431659 * - * - *not measured",
            "  last lines of stderr:",
            "*NotImplementedError*",
            "moments-reseeded (hidden): exit status 1, * s",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_autoexp/*.py*")


def test_the_header_says_what_runs_where(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--agent=oracle", "--masks=1,7", "--seeds=0-9")
    result.stdout.fnmatch_lines(
        [
            "autoexp: agent oracle, sandbox none (plain processes: *no isolation)",
            "autoexp: masks 1,7, seeds 0-9, attempts 1, results in autoexp-results",
            "autoexp: toy: 1 value of --masks=1,7 not collected: the task has 3 functions",
            "autoexp: toy: n=1: 7 seeds of --seeds=0-9 not collected: there are 3 combinations",
        ]
    )
    result.assert_outcomes(passed=3)


def test_nothing_to_collect_is_said_and_no_pass(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--agent=oracle", "--masks=7")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["*--masks=7 not collected: the task has 3 functions"])


def test_results_carry_all_of_a_trial(pytester: pytest.Pytester, results: Results) -> None:
    run(pytester, "--agent=oracle", "--masks=2", "-o", "autoexp_step_limit=7")
    [line] = results()
    assert line["schema"] == 1
    assert line["outcome"] == "passed"
    assert line["trial"]["task_id"] == "toy"
    assert len(line["trial"]["task_digest"]) == 64
    assert len(line["trial"]["masked"]) == 2
    assert line["trial"]["limits"] == {"time_sec": 1800.0, "steps": 7, "cost_usd": 1.0}
    assert {e["name"] for e in line["experiments"]} >= {"moments", "moments-reseeded"}
    assert all(m["ok"] for e in line["experiments"] for m in e["metrics"])


def test_artifacts_hold_diff_logs_and_the_files_that_counted(
    pytester: pytest.Pytester, project: Path, results: Results
) -> None:
    run(pytester, "--agent=oracle", "--masks=all")
    folder = project / "autoexp-results" / results()[0]["artifacts"]
    assert "+    return total / len(values)" in (folder / "agent.diff").read_text()
    assert "levels" in (folder / "experiments" / "smooth.stdout.log").read_text()
    solution = folder / "solution" / "toystats" / "moments.py"
    assert solution.read_bytes() == (project / "tasks/toy/code/toystats/moments.py").read_bytes()


def test_two_runs_append_to_one_results_file(pytester: pytest.Pytester, results: Results) -> None:
    for _ in range(2):
        run(pytester, "--agent=oracle")
    first, second = results()
    assert first["run"] != second["run"]
    assert first["artifacts"] != second["artifacts"]


def test_fixtures_may_be_overridden_and_hooks_implemented(
    pytester: pytest.Pytester, project: Path
) -> None:
    pytester.makeconftest(
        """
        import pytest
        from pytest_autoexp import AgentResult, Usage
        from pytest_autoexp.sandbox.host.none import NoneSandbox
        from pytest_autoexp.sandbox.host.requirements import running_python

        class Mine:
            def run(self, trial, sandbox):
                assert sandbox.read("instructions.md", 100_000)
                return AgentResult(usage=Usage(steps=3, cost_usd=0.25))

        @pytest.fixture
        def agent():
            return Mine()

        def pytest_autoexp_make_sandbox(kind, trial):
            if kind == "cluster":
                return NoneSandbox(running_python())

        def pytest_autoexp_trial_finished(trial, result):
            with open("finished", "a") as file:
                file.write(f"{trial.id} {result.passed} {result.agent.usage.cost_usd}")
        """
    )
    args = ["--agent=noop", "--masks=0", "--sandbox=cluster", "--junitxml=out.xml"]
    result = run(pytester, *args)
    result.assert_outcomes(passed=1)
    assert (project / "finished").read_text() == "toy-n=0-seed=0-attempt=0 True 0.25"
    assert 'name="autoexp.cost_usd" value="0.25"' in (project / "out.xml").read_text()


def test_pass_at_1_averages_over_cases_and_leaves_errors_out(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        from pytest_autoexp import AgentResult, InfrastructureError

        def pytest_autoexp_run_agent(agent, trial, sandbox):
            if trial.attempt == 1:
                raise InfrastructureError("the model provider is down")
            if trial.n == 1 and trial.attempt == 0:
                return AgentResult()
        """
    )
    args = ["--agent=oracle", "--masks=0,1", "--attempts=3"]
    result = run(pytester, *args)
    result.assert_outcomes(passed=3, failed=1, errors=2)
    result.stdout.fnmatch_lines(["oracle  0  100.0%*2*0*1", "oracle  1*50.0%*1*1*1"])


def test_an_unrelated_run_imports_nothing_heavy() -> None:
    code = (
        "import sys; import pytest; before = set(sys.modules); import pytest_autoexp.plugin; "
        "print(sorted(m for m in set(sys.modules) - before if m[0] != '_'))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    ours = {"", ".hookspecs", ".model", ".plugin"}
    ours |= {f".model.{name}" for name in ("errors", "result", "task", "trial")}
    assert set(ast.literal_eval(out)) == {f"pytest_autoexp{name}" for name in ours}


def test_collection_imports_neither_docker_nor_libcst(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import sys

        def pytest_collection_finish(session):
            heavy = {"docker", "libcst"} & set(sys.modules)
            print("heavy:", sorted(heavy))
        """
    )
    result = run(pytester, "--agent=oracle", "--collect-only", "-s")
    result.stdout.fnmatch_lines(["heavy: []*"])
