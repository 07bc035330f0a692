"""What a Docker trial costs beside plain ``docker run`` of the same commands.

Give the name of an image that the engine has, with Python in it:

    python benchmarks/docker.py python:3.12-slim

A trial starts two containers, one for the agent and one to verify in, takes the tree in and
out, and compares the metrics.  Beside it stands a pair of ``docker run``: one that does nothing,
and one that runs the experiments' commands on the mounted code.  All ratios are of one run.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

TOY = Path(__file__).parents[1] / "tests" / "toy"
COMMANDS = ["python main.py moments 3", "python main.py moments 4", "python main.py smooth 3"]
REPEATS = 8
PARALLEL = 4
TRIALS = 16
MANY = 48


def docker_run(image: str, command: str) -> None:
    """A container as one would start it by hand."""
    mount = ["--volume", f"{TOY / 'code'}:/code:ro", "--workdir", "/code"]
    subprocess.run(
        ["docker", "run", "--rm", "--network=none", *mount, image, "sh", "-c", command],
        check=True,
        capture_output=True,
    )


def pair_sec(image: str) -> float:
    """Wall time of two containers: nothing in one, the experiments in the other."""
    started = time.perf_counter()
    docker_run(image, "true")
    docker_run(image, " && ".join(COMMANDS))
    return time.perf_counter() - started


def pairs_sec(image: str, count: int, parallel: int) -> float:
    """Wall time of so many pairs, so many at once."""
    started = time.perf_counter()
    with ThreadPoolExecutor(parallel) as pool:
        list(pool.map(pair_sec, [image] * count))
    return time.perf_counter() - started


def pytest_sec(folder: Path, image: str, *args: str) -> float:
    """Wall time of a run of the oracle that must pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--agent=oracle"]
    options = ["--sandbox=docker", f"-oautoexp_base_image={image}", "--masks=all"]
    started = time.perf_counter()
    subprocess.run([*command, *options, *args], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def case_secs(file: Path) -> list[float]:
    """Durations of the trials in a JUnit file, in the order of running."""
    return [float(case.get("time", 0)) for case in ElementTree.parse(file).iter("testcase")]


def main() -> None:
    """Measure and print."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} IMAGE")
    image = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(TOY, folder / "tasks" / "toy")
        (folder / "pytest.ini").write_text("[pytest]\n")
        pytest_sec(folder, image)  # warm: page cache, engine

        pytest_sec(folder, image, f"--attempts={MANY}", "-n0", "--junitxml=out.xml")
        cases = case_secs(folder / "out.xml")
        pair = statistics.median(pair_sec(image) for _ in range(REPEATS))
        trial = statistics.median(cases)
        print(f"pair of docker run               {pair:6.2f} s")
        print(f"trial                            {trial:6.2f} s  (ratio {trial / pair:.2f})")
        third = MANY // 3
        first, last = statistics.median(cases[:third]), statistics.median(cases[-third:])
        print(
            f"first {third} and last {third} of {MANY} trials  "
            f"{first:6.2f} s, {last:.2f} s  (ratio {last / first:.2f})"
        )

        none = pytest_sec(folder, image, f"--attempts={PARALLEL}", f"-n{PARALLEL}", "--co")
        run = pytest_sec(folder, image, f"--attempts={TRIALS}", f"-n{PARALLEL}")
        ideal = pairs_sec(image, TRIALS, PARALLEL)
        print(f"{TRIALS} pairs, {PARALLEL} at once              {ideal:6.2f} s")
        print(
            f"{TRIALS} trials, -n {PARALLEL}                  {run:6.2f} s  "
            f"(ratio {run / ideal:.2f}; {(run - none) / ideal:.2f} without the start of pytest's "
            f"workers, {none:.1f} s)"
        )


if __name__ == "__main__":
    main()
