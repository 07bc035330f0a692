"""An engine that goes away in mid-trial: an error, never a verdict, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from engines import OwnEngine

pytestmark = pytest.mark.docker

AGENTS = """
import os
import time
from pathlib import Path

MARK = Path("mark")

def reached():
    MARK.touch()

def in_python(trial, sandbox):
    reached()
    while MARK.exists():
        time.sleep(0.05)
    sandbox.run("true", time_limit_sec=10)

def in_command(trial, sandbox):
    reached()
    sandbox.run("sleep 60", time_limit_sec=60)

def in_experiment(trial, sandbox):
    text = sandbox.read("code/toystats/moments.py", 100_000).decode()
    body = "    import subprocess\\n    subprocess.run(['sleep', '60'])\\n"
    text = text.replace("    raise NotImplementedError\\n", body)
    sandbox.run(f"cat > code/toystats/moments.py <<'E'\\n{text}E\\n", time_limit_sec=10)
    reached()
"""


@pytest.fixture
def frail(own_engine: OwnEngine) -> Iterator[OwnEngine]:
    """One that may be stopped; it runs again afterwards."""
    yield own_engine
    own_engine.start()


def run(project: Path, engine: OwnEngine, image: str, *arguments: str) -> subprocess.Popen[str]:
    (project / "my_agents.py").write_text(AGENTS)
    command = [sys.executable, "-m", "pytest", "-m", "autoexp(n=1)", "--sandbox=docker"]
    return subprocess.Popen(
        [*command, f"-oautoexp_base_image={image}", "--junitxml=out.xml", *arguments],
        cwd=project,
        env=os.environ | {"DOCKER_HOST": engine.host},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path.name} after a minute"
        time.sleep(0.05)


def containers(engine: OwnEngine) -> list[dict[str, Any]]:
    with closing(engine.client()) as client:
        return list(client.api.containers(all=True))


@pytest.mark.parametrize(
    ("way", "phase", "workers"),
    [
        ("stop", "in_python", "-n0"),
        ("stop", "in_experiment", "-n1"),
        ("kill", "in_command", "-n0"),
        ("kill", "in_command", "-n1"),
        ("kill", "in_experiment", "-n0"),
    ],
)
def test_an_engine_that_restarts_is_an_error_and_the_trial_can_be_retried(
    project: Path,
    frail: OwnEngine,
    base_image: str,
    results: Callable[[], list[dict[str, Any]]],
    junit: Callable[[], list[Any]],
    way: str,
    phase: str,
    workers: str,
) -> None:
    running = run(project, frail, base_image, workers, f"--agent=my_agents:{phase}")
    wait_for(project / "mark")
    if phase == "in_experiment":
        time.sleep(3)  # until its sandbox has gone and the experiment sleeps
    frail.stop() if way == "stop" else frail.kill()
    frail.start()
    (project / "mark").unlink()
    output, _ = running.communicate(timeout=120)

    assert running.returncode == pytest.ExitCode.TESTS_FAILED, output
    assert "INTERNALERROR" not in output
    assert "Traceback" not in output
    [line] = results()
    assert line["outcome"] == "error"
    assert line["reason"].startswith("InfrastructureError: ")
    [case] = junit()
    assert case.find("failure") is None
    assert case.find("error") is not None
    assert containers(frail) == []

    retried = run(project, frail, base_image, workers, "--agent=oracle", "--lf")
    output, _ = retried.communicate(timeout=120)
    assert retried.returncode == pytest.ExitCode.OK, output


def test_an_engine_that_stays_away_is_said_and_a_later_run_cleans_up(
    project: Path,
    frail: OwnEngine,
    base_image: str,
    results: Callable[[], list[dict[str, Any]]],
) -> None:
    running = run(project, frail, base_image, "-n0", "--agent=my_agents:in_command")
    wait_for(project / "mark")
    frail.kill()
    output, _ = running.communicate(timeout=120)
    assert [line["outcome"] for line in results()] == ["error"]
    assert "what this run left cannot be removed: no Docker engine answers at" in output
    frail.start()
    assert len(containers(frail)) == 1
    later = run(project, frail, base_image, "-n0", "--agent=oracle")
    output, _ = later.communicate(timeout=120)
    assert later.returncode == pytest.ExitCode.OK, output
    assert containers(frail) == []
