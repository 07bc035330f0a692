"""Runs that something fails or kills: no wrong verdict, none lost, nothing left, and it is said.

Beside these: `test_interrupt.py` and `test_resume.py` have more ways to end a run, and
`test_engine_restart.py` and `test_engine_faults.py` engines that go away.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from provider import KEY, chat, scripted
from webservers import serving

import pytest_autoexp
from pytest_autoexp.report.results import append_line
from pytest_autoexp.sandbox.host.local import bubblewrap_problem

NO_BUBBLEWRAP = pytest.mark.skipif(bubblewrap_problem() is not None, reason="no bubblewrap")
SLEEP = "617.0617"  # by which the processes of these tests are told from others

AGENT = f"""
import os
from pathlib import Path

def waits(trial, sandbox):
    # The first trial is judged; the second waits, unless it is told not to.
    if trial.attempt and not Path("go").exists():
        Path("mark").write_text(str(os.getpid()))
        sandbox.run("setsid sleep {SLEEP} & sleep {SLEEP}", time_limit_sec=600)
"""


def start(project: Path, *arguments: str, temporary: Path | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.Popen(
        command,
        cwd=project,
        env=os.environ | ({"TMPDIR": str(temporary)} if temporary else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def output_of(running: subprocess.Popen[str]) -> str:
    try:
        return running.communicate(timeout=120)[0]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in a minute"
        time.sleep(0.05)


def processes(word: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if word.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


# A disk that is full.


@contextmanager
def mounted(disk: Path, size: str) -> Iterator[Path]:
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("may not mount")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk on which the results of a trial or two have room; more after :func:`grow`."""
    with mounted(tmp_path / "disk", "60k") as disk:
        yield disk


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own for temporary files."""
    with mounted(tmp_path / "tmp", "2M") as disk:
        yield disk


def grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=10M", str(disk)], check=True)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_what_does_not_fit_is_an_error_and_what_was_judged_is_kept(
    project: Path, small_disk: Path, tmp_path: Path
) -> None:
    results, temporary = small_disk / "results", tmp_path / "tmp"
    temporary.mkdir()
    args = ("--agent=oracle", "--masks=0-1", "--seeds=all", f"--results={results}")
    running = start(project, *args, temporary=temporary)
    output = output_of(running)
    assert running.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"{results}: No space left on device" in output
    assert "Traceback" not in output
    judged = [line for line in lines(results) if line["outcome"] == "passed"]
    assert 0 < len(judged) < 4
    assert f"{len(judged)} passed, {4 - len(judged)} errors" in output.splitlines()[-1]
    for line in judged:
        assert (results / line["artifacts"] / "trial.json").read_text()
    assert [*temporary.glob("*autoexp-*")] == []
    grow(small_disk)
    resumed = start(project, *args, "--resume")
    output = output_of(resumed)
    assert f"autoexp: resume: {len(judged)} of 4 trials judged already" in output
    assert resumed.returncode == pytest.ExitCode.OK
    assert Counter(line["outcome"] for line in lines(results))["passed"] == 4


def test_line_that_does_not_fit_harms_no_other(small_disk: Path) -> None:
    written = []
    for number in range(100):  # then those of another process, which are shorter
        with suppress(OSError):
            append_line(small_disk, {"number": number, "text": "x" * (2000 - 20 * number)})
            written.append(number)
    assert 10 < len(written) < 100
    grow(small_disk)
    append_line(small_disk, {"number": -2})
    assert [line["number"] for line in lines(small_disk)] == [*written, -2]


FILLS = """
import os
from pathlib import Path

import pytest

PHASES = ["workspace", "agent", "taking out", "", "verifying"]
FILLER = Path(os.environ["TMPDIR"], "filler")
made = []

