"""Ctrl-C in each phase: everything ends, nothing is left behind, what was judged is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

AGENTS = """
import os
import time
from pathlib import Path

MARK = Path(os.environ["MARK"])

def wait_once(trial, what):
    # The first trial of a run is judged, the next one waits.
    if trial.attempt == 0:
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


def wait_for(condition: object, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.1)
    pytest.fail(f"nothing happened in {seconds} s")


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
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
    (project / "my_agents.py").write_text(AGENTS)
    mark = project / "mark"
    command = [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", workers),
        *(f"--agent=my_agents:{agent}", "--attempts=2", "-m", "autoexp(n=1)"),
    ]
    running = subprocess.Popen(
        command,
        cwd=project,
        env=os.environ | {"MARK": str(mark), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    results = project / "autoexp-results" / "results.jsonl"
    try:
        wait_for(lambda: mark.exists() and results.exists() and results.read_text(), 60)
        if agent != "in_python":
            wait_for(sleepers, 60)
        if sent == signal.SIGINT:  # a terminal tells the whole group, a CI system one process
            os.killpg(running.pid, sent)
        else:
            os.kill(running.pid, sent)
        output, _ = running.communicate(timeout=60)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "KeyboardInterrupt" in output
    assert "INTERNALERROR" not in output
    [line] = [json.loads(line) for line in results.read_text().splitlines()]
    assert (line["outcome"], line["trial"]["attempt"]) == ("failed", 0)
    wait_for(lambda: not sleepers(), 10)
    assert [path.name for path in temporary.glob("autoexp-*")] == []
