"""What the plugin costs a pytest run that has nothing to do with it.

Prints medians of a run of one empty test, with and without the plugin, and their difference.
No other plugin is loaded.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 25


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_empty.py").write_text("def test_empty(): pass\n")
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        variants = {"without": command, "with": [*command, "-p", "pytest_autoexp.plugin"]}
        env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        times: dict[str, list[float]] = {name: [] for name in variants}
        for repeat in range(REPEATS + 1):
            for name, argv in variants.items():  # in turn, so that load strikes both alike
                started = time.perf_counter()
                subprocess.run(argv, cwd=folder, env=env, check=True, capture_output=True)
                if repeat:  # the first fills caches
                    times[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in times.items()}
    difference = medians["with"] - medians["without"]
    print(f"pytest without the plugin   {medians['without'] * 1e3:7.0f} ms")
    print(f"pytest with it, no --agent  {medians['with'] * 1e3:7.0f} ms")
    ratio = medians["with"] / medians["without"]
    print(
        f"start-up cost               {difference * 1e3:7.0f} ms  (ratio {ratio:.3f}, aim: 30 ms)"
    )


if __name__ == "__main__":
    main()