def reached(phase, attempt):
    # The disk is full from one phase of each attempt on, by what belongs to somebody else.
    if PHASES[attempt] == phase != "" and not Path("room").exists():
        try:
            with FILLER.open("wb", 0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            pass

def pytest_runtest_setup(item):
    made.clear()
    FILLER.unlink(missing_ok=True)
    reached("workspace", item.callspec.params["attempt"])

@pytest.hookimpl(wrapper=True)
def pytest_autoexp_run_agent(agent, trial, sandbox):
    reached("agent", trial.attempt)
    done = yield
    reached("taking out", trial.attempt)
    return done

@pytest.hookimpl(wrapper=True)
def pytest_autoexp_make_sandbox(kind, trial):
    made.append(trial)
    if len(made) == 2:
        reached("verifying", trial.attempt)
    return (yield)
"""


@pytest.mark.parametrize(
    ("kind", "attempts"),
    [
        pytest.param("local", 5, marks=NO_BUBBLEWRAP),
        pytest.param("docker", 4, marks=pytest.mark.docker),  # its sandboxes take nothing there
    ],
)
def test_full_disk_of_temporary_files_is_an_error_in_each_phase(
    project: Path, temporary: Path, request: pytest.FixtureRequest, kind: str, attempts: int
) -> None:
    (project / "conftest.py").write_text(FILLS)
    args = ["--agent=oracle", f"--attempts={attempts}", f"--sandbox={kind}"]
    if kind == "docker":
        args.append(f"-oautoexp_base_image={request.getfixturevalue('base_image')}")
    running = start(project, *args, temporary=temporary)
    output = output_of(running)
    assert running.returncode == pytest.ExitCode.TESTS_FAILED, output
    assert "Traceback" not in output
    told = lines(project / "autoexp-results")
    outcomes = ["error", "error", "error", "passed", "error"]
    assert [line["outcome"] for line in told] == outcomes[:attempts]
    for reason in (line["reason"] for line in told if line["outcome"] == "error"):
        assert reason.startswith("InfrastructureError: ")
        assert str(temporary) in reason
        assert "No space left on device" in reason
    assert [*temporary.glob("*autoexp-*")] == []

    (project / "room").touch()
    resumed = start(project, *args, "--resume", temporary=temporary)
    output = output_of(resumed)
    assert resumed.returncode == pytest.ExitCode.OK, output
    assert f"autoexp: resume: 1 of {attempts} trials judged already" in output
    assert [*temporary.glob("*autoexp-*")] == []


# Processes that are killed, and users in a hurry.


def kill_worker(running: subprocess.Popen[str], worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def kill_controller(running: subprocess.Popen[str], worker: int) -> None:
    os.kill(running.pid, signal.SIGKILL)


def interrupt_twice(running: subprocess.Popen[str], worker: int) -> None:
    os.killpg(running.pid, signal.SIGINT)
    time.sleep(0.3)
    os.killpg(running.pid, signal.SIGINT)


@NO_BUBBLEWRAP
@pytest.mark.parametrize(
    ("end", "workers", "status", "said"),
    [
        (kill_worker, "-n2", [pytest.ExitCode.TESTS_FAILED], "crashed while running"),
        (kill_controller, "-n2", [-signal.SIGKILL], ""),
        # The second one may come when pytest has told already how it ends.
        (interrupt_twice, "-n0", [pytest.ExitCode.INTERRUPTED, -signal.SIGINT], "Interrupt"),
    ],
)
def test_run_that_is_ended_keeps_what_was_judged(
    project: Path,
    tmp_path: Path,
    end: Callable[[subprocess.Popen[str], int], None],
    workers: str,
    status: list[int],
    said: str,
) -> None:
    (project / "my_agents.py").write_text(AGENT)
    temporary, results, mark = tmp_path / "tmp", project / "autoexp-results", project / "mark"
    temporary.mkdir()
    args = ("--agent=my_agents:waits", "--attempts=2", "-m", "autoexp(n=1)", "--sandbox=local")
    running = start(project, *args, workers, temporary=temporary)
    try:
        wait_for(lambda: mark.exists() and processes(SLEEP) and lines(results))
        end(running, int(mark.read_text()))
        output, _ = running.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode in status, output
    assert said in output
    assert "INTERNALERROR" not in output
    wait_for(lambda: not processes(SLEEP))
    [judged, *errors] = lines(results)
    assert (judged["outcome"], judged["trial"]["attempt"]) == ("failed", 0)
    assert [e["reason"] for e in errors] == ["the worker that ran it died"] * (end is kill_worker)

    (project / "go").touch()
    resumed = start(project, *args, "--resume", temporary=temporary)
    output = output_of(resumed)
    assert "autoexp: resume: 1 of 2 trials judged already" in output
    [again] = lines(results)[1 + len(errors) :]
    assert (again["outcome"], again["trial"]["attempt"]) == ("failed", 1)
    assert not [*temporary.glob("*autoexp-*")]


def test_two_runs_at_once_share_a_results_folder(project: Path, tmp_path: Path) -> None:
    args, temporary = ("--agent=oracle", "--masks=0-1", "--seeds=all"), tmp_path / "tmp"
    temporary.mkdir()
    both = [start(project, *args, temporary=temporary) for _ in range(2)]
    for running in both:
        output = output_of(running)
        assert running.returncode == pytest.ExitCode.OK, output
        assert " 4 passed" in output
        assert "oracle  1  100.0%  43.9-100.0%       3       0       0" in output, "of its own run"
    results = project / "autoexp-results"
    judged = lines(results)
    assert sorted(Counter(line["run"] for line in judged).values()) == [4, 4]
    assert len({line["artifacts"] for line in judged}) == 8
    assert all((results / line["artifacts"] / "trial.json").is_file() for line in judged)
    assert [*temporary.glob("*autoexp-*")] == []


# What agents reach models and the network through.

DIES = """
import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import pytest

def cancel_all(loop):
    for task in asyncio.all_tasks(loop):
        task.cancel()

def end_gateway(gateway):
    while not any(call.tries for call in gateway.ledger.calls):
        time.sleep(0.01)
    gateway._loop.call_soon_threadsafe(cancel_all, gateway._loop)

def is_to_die(trial):
    return trial.attempt == 0 and not Path("go").exists()

@pytest.fixture
def gateway(gateway, trial):
    if gateway and is_to_die(trial):
        threading.Thread(target=end_gateway, args=(gateway,), daemon=True).start()
    return gateway

def pytest_autoexp_run_agent(agent, trial, sandbox):
    parent = f"PPid:\\t{os.getpid()}\\n"
    for folder in Path("/proc").glob("[0-9]*") if is_to_die(trial) else ():
        try:
            is_ours = parent in (folder / "status").read_text()
            if is_ours and b"proxy_process" in (folder / "cmdline").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
        except FileNotFoundError:
            continue
"""
ASKS = """
command: |
  python3 - <<'E'
  import os, urllib.request
  asked = urllib.request.Request("ADDRESS" or os.environ["OPENAI_BASE_URL"] + "/chat/completions")
  if "OPENAI_API_KEY" in os.environ:
      asked.data = b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}'
      asked.add_header("Authorization", "Bearer " + os.environ["OPENAI_API_KEY"])
  print(len(urllib.request.urlopen(asked, timeout=20).read()))
  E
