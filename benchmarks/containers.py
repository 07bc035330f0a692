"""What a Docker trial costs beside plain ``docker run`` of the same commands.

Give the name of an image that the engine has, with Python in it:

    python benchmarks/containers.py python:3.12-slim

A trial starts two containers, one for the agent and one to verify in, takes the tree in and
out, and compares the metrics.  Beside it stands a pair of ``docker run``: one that does nothing,
and one that runs the experiments' commands on the mounted code.  First for a bundled task, whose
experiments take seconds, then for the toy of the tests, whose experiments take next to nothing:
there all that is left is the cost of the plugin.  All ratios are of one run.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from pytest_autoexp.loading.loader import load_task
from pytest_autoexp.sandbox.cache import Builds
from pytest_autoexp.sandbox.docker.images import ensure_image
from pytest_autoexp.sandbox.environ import BASE_ENVIRONMENT

ROOT = Path(__file__).parents[1]
PARALLEL = 4
TRIALS = 16
# As on a user's machine: what is imported once is not compiled again.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Subject:
    """A task, and how it is run by hand."""

    folder: Path
    base_image: str
    image: str
    commands: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, base_image: str) -> Subject:
        """Read a task, and make sure of its image."""
        task = load_task(folder / "task.yaml")
        image = ensure_image(task.environment, base_image, Builds("benchmark", print))
        return cls(folder, base_image, image, tuple(e.command for e in task.experiments))

    def docker_run(self, command: str) -> None:
        """A container as one would start it by hand."""
        options = ["--rm", "--network=none", "--workdir=/code", "--env=AUTOEXP_METRICS=/tmp/m"]
        options += [f"--env={name}={value}" for name, value in BASE_ENVIRONMENT.items()]
        options.append(f"--volume={self.folder / 'code'}:/code:ro")
        argv = ["docker", "run", *options, self.image, "sh", "-c", command]
        subprocess.run(argv, check=True, capture_output=True)

    def pair_sec(self) -> float:
        """Wall time of two containers: nothing in one, the experiments in the other."""
        started = time.perf_counter()
        self.docker_run("true")
        self.docker_run(" && ".join(self.commands))
        return time.perf_counter() - started

    def pairs_sec(self) -> float:
        """Wall time of many pairs, some at once."""
        started = time.perf_counter()
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda _: self.pair_sec(), range(TRIALS)))
        return time.perf_counter() - started

    def trials_sec(self, attempts: int, *args: str) -> tuple[float, list[float]]:
        """Wall time of a run of the oracle that must pass, and of each of its trials."""
        with tempfile.TemporaryDirectory() as name:
            project = Path(name)
            shutil.copytree(self.folder, project / "tasks" / self.folder.name)
            (project / "pytest.ini").write_text("[pytest]\n")
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            options = ["--agent=oracle", "--sandbox=docker", "--masks=all", "--junitxml=out.xml"]
            options += [f"--attempts={attempts}", f"-oautoexp_base_image={self.base_image}"]
            started = time.perf_counter()
            subprocess.run(
                [*command, *options, *args],
                cwd=project,
                env=ENVIRONMENT,
                check=True,
                capture_output=True,
            )
            wall_sec = time.perf_counter() - started
            cases = ElementTree.parse(project / "out.xml").iter("testcase")
            return wall_sec, [float(case.get("time", 0)) for case in cases]


def one_by_one(subject: Subject, trials: int) -> None:
    """Trials one after another against pairs of containers."""
    pair = statistics.median(subject.pair_sec() for _ in range(6))
    _, secs = subject.trials_sec(trials, "-n0")
    trial = statistics.median(secs)
    print(
        f"  pair of docker run {pair:6.2f} s, trial {trial:6.2f} s  "
        f"(ratio {trial / pair:.2f}, {trial - pair:.2f} s more)"
    )
    third = trials // 3
    first, last = statistics.median(secs[:third]), statistics.median(secs[-third:])
    print(f"  the last {third} of {trials} trials against the first: ratio {last / first:.2f}")


def side_by_side(subject: Subject) -> None:
    """Trials under xdist against as many pairs at once."""
    ideal = subject.pairs_sec()
    run, _ = subject.trials_sec(TRIALS, f"-n{PARALLEL}")
    print(
        f"  {TRIALS} pairs, {PARALLEL} at once {ideal:6.2f} s, "
        f"{TRIALS} trials, -n {PARALLEL} {run:6.2f} s  (ratio {run / ideal:.2f})"
    )


def main() -> None:
    """Measure and print."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} IMAGE")
    for folder, trials in ((ROOT / "tasks" / "exposure-fairness", 9), (ROOT / "tests" / "toy", 48)):
        subject = Subject.of(folder, sys.argv[1])
        subject.pair_sec()  # warm: page cache, engine
        print(f"{folder.name}: {len(subject.commands)} experiments, {os.cpu_count()} cores")
        one_by_one(subject, trials)
        side_by_side(subject)


if __name__ == "__main__":
    main()
