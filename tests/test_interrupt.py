"""Runs that are interrupted or killed: nothing is left behind, what was judged is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from docker import DockerClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

AGENTS = """
import os
import time
from pathlib import Path

MARK = Path(os.environ["MARK"])

def wait_once(trial, what):
    # The first trial of a run is judged, the next one waits, unless it is told not to.
    if trial.attempt == 0 or MARK.with_name("go").exists():
        return False
    MARK.touch()
    return True

def in_python(trial, sandbox):
    if wait_once(trial, "python"):
        time.sleep(600)

def in_command(trial, sandbox):
    if wait_once(trial, "command"):
        sandbox.run("setsid sleep 613 & sleep 613", time_limit_sec=600)

def in_experiment(trial, sandbox):
    if wait_once(trial, "experiment"):
        text = sandbox.read("code/toystats/moments.py", 100_000).decode()
        body = "    import subprocess\\n    subprocess.run(['sleep', '613'])\\n"
        text = text.replace("    raise NotImplementedError\\n", body)
        script = f"cat > code/toystats/moments.py <<'E'\\n{text}E\\n"
        sandbox.run(script, time_limit_sec=10)
"""


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """A folder for temporary files that must be empty of ours afterwards."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield Path(folder)


def sleepers() -> list[int]:
    """Processes of these tests that still sleep."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes() == b"sleep\x00613\x00":
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(f"nothing happened in {seconds} s")


class Running:
    """A run in a process of its own, whose second trial waits in some phase.

    Attributes:
        process: pytest.
        results: The lines judged so far.
    """

    def __init__(self, project: Path, temporary: Path, agent: str, *arguments: str) -> None:
        (project / "my_agents.py").write_text(AGENTS)
        self._mark = project / "mark"
        self._folder = project / "autoexp-results"
        self._waits_in_python = agent == "in_python"
        self._command = [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments),
            *(f"--agent=my_agents:{agent}", "--attempts=2", "-m", "autoexp(n=1)"),
        ]
        self._env = os.environ | {"MARK": str(self._mark), "TMPDIR": str(temporary)}
        self.process = subprocess.Popen(
            self._command,
            cwd=project,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def until_it_waits(self) -> None:
        results = self._folder / "results.jsonl"
        wait_for(lambda: self._mark.exists() and results.exists() and results.read_text(), 90)
        if not self._waits_in_python:
            wait_for(sleepers, 60)

    def resume(self) -> str:
        """Run what has no verdict yet, and wait for nothing; what that says."""
        self._mark.with_name("go").touch()
        command = [*self._command, "--resume"]
        done = subprocess.run(
            command,
            cwd=self._mark.parent,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.stdout

    def others(self) -> list[int]:
        """The processes of its group but the first: xdist's workers."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getpgid(int(folder.name)) == self.process.pid != int(folder.name):
                    found.append(int(folder.name))
        return found

    def run_id(self) -> str:
        return str(self.lines()[0]["run"])

    def lines(self) -> list[dict[str, object]]:
        text = (self._folder / "results.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


@contextmanager
def running(project: Path, temporary: Path, agent: str, *arguments: str) -> Iterator[Running]:
    run = Running(project, temporary, agent, *arguments)
    try:
        run.until_it_waits()
        yield run
    finally:
        if run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGKILL)
        run.process.communicate()


def ours(temporary: Path) -> list[str]:
    return [path.name for path in temporary.glob("*autoexp-*")]


def containers(engine: DockerClient, run: Running) -> list[str]:
    label = f"pytest-autoexp.run={run.run_id()}"
    return [found["Id"] for found in engine.api.containers(all=True, filters={"label": label})]


def in_docker(base_image: str) -> tuple[str, ...]:
    return ("--sandbox=docker", f"-oautoexp_base_image={base_image}")


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
@pytest.mark.parametrize(
    ("agent", "sent"),
    [
        ("in_python", signal.SIGINT),
        ("in_command", signal.SIGINT),
        ("in_experiment", signal.SIGINT),
        ("in_command", signal.SIGTERM),
    ],
)
def test_an_interrupted_run_leaves_nothing(
    project: Path, temporary: Path, agent: str, sent: signal.Signals, workers: str
) -> None:
    with running(project, temporary, agent, workers) as run:
        if sent == signal.SIGINT:  # a terminal tells the whole group, a CI system one process
            os.killpg(run.process.pid, sent)
        else:
            os.kill(run.process.pid, sent)
        check_interrupted(run)
    assert ours(temporary) == []