"""


def check_that_only_the_first_attempt_is_lost(
    project: Path, temporary: Path, args: list[str], said: str
) -> None:
    """Of two attempts; the other one, and the first one in another run, get their answer."""
    temporary.mkdir()
    (project / "conftest.py").write_text(DIES)
    args = ["--agent=asks.yaml", "--attempts=2", "-oautoexp_qualify=false", *args]
    running = start(project, *args, temporary=temporary)
    output = output_of(running)
    assert running.returncode == pytest.ExitCode.TESTS_FAILED, output
    assert f"infrastructure error: {said}" in output
    (project / "go").touch()
    resumed = start(project, *args, "--resume", temporary=temporary)
    output = output_of(resumed)
    assert "autoexp: resume: 1 of 2 trials judged already" in output
    results = project / "autoexp-results"
    lost, *judged = lines(results)
    assert lost["outcome"] == "error"
    assert said in lost["reason"]
    assert [line["trial"]["attempt"] for line in judged] == [1, 0]
    for line in judged:
        assert (line["outcome"], line["exit_status"]) == ("failed", "completed")
        answer = (results / line["artifacts"] / "agent.stdout.log").read_text()
        assert int(answer) > 0
    assert [*temporary.glob("*autoexp-*")] == []


@NO_BUBBLEWRAP
def test_gateway_that_dies_is_an_error_of_its_trial_alone(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "asks.yaml").write_text("models: true" + ASKS.replace("ADDRESS", ""))
    with scripted() as provider:
        provider.replies = [replace(chat(), wait_sec=1), chat()]
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
        said = "the model gateway broke: CancelledError"
        temporary = tmp_path / "tmp"
        check_that_only_the_first_attempt_is_lost(project, temporary, ["--sandbox=local"], said)


@pytest.mark.docker
def test_network_proxy_that_is_killed_is_an_error_of_its_trial_alone(
    project: Path, tmp_path: Path, base_image: str
) -> None:
    with serving() as port:
        (project / "asks.yaml").write_text(ASKS.replace("ADDRESS", f"http://localhost:{port}/x"))
        args = ["--sandbox=docker", f"-oautoexp_base_image={base_image}"]
        args.append(f"-oautoexp_network=localhost:{port}")
        said = f"the proxy for ini autoexp_network = localhost:{port} was killed while it was in"
        check_that_only_the_first_attempt_is_lost(project, tmp_path / "tmp", args, said)


# Clocks that jump.

CLOCK = """
import datetime
import os
import time
from pathlib import Path

OFFSET = Path(os.environ["OFFSET_SEC"])
REAL, GETTIME, STRFTIME = time.time, time.clock_gettime, time.strftime

def now():
    return REAL() + float(OFFSET.read_text())

def shifted(function):
    return lambda sec=None: function(now() if sec is None else sec)

class Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(now(), tz)

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.UTC).replace(tzinfo=None)

