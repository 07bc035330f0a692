"""The code of a task on the host: where it lies, which files belong to it, copies of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pytest_autoexp.loading.findings import Findings, quoted
from pytest_autoexp.loading.git import checkout
from pytest_autoexp.loading.targets import find_target_problems
from pytest_autoexp.loading.yaml_lines import read_yaml
from pytest_autoexp.model.task import Task

TASK_FILE = "task.yaml"
"""Name of the file that describes a task."""

_SKIPPED_NAMES = {
    ".DS_Store",
    ".cache",
    ".eggs",
    ".git",
    ".hg",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".tox",
    "__pycache__",
}
_SKIPPED_SUFFIXES = (".pyc", ".pyo", ".egg-info")


def code_folder(task: Task) -> Path:
    """The folder of the task's pristine code on the host: to read, not to change.

    The code of a git task is fetched when it is first asked for, and kept in the cache.

    Raises:
        InfrastructureError: If it cannot be fetched.
        TaskError: If what was fetched lacks one of the task's functions.
    """
    if isinstance(task.code, Path):
        return task.code
    folder = checkout(task.code)
    check_targets(task, folder)
    return folder


def check_targets(task: Task, folder: Path) -> None:
    """Check that every function of the task is in the code exactly once.

    Args:
        task: The task.
        folder: Its code.

    Raises:
        TaskError: With one problem for each function that is not.
    """
    targets = [function.target for function in task.functions]
    problems = find_target_problems(targets, folder, code_files(folder))
    if problems:
        path = task.folder / TASK_FILE
        findings = Findings(str(path), read_yaml(path).lines)
        for index, message in problems:
            findings.add(("functions", index, "target"), message)
        findings.raise_if_any()


def code_files(folder: Path) -> list[str]:
    """The files that belong to a code base.

    These are its regular files, and links to such files unless they are Python files (a
    second name of a file would show what is masked under the first).  Version control,
    caches and compiled Python do not belong to it.

    Args:
        folder: The code base.

    Returns:
        Sorted paths relative to ``folder``, with forward slashes.
    """
    return sorted(path for path, problem in _scan(folder) if not problem)


def find_link_problems(folder: Path) -> list[str]:
    """A sentence for each link in a code base that does not belong to it."""
    return sorted(problem for _, problem in _scan(folder) if problem)


def copy_code(folder: Path, dest: Path) -> None:
    """Copy the files that belong to a code base; links become regular files.

    Args:
        folder: The code base.
        dest: Folder to write to; must not exist.
    """
    dest.mkdir(parents=True)
    for path in code_files(folder):
        target = dest / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, target)
        target.chmod(0o755 if os.access(folder / path, os.X_OK) else 0o644)


def _scan(folder: Path) -> Iterator[tuple[str, str]]:
    """Path of each file and link of a code base, and what is wrong with the link."""
    root = os.path.realpath(folder)
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(os.path.join(root, prefix)) as entries:  # noqa: PTH118 - fast
            for entry in entries:
                path = prefix + entry.name
                if _is_skipped(entry.name):
                    continue
                if entry.is_symlink():
                    yield path, _link_problem(path, root)
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(path + "/")
                elif entry.is_file(follow_symlinks=False):
                    yield path, ""


def _is_skipped(name: str) -> bool:
    return name in _SKIPPED_NAMES or name.endswith(_SKIPPED_SUFFIXES)


def _link_problem(path: str, root: str) -> str:
    """Why a link does not belong to the code base, or an empty string."""
    target = Path(os.path.realpath(f"{root}/{path}"))
    if not target.is_relative_to(root):
        why = "leads out of the code"
    elif not os.path.isfile(target):  # noqa: PTH113 - does not raise
        why = "leads to no file"
    elif ".py" in (target.suffix, PurePosixPath(path).suffix):
        why = "is a second name of a Python file"
    elif any(_is_skipped(part) for part in target.relative_to(root).parts):
        why = "leads to a file that is left out of the code"
    else:
        return ""
    return f"the link {quoted(path)} {why}; allowed: links to data files of the code"
