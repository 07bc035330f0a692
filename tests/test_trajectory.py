"""The trajectory: what it holds, of every agent, and what becomes of it when something breaks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_autoexp import trajectory as module
from pytest_autoexp.limits import LimitedSandbox
from pytest_autoexp.model.errors import InfrastructureError, LimitReached
from pytest_autoexp.model.result import AgentResult, Usage
from pytest_autoexp.sandbox.host.none import NoneSandbox
from pytest_autoexp.sandbox.host.requirements import running_python
from pytest_autoexp.trajectory import MAX_TEXT_CHARS, Trajectory, new_line

Results = Callable[[], list[dict[str, Any]]]
BASE = ["time", "step", "kind", "content", "tokens_in", "tokens_out", "cost_usd"]
FULL = Path("/dev/full")
"""A device on which no space is left."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a" / "trajectory.jsonl"


@pytest.fixture
def kept(file: Path) -> Iterator[Trajectory]:
    with closing(Trajectory(file)) as made:
        yield made


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_all_that_an_agent_does_in_its_sandbox_is_a_line(
    kept: Trajectory, file: Path, tmp_path: Path
) -> None:
    with NoneSandbox(running_python()) as sandbox:
        limited = LimitedSandbox(sandbox, time.monotonic() + 60, trajectory=kept)
        source = tmp_path / "source"
        source.mkdir()
        limited.put(source, "code")
        limited.run("echo out; echo err >&2; exit 3", time_limit_sec=30, cwd="code")
        kept.step = 2
        limited.read(Path("missing"), 10)  # type: ignore[arg-type]  # not all agents are checked
        limited.get(tmp_path / "dest", "code")
    kept.end(AgentResult("done", usage=Usage(2, 3, 4, 0.5)), 1.5)
    lines = read(file)
    assert all(list(line)[: len(BASE)] == BASE for line in lines)
    assert all(datetime.fromisoformat(line["time"]).utcoffset() is not None for line in lines)
    assert [(line["step"], line["kind"], line["content"]) for line in lines] == [
        (0, "put", "code"),
        (0, "command", "echo out; echo err >&2; exit 3"),
        (2, "read", "missing"),
        (2, "get", "code"),
        (2, "end", "done"),
    ]
    command, end = lines[1], lines[-1]
    assert command.pop("seconds") >= 0
    assert {key: value for key, value in command.items() if key not in BASE} == {
        "cwd": "code",
        "exit_code": 3,
        "killed_by": None,
        "stdout": "out\n",
        "stderr": "err\n",
        "cut": False,
    }
    assert (end["tokens_in"], end["tokens_out"], end["cost_usd"]) == (3, 4, 0.5)
    assert (end["steps"], end["seconds"], end["left_out"]) == (2, 1.5, 0)


def test_what_raises_is_a_line_too(kept: Trajectory, file: Path) -> None:
    with pytest.raises(LimitReached), kept.line("command", "sleep 60"):
        raise LimitReached("time")
    assert read(file)[0]["problem"] == "LimitReached: limit: time"


def test_long_texts_are_cut_and_the_line_says_so(kept: Trajectory, file: Path) -> None:
    text = "a" * MAX_TEXT_CHARS + "bcd"
    with kept.line("command", text) as line:
        line["stdout"] = text
    [line] = read(file)
    assert line["cut"] is True
    assert line["stdout"] == line["content"]
    assert line["stdout"].endswith("abcd")
    assert "\n[... 3 characters cut out ...]\n" in line["stdout"]
    assert len(line["stdout"]) < MAX_TEXT_CHARS + 100


def test_a_key_at_the_cut_is_blotted_whole(file: Path) -> None:
    key = "sk-planted-0123456789abcdef"
    kept = Trajectory(file, lambda text: text.replace(key, "[key]"))
    half = MAX_TEXT_CHARS // 2
    with kept.line("command", "x" * (half - 10) + key + "x" * half):
        pass
    kept.end(AgentResult(exit_status=f"crashed: {key}"), 0)
    assert "sk-" not in file.read_text()
    assert read(file)[-1]["content"] == "crashed: [key]"


def test_past_its_size_only_model_calls_and_the_end_are_kept(
    kept: Trajectory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 1000)
    for number in range(100):
        with kept.line("command", str(number)):
            pass
    kept.add(json.dumps(new_line("model", 1, "hello")) + "\n", time.monotonic())
    kept.end(AgentResult(), 0)
    *commands, model, end = read(file)
    assert [line["content"] for line in commands] == [str(i) for i in range(len(commands))]
    assert 1000 <= sum(len(json.dumps(line)) for line in commands) < 2000
    assert (model["kind"], end["left_out"]) == ("model", 100 - len(commands))


