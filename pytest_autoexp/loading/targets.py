"""Whether the functions that a task names are in its code, each exactly once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pytest_autoexp.loading.findings import listed, nearest, quoted
from pytest_autoexp.masking.index import FunctionName, function_names, resolve
from pytest_autoexp.masking.source import MaskingError

MAX_SOURCE_BYTES = 4 * 1024**2
"""Largest Python file whose functions can be masked."""


def find_target_problems(
    targets: Sequence[str], folder: Path, files: Collection[str]
) -> list[tuple[int, str]]:
    """Look every target up in the code.

    Args:
        targets: Names of functions, ``path.py::Qualified.name``.
        folder: The code.
        files: The files that belong to it, relative to ``folder``.

    Returns:
        Index of a target and what is wrong with it, for each that is not there exactly once.
    """
    python_files = {path for path in files if path.endswith(".py")}
    known: dict[str, Sequence[FunctionName] | str] = {}
    problems = []
    for index, target in enumerate(targets):
        path, _, name = target.partition("::")
        if path not in python_files:
            hint = nearest(path, python_files) or ";"
            allowed = f"allowed: {listed(sorted(python_files)) or 'nothing, it has none'}"
            problems.append((index, f"the code has no file {quoted(path)}{hint} {allowed}"))
            continue
        if path not in known:
            known[path] = _functions(folder / path)
        functions = known[path]
        if isinstance(functions, str):
            problems.append((index, f"{quoted(path)} {functions}"))
            continue
        try:
            resolve(name, functions)
        except MaskingError as error:
            problems.append((index, f"in {quoted(path)}: {error}"))
    return problems


def _functions(file: Path) -> Sequence[FunctionName] | str:
    """The functions of a file, or why it cannot be used."""
    try:
        if file.stat().st_size > MAX_SOURCE_BYTES:
            return f"is larger than {MAX_SOURCE_BYTES // 1024**2} MiB"
        return function_names(file.read_bytes())
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except (MaskingError, RecursionError, MemoryError) as error:
        return f"cannot be parsed: {str(error) or type(error).__name__}"
