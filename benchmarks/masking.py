"""Masking, grafting and indexing in functions per second, beside ``ast.parse`` alone.

Run it by hand: ``python benchmarks/masking.py``.  It takes modules of the standard library
until each step has had its share of the time.
"""

from __future__ import annotations

import ast
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from pytest_autoexp.masking.draw import draw
from pytest_autoexp.masking.graft import graft
from pytest_autoexp.masking.index import function_names
from pytest_autoexp.masking.mask import mask

BUDGET_SEC = 14.0
DRAWS = 10_000


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def measure(source: bytes) -> dict[str, float]:
    """Seconds per step for one module of which every function is masked."""
    names = [function.name for function in function_names(source)]
    descriptions = dict.fromkeys(names, "What the function does.")
    masked = mask(source, descriptions)
    return {
        "ast.parse": seconds(lambda: ast.parse(source)),
        "function_names": seconds(lambda: function_names(source)),
        "mask": seconds(lambda: mask(source, descriptions)),
        "graft": seconds(lambda: graft(masked, source, names)),
    }


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    total: dict[str, float] = {}
    functions = files = 0
    started = time.perf_counter()
    for path in sorted(Path(os.__file__).parent.glob("*.py"))[::5]:
        source = path.read_bytes()
        if time.perf_counter() - started > BUDGET_SEC:
            break
        if len(source) > 60_000:
            continue
        files += 1
        functions += len(function_names(source))
        for step, sec in measure(source).items():
            total[step] = total.get(step, 0.0) + sec
    print(f"{functions} functions in {files} modules of the standard library")
    for step, sec in total.items():
        ratio = sec / total["ast.parse"]
        print(f"{step:15} {functions / sec:10,.0f} functions/s {ratio:8.1f} x ast.parse")
    targets = [f"module.py::function_{i}" for i in range(200)]
    sec = seconds(lambda: [draw("task", targets, targets, 20, seed) for seed in range(DRAWS)])
    print(f"{'draw':15} {DRAWS / sec:10,.0f} cases/s (20 of 200 functions)")


if __name__ == "__main__":
    main()