def check_interrupted(run: Running) -> None:
    output, _ = run.process.communicate(timeout=60)
    assert run.process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "KeyboardInterrupt" in output
    assert "INTERNALERROR" not in output
    check_that_the_first_is_judged(run)
    wait_for(lambda: not sleepers(), 10)


def check_that_the_first_is_judged(run: Running) -> None:
    [line] = run.lines()
    trial = line["trial"]
    assert isinstance(trial, dict)
    assert (line["outcome"], trial["attempt"]) == ("failed", 0)


@pytest.mark.docker
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("workers", ["-n0", "-n2"])
@pytest.mark.parametrize("agent", ["in_command", "in_experiment"])
def test_an_interrupted_run_leaves_no_container(
    project: Path,
    temporary: Path,
    engine: DockerClient,
    base_image: str,
    agent: str,
    workers: str,
    times: int,
) -> None:
    with running(project, temporary, agent, workers, *in_docker(base_image)) as run:
        assert containers(engine, run)
        os.killpg(run.process.pid, signal.SIGINT)
        for _ in range(times - 1):  # of an impatient user
            time.sleep(0.3)
            os.killpg(run.process.pid, signal.SIGINT)
        if times == 1:
            check_interrupted(run)
        else:
            output, _ = run.process.communicate(timeout=60)
            assert run.process.returncode in (pytest.ExitCode.INTERRUPTED, -signal.SIGINT), output
            assert "Interrupt" in output
            check_that_the_first_is_judged(run)
        assert containers(engine, run) == []
    assert ours(temporary) == []


@pytest.mark.docker
@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_what_a_killed_run_left_is_cleaned_on_demand_and_not_before_its_end(
    project: Path, temporary: Path, engine: DockerClient, base_image: str, workers: str
) -> None:
    def clean() -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--autoexp-clean"],
            cwd=project,
            env=os.environ | {"TMPDIR": str(temporary)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    with running(project, temporary, "in_command", workers, *in_docker(base_image)) as run:
        [container] = containers(engine, run)
        assert f"of run {run.run_id()}, which is alive" in clean()
        assert containers(engine, run) == [container]
        folders = ours(temporary)
        assert folders
        os.kill(run.process.pid, signal.SIGKILL)
        wait_for(lambda: not run.others(), 60)  # they notice that they are alone
        said = clean()
        assert containers(engine, run) == []
        assert ours(temporary) == []
        if workers == "-n0":
            assert "removed container autoexp-" in said
            assert all(folder in said for folder in folders)
            assert "1 verdict kept of earlier runs" in run.resume()
            assert [line["outcome"] for line in run.lines()] == ["failed", "failed"]
        assert run.run_id() not in clean()


@pytest.mark.docker
def test_a_killed_worker_is_an_error_and_leaves_nothing(
    project: Path, temporary: Path, engine: DockerClient, base_image: str
) -> None:
    arguments = ("-n2", *in_docker(base_image), "--junitxml=out.xml")
    with running(project, temporary, "in_command", *arguments) as run:
        [pid] = [int(line) for line in owners(engine, run)]
        os.kill(pid, signal.SIGKILL)
        output, _ = run.process.communicate(timeout=60)
        assert "crashed while running" in output
        assert "1 failed" in output
        assert "1 error" in output
        row = output.split("errors\n")[1].splitlines()[0].split()
        assert row == ["my_agents:in_command", "1", "0.0%", "0.0-79.3%", "-", "0", "1", "1"]
        assert [line["outcome"] for line in run.lines()] == ["failed", "error"]
        assert run.lines()[1]["reason"] == "the worker that ran it died"
        assert containers(engine, run) == []
    assert ours(temporary) == []


def owners(engine: DockerClient, run: Running) -> list[str]:
    """Processes that own the run's containers, from their labels."""
    ids = containers(engine, run)
    labels = [engine.api.inspect_container(i)["Config"]["Labels"] for i in ids]
    return [label["pytest-autoexp.owner"].split(" ")[2] for label in labels]