def test_lines_of_two_threads_stay_whole_and_are_put_in_the_order_of_time(
    kept: Trajectory, file: Path
) -> None:

    def calls() -> None:
        for number in range(200):
            began = time.monotonic()
            kept.add(json.dumps(new_line("model", number, "m" * 20_000)) + "\n", began)

    thread = threading.Thread(target=calls)
    with kept.line("command", "the first to begin, the last to end"):
        thread.start()
        for number in range(200):
            with kept.line("command", f"{number}"):
                pass
        thread.join()
    kept.end(AgentResult(), 0)
    lines = read(file)
    assert len(lines) == 402
    assert lines[0]["content"] == "the first to begin, the last to end"
    assert lines[-1]["kind"] == "end"
    for kind in ("command", "model"):
        times = [line["time"] for line in lines if line["kind"] == kind]
        assert times == sorted(times)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_odd_characters_stay_json(kept: Trajectory, file: Path) -> None:
    with kept.line("command", "line\nbreak \x1b[31m \x00 \u2028 \r \udc80 é"):
        pass
    kept.close()
    assert read(file)[0]["content"] == "line\nbreak \x1b[31m \x00 \u2028 \r \udc80 é"


def test_what_comes_after_the_end_is_no_part_of_it(kept: Trajectory, file: Path) -> None:
    kept.end(AgentResult(), 0)
    with kept.line("command", "late"):
        pass
    kept.add("late\n", 0.0)
    kept.close()
    assert [line["kind"] for line in read(file)] == ["end"]


def test_a_disk_that_is_full_is_told_when_it_happens_and_at_the_end() -> None:
    kept = Trajectory(FULL)
    told = "the trajectory cannot be written to /dev/full: No space left on device"
    with pytest.raises(InfrastructureError, match=told), kept.line("command", "true"):
        pass
    with pytest.raises(InfrastructureError, match=told):
        kept.end(AgentResult(), 0)
    kept.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(InfrastructureError, match=r"a/b/t\.jsonl: Not a directory"):
        Trajectory(tmp_path / "a" / "b" / "t.jsonl")


AGENTS = """
import os
from pytest_autoexp import AgentResult, InfrastructureError, Usage

def works(trial, sandbox):
    sandbox.run("echo hello", time_limit_sec=30)
    return AgentResult(usage=Usage(steps=7, cost_usd=0.25), reported={"e": {"m": float("nan")}})

def breaks(trial, sandbox):
    works(trial, sandbox)
    raise InfrastructureError("the provider is down")

def dies(trial, sandbox):
    works(trial, sandbox)
    os._exit(1)

def swallows(trial, sandbox):
    try:
        works(trial, sandbox)
    except Exception:
        pass
"""


@pytest.fixture
def run(pytester: pytest.Pytester, project: Path) -> Callable[..., pytest.RunResult]:
    """Run one of the agents above on one case."""
    (project / "my_agents.py").write_text(AGENTS)

    def started(agent: str, *args: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(f"--agent={agent}", "-p", "no:cacheprovider", *args)

    return started


def trajectory_of(project: Path, line: dict[str, Any]) -> list[dict[str, Any]]:
    return read(project / "autoexp-results" / line["artifacts"] / "trajectory.jsonl")


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_an_agent_without_models_has_one_and_its_report_is_kept(
    run: Callable[..., pytest.RunResult], project: Path, results: Results, workers: str
) -> None:
    run("my_agents:works", workers).assert_outcomes(failed=1)
    [line] = results()
    command, end = trajectory_of(project, line)
    assert (command["kind"], command["stdout"]) == ("command", "hello\n")
    assert (end["content"], end["steps"], end["cost_usd"]) == ("completed", 7, 0.25)
    report = project / "autoexp-results" / line["artifacts"] / "report.json"
    assert json.loads(report.read_text()) == {"e": {"m": "NaN"}}


def test_noop_has_an_end_alone_and_no_report(
    run: Callable[..., pytest.RunResult], project: Path, results: Results
) -> None:
    run("noop").assert_outcomes(failed=1)
    [line] = results()
    assert [entry["kind"] for entry in trajectory_of(project, line)] == ["end"]
    assert not (project / "autoexp-results" / line["artifacts"] / "report.json").exists()


@pytest.mark.parametrize(("agent", "workers"), [("breaks", "-n0"), ("dies", "-n1")])
def test_an_error_keeps_what_was_done_so_far(
    run: Callable[..., pytest.RunResult],
    project: Path,
    results: Results,
    agent: str,
    workers: str,
) -> None:
    run(f"my_agents:{agent}", workers).assert_outcomes(errors=1)
    [line] = results()
    assert line["outcome"] == "error"
    assert [entry["kind"] for entry in trajectory_of(project, line)] == ["command"]


@pytest.mark.parametrize("agent", ["works", "swallows"])
def test_a_trajectory_that_cannot_be_written_is_an_error(
    run: Callable[..., pytest.RunResult], project: Path, results: Results, agent: str
) -> None:
    (project / "conftest.py").write_text(
        "import pytest\n"
        "from pathlib import Path\n"
        "from pytest_autoexp.trajectory import Trajectory\n"
        "@pytest.fixture\n"
        "def trajectory():\n"
        '    return Trajectory(Path("/dev/full"))\n'
    )
    run(f"my_agents:{agent}").assert_outcomes(errors=1)
    [line] = results()
    assert "the trajectory cannot be written to /dev/full: No space left" in line["reason"]
