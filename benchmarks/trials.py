"""What a trial costs beside the bare experiment commands, and what xdist brings.

For each sandbox that is there: wall time of an oracle trial against the commands of its
experiments run directly; then 8 trials with ``-n 2`` against ``-n 0``.  Docker needs an engine;
name a base image that it has as the first argument.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_autoexp.sandbox.choose import docker_problem
from pytest_autoexp.sandbox.environ import BASE_ENVIRONMENT
from pytest_autoexp.sandbox.host.local import bubblewrap_problem

TOY = Path(__file__).parents[1] / "tests" / "toy"
REPEATS = 5
COMMANDS = ["python main.py moments 3", "python main.py moments 4", "python main.py smooth 3"]


def pytest_sec(folder: Path, *args: str) -> float:
    """Wall time of a pytest run that must pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--agent=oracle"]
    started = time.perf_counter()
    subprocess.run([*command, *args], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def bare_sec() -> float:
    """Median time of the toy's experiments as plain commands."""
    env = {**BASE_ENVIRONMENT, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        for command in COMMANDS:
            subprocess.run(
                command, shell=True, cwd=TOY / "code", env=env, check=True, capture_output=True
            )
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def trial_sec(folder: Path, sandbox: str, *args: str) -> float:
    """Median time of one more oracle trial on the whole toy, in a run that is going already."""
    few, many = 2, 2 + REPEATS
    common = [f"--sandbox={sandbox}", "--masks=all", *args]
    some = pytest_sec(folder, *common, f"--attempts={few}")
    more = pytest_sec(folder, *common, f"--attempts={many}")
    return (more - some) / (many - few)


def main() -> None:
    """Measure and print."""
    image = [f"-oautoexp_base_image={sys.argv[1]}"] if len(sys.argv) > 1 else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(TOY, folder / "tasks" / "toy")
        (folder / "pytest.ini").write_text("[pytest]\n")
        bare = bare_sec()
        print(f"bare commands of {len(COMMANDS)} experiments  {bare:6.2f} s")
        sandboxes = {"none": None, "local": bubblewrap_problem(), "docker": docker_problem()}
        for sandbox, problem in sandboxes.items():
            if problem:
                print(f"{sandbox}: not measured: {problem}")
                continue
            extra = image if sandbox == "docker" else []
            trial = trial_sec(folder, sandbox, *extra)
            print(
                f"oracle trial, {sandbox:<6}          {trial:6.2f} s  (ratio {trial / bare:.2f}, "
                f"{trial - bare:.2f} s more)"
            )
        best = "none" if sandboxes["local"] else "local"
        eight = [f"--sandbox={best}", "--masks=all", "--attempts=8"]
        alone, two = pytest_sec(folder, *eight, "-n0"), pytest_sec(folder, *eight, "-n2")
        print(f"8 trials, -n0 {alone:.2f} s, -n2 {two:.2f} s  (ratio {two / alone:.2f})")
        lines = (folder / "autoexp-results" / "results.jsonl").read_text().splitlines()
        assert all(json.loads(line)["outcome"] == "passed" for line in lines)
        print(f"{len(lines)} trials, all passed, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
