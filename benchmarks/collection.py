"""Collecting 10,000 cases of a task with 200 functions.

Prints the wall time beside that of 10,000 plain parametrized tests in the same run.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

FUNCTIONS, MASKS, CASES = 200, 20, 10_000


def write_task(folder: Path) -> None:
    """Write a task with many functions."""
    code = folder / "code"
    code.mkdir(parents=True)
    sources = [f"def f{i}(x):\n    return x + {i}\n" for i in range(FUNCTIONS)]
    (code / "m.py").write_text("\n\n".join(sources))
    (folder / "paper.md").write_text("Sums.\n")
    functions = "".join(
        f"  - {{target: 'm.py::f{i}', description: Add {i}.}}\n" for i in range(FUNCTIONS)
    )
    (folder / "task.yaml").write_text(
        "schema: 1\nid: many\ntitle: Many\npaper: {file: paper.md}\ncode: code\n"
        f"functions:\n{functions}experiments:\n"
        "  - {name: e, description: d, command: 'true', metrics: {m: 1.0}}\n"
    )


def collect(folder: Path, *args: str) -> tuple[float, int]:
    """Seconds and number of tests that pytest says it collected."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *args], cwd=folder, capture_output=True, text=True, check=True)
    count = re.search(r"task\.yaml: (\d+)|test_plain\.py: (\d+)", done.stdout)
    timed = subprocess.run(
        [*command[:-3], "-p", "no:cacheprovider", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = re.search(r"in ([\d.]+)s", timed.stdout)
    assert count is not None
    assert seconds is not None
    return float(seconds[1]), int(count[1] or count[2])


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        write_task(folder / "tasks" / "many")
        (folder / "test_plain.py").write_text(
            "import pytest\n"
            f"@pytest.mark.parametrize('n, seed', [(20, i) for i in range({CASES})])\n"
            "def test_plain(n, seed): pass\n"
        )
        plain, count = collect(folder, "test_plain.py")
        print(f"{count} plain parametrized tests     {plain:6.2f} s")
        arguments = ["--agent=oracle", f"--masks={MASKS}", f"--seeds=0-{CASES - 1}"]
        ours, count = collect(folder, *arguments)
        print(
            f"{count} cases of {FUNCTIONS} functions, n={MASKS} {ours:6.2f} s"
            f"  (ratio {ours / plain:.2f}, aim: 2 s)"
        )


if __name__ == "__main__":
    main()
