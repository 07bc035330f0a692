"""The solution: what is taken over from the agent's workspace, and what is dropped.

Only the bodies of the masked functions, additions at module level that rebind nothing,
and new modules that shadow nothing reach the code that is verified.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pytest_autoexp.loading.code import code_files, code_folder
from pytest_autoexp.masking.graft import Grafted, graft_elsewhere
from pytest_autoexp.masking.named import named_modules
from pytest_autoexp.model.errors import InfrastructureError
from pytest_autoexp.model.task import Task
from pytest_autoexp.model.trial import CODE_DIR, REPORT_FILE
from pytest_autoexp.sandbox.protocol import Leave, Sandbox
from pytest_autoexp.workspace import functions_by_file

MAX_NEW_MODULES = 100
"""How many modules an agent may add."""

MAX_SOURCE_BYTES = 4 * 1024**2
"""Largest source file that is taken from an agent."""

MAX_DIFF_FILE_BYTES = 200_000
"""Largest file whose changes are shown line by line."""

MAX_DIFF_FILE_LINES = 5_000
"""The same in lines: the time that a comparison takes grows with their square."""

MAX_DIFF_CHARS = 1_000_000
"""How much of the agent's diff is kept."""

_SPECIAL = {"__init__", "__main__", "conftest", "sitecustomize", "usercustomize"}
_INSTALLED_SCRIPT = (
    "import importlib.util, sys; "
    "print(*(n for n in sys.argv[1:] if n in sys.builtin_module_names "
    "or importlib.util.find_spec(n)))"
)


@dataclass(frozen=True)
class Solution:
    """What an agent leaves behind.

    Attributes:
        files: Source by path relative to the code: masked files with the agent's bodies
            grafted in, and accepted new modules.
        dropped: A line for each change that does not count.
        diff: The agent's changes to the code's text files, as a unified diff.
    """

    files: Mapping[str, bytes]
    dropped: tuple[str, ...]
    diff: str


def of_no_use(task: Task, transcript: str | None) -> Leave:
    """What need not be taken out of an agent's workspace: checkpoints, say, and other output.

    Args:
        task: The task.
        transcript: The agent's record, if it names one, relative to the workspace.
    """
    code = {f"{CODE_DIR}/{path}" for path in code_files(code_folder(task))}
    wanted = {*code, REPORT_FILE, posixpath.normpath(transcript or REPORT_FILE)}

    def leave(path: str, size_bytes: int) -> str:
        most_bytes = MAX_SOURCE_BYTES if path.endswith(".py") else MAX_DIFF_FILE_BYTES
        if size_bytes <= most_bytes or path in wanted:
            return ""
        return f"new file, larger than {most_bytes} bytes"

    return leave


def missing(task: Task, masked: tuple[str, ...], left: Path) -> list[str]:
    """The masked files that are not there, relative to the workspace."""
    paths = (f"{CODE_DIR}/{path}" for path in functions_by_file(task, masked))
    return [path for path in paths if not (left / path).exists()]


def read_solution(task: Task, masked: tuple[str, ...], pristine: Path, left: Path) -> Solution:
    """Graft what counts of the agent's work into the pristine masked code.

    Args:
        task: The task.
        masked: Targets of the masked functions.
        pristine: The masked code as the agent got it.
        left: The workspace as the agent left it, with regular files only.

    Returns:
        The solution; new modules are not yet checked against installed packages: see
        :func:`without_shadowing`.
    """
    code = left / CODE_DIR
    files: dict[str, bytes] = {}
    dropped: list[str] = []
    targets = functions_by_file(task, masked)
    before = set(code_files(pristine))
    overlaid = {path for overlay in task.overlays for path in code_files(overlay)}
    modules = {".".join(_new_module(p, before).parts) for p in overlaid if p.endswith(".py")}
    for path, functions in targets.items():
        own = (pristine / path).read_bytes()
        names = [function.name for function in functions]
        grafted = graft_elsewhere(own, _read(code / path), names)
        if problem := modules and _names_overlay(path, grafted.source, own, modules):
            grafted = Grafted(own, (*grafted.dropped, f"all functions stay masked: {problem}"))
        files[path] = grafted.source
        dropped += [f"{path}: {line}" for line in grafted.dropped]
    after = set(code_files(code)) if code.is_dir() else set()
    for path in sorted(before - set(targets)):
        if path not in after:
            dropped.append(f"{path}: deleted")
        elif (code / path).read_bytes() != (pristine / path).read_bytes():
            dropped.append(f"{path}: changed")
    for path in sorted(after - before):
        problem = _not_a_new_module(path, code, before, pristine)
        problem = problem or _in_overlay(path, before, overlaid)
        if not problem and modules:
            problem = _names_overlay(path, (code / path).read_bytes(), b"", modules)
        if problem:
            dropped.append(f"{path}: {problem}")
        elif len(files) - len(targets) >= MAX_NEW_MODULES:
            dropped.append(f"{path}: more than {MAX_NEW_MODULES} new modules")
        else:
            files[path] = (code / path).read_bytes()
    # What counts most comes first, so that no flood of other files cuts it off.
    diff = _diff(pristine, code, [*targets, *sorted((before | after) - set(targets))])
    return Solution(files, tuple(dropped), diff)


