"""The code of a task on the host: where it lies, which files belong to it, copies of it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pytest_autoexp.loading.findings import Findings, quoted
from pytest_autoexp.loading.git import checkout
from pytest_autoexp.loading.targets import find_target_problems
from pytest_autoexp.loading.yaml_lines import parse_yaml, read_yaml
from pytest_autoexp.model.errors import TaskError
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
_LEFT_BY_EDITORS = (".py~", ".py.bak", ".py.orig", ".py.rej", ".py.swp")  # not masked
_SKIPPED_SUFFIXES = (".pyc", ".pyo", ".egg-info", *_LEFT_BY_EDITORS)
_KEY = re.compile(r"""(?:^|[{,])[ \t]*["']?(\w+)["']?[ \t]*:""", re.MULTILINE)
_TASK_KEYS = {"schema", "functions", "experiments"}


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
    """Check that the code has every function exactly once, and neither answers nor overlay files.

    Args:
        task: The task.
        folder: Its code.

    Raises:
        TaskError: With one problem for each that is not so.
    """
    targets = [function.target for function in task.functions]
    path = task.folder / TASK_FILE
    findings = Findings(str(path), read_yaml(path).lines)
    files = code_files(folder)
    for index, message in find_target_problems(targets, folder, files):
        findings.add(("functions", index, "target"), message)
    for message in find_task_files(folder, files):
        findings.add(("code",), message)
    for index, experiment in enumerate(task.experiments):
        overlay = experiment.overlay
        for message in find_overlay_problems(overlay, folder) if overlay else ():
            findings.add(("experiments", index, "overlay"), message)
    findings.raise_if_any()


def code_files(folder: Path) -> list[str]:
    """The files that belong to a code base.

    These are its regular files, and links to such files unless they are Python files (a
    second name of a file would show what is masked under the first).  Version control,
    caches, compiled Python and what editors leave of it do not belong to it.

    Args:
        folder: The code base.

    Returns:
        Sorted paths relative to ``folder``, with forward slashes.
    """
    return sorted(path for path, problem in _scan(folder) if not problem)


def find_link_problems(folder: Path) -> list[str]:
    """A sentence for each link in a code base that does not belong to it."""
    return sorted(problem for _, problem in _scan(folder) if problem)


def find_task_files(folder: Path, files: Iterable[str]) -> list[str]:
    """A sentence for each task.yaml in a code base: a task may lie in the repository of its code.

    Args:
        folder: The code base.
        files: Its files.

    Raises:
        OSError: If one cannot be read.
    """
    return [
        f"{quoted(path)} in the code is a task, with its expected values; allowed: code without it"
        for path in files
        if PurePosixPath(path).name == TASK_FILE
        and _TASK_KEYS.issubset(_keys((folder / path).read_bytes()))
    ]


def _keys(raw: bytes) -> Collection[str]:
    """Keys of a YAML mapping; of what cannot be read, all that look like keys."""
    try:
        return parse_yaml(raw, TASK_FILE).data
    except TaskError:
        return _KEY.findall(raw.decode("utf-8", "replace"))


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
        _copy(folder / path, target)


def _copy(file: Path, target: Path) -> None:
    shutil.copyfile(file, target)
    target.chmod(0o755 if os.access(file, os.X_OK) else 0o644)


@contextmanager
def laid_over(overlay: Path | None, code: Path) -> Iterator[None]:
    """Have the files of an overlay in a copy of the code, for a while.

    Args:
        overlay: Folder with the files; the code has none of them.  None lays nothing over.
        code: The copy.
    """
    made: list[Path] = []
    try:
        files = {path: overlay / path for path in code_files(overlay)} if overlay else {}
        for path, file in files.items():
            target = code / path
            missing = (folder for folder in target.parents if not folder.exists())
            for folder in reversed(tuple(missing)):
                folder.mkdir()
                made.append(folder)
            made.append(target)
            _copy(file, target)
        yield
    finally:
        for place in reversed(made):
            place.rmdir() if place.is_dir() else place.unlink(missing_ok=True)


def find_overlay_problems(overlay: Path, code: Path) -> list[str]:
    """A sentence for each file of an overlay that is a link, or whose place in the code is taken.

    Args:
        overlay: Its folder.
        code: The code.
    """
    problems = find_link_problems(overlay)
    for path in code_files(overlay):
        places = (PurePosixPath(path), *PurePosixPath(path).parents)
        taken = next((p for p in places if (code / p).is_file() or (code / path).exists()), None)
        if taken is not None:
            lies = f"{quoted(f'{overlay.name}/{path}')} would lie over {quoted(str(taken))}"
            allowed = "allowed: files that the code does not have"
            problems.append(f"{lies} of the code; {allowed}")
    return problems


def _scan(folder: Path) -> Iterator[tuple[str, str]]:
    """Path of each file and link of a code base, and what is wrong with the link."""
    root = os.path.realpath(folder)
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(os.path.join(root, prefix)) as entries:  # noqa: PTH118 - fast
            for entry in entries:
                path = prefix + entry.name
                if is_skipped(entry.name):
                    continue
                if entry.is_symlink():
                    yield path, _link_problem(path, root)
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(path + "/")
                elif entry.is_file(follow_symlinks=False):
                    yield path, ""


def is_skipped(name: str) -> bool:
    """True for the name of a file or folder that belongs to no code base."""
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
    elif any(is_skipped(part) for part in target.relative_to(root).parts):
        why = "leads to a file that is left out of the code"
    else:
        return ""
    return f"the link {quoted(path)} {why}; allowed: links to data files of the code"