time.time = now
time.time_ns = lambda: int(now() * 1e9)
time.clock_gettime = lambda clock: now() if clock == time.CLOCK_REALTIME else GETTIME(clock)
time.gmtime, time.localtime, time.ctime = map(shifted, (time.gmtime, time.localtime, time.ctime))
time.strftime = lambda form, at=None: STRFTIME(form, at or time.localtime())
datetime.datetime = Datetime
"""
"""A sitecustomize: the time of day of every Python process is that of the machine and an offset."""

JUMPS = '''
import os
import threading
from pathlib import Path

OFFSET = Path(os.environ["OFFSET_SEC"])
ASK = """
import json, os, urllib.request
asked = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions")
asked.data = b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}'
asked.add_header("Authorization", "Bearer " + os.environ["OPENAI_API_KEY"])
answer = json.load(urllib.request.urlopen(asked))["choices"][0]["message"]["content"]
path = "code/toystats/moments.py"
text = open(path).read().replace("raise NotImplementedError", answer, 1)
open(path, "w").write(text)
"""

def jump(hours):
    OFFSET.with_suffix(".new").write_text(str(3600 * hours))
    OFFSET.with_suffix(".new").rename(OFFSET)

def jumps(trial, sandbox):
    for before, meanwhile, command, limit_sec in [
        (5, -9, "sleep 600", 1),
        (-7, 9, f"python3 - <<'E'\\n{ASK}\\nE", 60),
        (3, 4, "sleep 600", 600),
    ]:
        jump(before)
        later = threading.Timer(0.2, jump, [meanwhile])
        later.start()
        sandbox.run(command, time_limit_sec=limit_sec)
        later.join()
'''


@NO_BUBBLEWRAP
def test_no_limit_and_no_verdict_changes_when_the_clock_is_set(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "my_agents.py").write_text(JUMPS)
    clock, temporary, offset = tmp_path / "clock", tmp_path / "tmp", tmp_path / "offset"
    for folder in (clock, temporary):
        folder.mkdir()
    (clock / "sitecustomize.py").write_text(CLOCK)
    offset.write_text("0")
    monkeypatch.setenv("PYTHONPATH", str(clock), prepend=os.pathsep)
    monkeypatch.setenv("OFFSET_SEC", str(offset))
    args = ["--agent=my_agents:jumps", "--sandbox=local", "-n1", "-oautoexp_models=true"]
    args += ["-oautoexp_qualify=false", "-oautoexp_time_limit_sec=7", "-oautoexp_progress_sec=1"]
    with scripted() as provider:
        variance = "return sum((v - sum(values) / len(values)) ** 2 for v in values)"
        provider.replies = [replace(chat(f"{variance} / (len(values) - 1)"), wait_sec=0.5)]
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
        output = output_of(start(project, *args, temporary=temporary))
        offset.write_text(str(-24 * 3600))
        resumed = output_of(start(project, *args, "--resume", temporary=temporary))
    results = project / "autoexp-results"
    [line] = lines(results)
    assert (line["outcome"], line["exit_status"], line["steps"]) == ("passed", "limit: time", 1)
    for took in ("agent_sec", "verify_sec"):
        assert 0 < line[took] < 3600
    told = re.findall(r"^autoexp: toy::.*? (\d+)(?: of [\d.]+)? s$", output, re.MULTILINE)
    assert told
    assert all(int(seconds) < 3600 for seconds in told)
    assert "autoexp: 1 verdict kept of earlier runs" in resumed
    assert [*temporary.glob("*autoexp-*")] == []

    text = (results / line["artifacts"] / "trajectory.jsonl").read_text()
    done = [json.loads(entry) for entry in text.splitlines()]
    kinds = ["command", "command", "model", "command", "end"]
    assert [entry["kind"] for entry in done] == kinds
    assert [entry.get("killed_by") for entry in done] == ["time", None, None, "time", None]
    days = [datetime.fromisoformat(entry["time"]) for entry in done]
    hours = [(later - earlier).total_seconds() / 3600 for earlier, later in pairwise(days)]
    assert min(hours) < -11, "it did not jump back"
    assert max(hours) > 9, "it did not jump forward"


MOMENTS_ARE_TOLD = {
    "gateway/ledger.py": "when a call began, for the trajectory",
    "report/html/page.py": "when the page was made",
    "report/results.py": "when a line was written",
    "sandbox/folder.py": "how old a folder is that nobody has locked",
    "settings.py": "when a run began, for its name",
    "trajectory.py": "when something began",
}
"""Where the time of day is read, and what for; limits and waiting take the monotonic clock."""

STEADY = {"monotonic", "perf_counter", "sleep"}


def test_no_limit_depends_on_the_time_of_day() -> None:
    package = Path(pytest_autoexp.__file__).parent
    read = set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            # Whatever the module is used for but for waiting, and however that is spelled.
            match node:
                case ast.Attribute(ast.Name("time"), name):
                    found = name not in STEADY
                case ast.Import(names):
                    found = any(n.name == "time" and n.asname for n in names)
                case ast.ImportFrom("time"):
                    found = True
                case ast.Attribute(_, "now" | "utcnow" | "today"):
                    found = True
                case _:
                    found = False
            if found:
                read.add(file.relative_to(package).as_posix())
    assert read == set(MOMENTS_ARE_TOLD)