def without_shadowing(solution: Solution, pristine: Path, sandbox: Sandbox) -> Solution:
    """Drop the new modules that would hide a module of the environment.

    Args:
        solution: What the agent left.
        pristine: The masked code.
        sandbox: A fresh sandbox of the task's environment; asked only if there are new
            modules.

    Raises:
        InfrastructureError: If the environment's Python cannot answer.
    """
    known = set(code_files(pristine))
    new = {path: _new_name(path, known) for path in solution.files if path not in known}
    if not new:
        return solution
    names = sorted(set(new.values()))
    result = sandbox.run(
        f"python -I -c '{_INSTALLED_SCRIPT}' {' '.join(names)}", time_limit_sec=60.0
    )
    if not result.ok:
        raise InfrastructureError(
            f"the task's Python cannot say which modules it has: {result.stderr[-500:]}"
        )
    installed = set(result.stdout.split())
    hiding = {path: name for path, name in new.items() if name in installed}
    return replace(
        solution,
        files={path: source for path, source in solution.files.items() if path not in hiding},
        dropped=solution.dropped + tuple(f"{p}: shadows the module {n}" for p, n in hiding.items()),
    )


def _not_a_new_module(path: str, code: Path, before: set[str], pristine: Path) -> str | None:
    """Why a file that the agent created does not count; None if it does."""
    if not path.endswith(".py"):
        return "new file that is no Python module"
    pure = PurePosixPath(path).with_suffix("")
    if replaced := [str(parent) for parent in pure.parents if str(parent) in before]:
        return f"lies where the file {replaced[0]} is"
    new = _new_name(path, before)
    new_package = new != pure.name
    parts = pure.parts[:-1] if new_package and pure.name == "__init__" else pure.parts
    if not all(part.isascii() and part.isidentifier() for part in parts):
        return "no importable module name"
    if new in _SPECIAL or any(part in _SPECIAL for part in parts):
        return "a name with a meaning of its own to Python or pytest"
    modules = [PurePosixPath(old) for old in before if old.endswith(".py")]
    known = {part for module in modules for part in module.with_suffix("").parts}
    if new in known:
        return f"shadows {new} of the code base"
    package = pristine / pure.parent / "__init__.py"
    if package.is_file() and re.search(rb"\b" + new.encode() + rb"\b", package.read_bytes()):
        return f"shadows the name {new} of its package"
    source = _read(code / path)
    if source is None:
        return f"larger than {MAX_SOURCE_BYTES} bytes"
    return None


def _in_overlay(path: str, before: set[str], overlaid: set[str]) -> str | None:
    """Why a new module would be in the way of hidden experiments' files; None if it is not."""
    new = _new_name(path, before)
    parts = {part for file in overlaid for part in PurePosixPath(file).with_suffix("").parts}
    return f"shadows {new} of a hidden experiment's overlay" if new in parts else None


def _names_overlay(path: str, source: bytes, before: bytes, modules: set[str]) -> str | None:
    """Why a file would take answers from hidden experiments' files; None if it does not say so."""
    known = named_modules(path, before, modules)
    named = [name for name in named_modules(path, source, modules) if name not in known]
    return f"names {', '.join(named)} of a hidden experiment's overlay" if named else None


def _new_name(path: str, before: set[str]) -> str:
    """The first part of a new file's path that is not there yet: the name it can be imported by."""
    return _new_module(path, before).name


def _new_module(path: str, before: set[str]) -> PurePosixPath:
    """A new file's path up to that part, without suffix."""
    folders = {str(parent) for old in before for parent in PurePosixPath(old).parents}
    pure = PurePosixPath(path)
    for parent in reversed(pure.parents):
        if str(parent) not in folders:
            return parent
    return pure.with_suffix("")


def _read(file: Path) -> bytes | None:
    """Content of a source file; None if it is missing or too large."""
    if not file.is_file() or file.stat().st_size > MAX_SOURCE_BYTES:
        return None
    return file.read_bytes()


def _diff(pristine: Path, code: Path, paths: Iterable[str]) -> str:
    lines: list[str] = []
    size = 0
    for path in paths:
        for line in _file_diff(path, _read(pristine / path) or b"", _read(code / path) or b""):
            size += len(line)
            if size > MAX_DIFF_CHARS:
                return "".join(lines) + "... the rest is cut off\n"
            lines.append(line)
    return "".join(lines)


def _file_diff(path: str, before: bytes, after: bytes) -> Iterator[str]:
    if before == after:
        return
    old, new = (text.decode("utf-8", "replace").splitlines() for text in (before, after))
    is_large = max(len(before), len(after)) > MAX_DIFF_FILE_BYTES
    if is_large or b"\0" in before + after or max(len(old), len(new)) > MAX_DIFF_FILE_LINES:
        yield f"Binary or large file {path} differs\n"
        return
    for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm=""):
        yield line + "\n"
