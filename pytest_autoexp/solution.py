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
from typing import Self

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

MAX_OTHER_FILES = 1000
"""How many new files that are no Python modules are taken from an agent, to be shown."""

MAX_OTHER_BYTES = 16 * 1024**2
"""The same in bytes, all together."""

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

    Returns:
        Says it of one tree: it counts what it lets out.
    """
    code = {f"{CODE_DIR}/{path}" for path in code_files(code_folder(task))}
    wanted = {*code, REPORT_FILE, posixpath.normpath(transcript or REPORT_FILE)}
    others = others_bytes = 0

    def leave(path: str, size_bytes: int) -> str:
        nonlocal others, others_bytes
        is_module = path.endswith(".py")
        most_bytes = MAX_SOURCE_BYTES if is_module else MAX_DIFF_FILE_BYTES
        if path in wanted:
            return ""
        if size_bytes > most_bytes:
            return f"new file, larger than {most_bytes} bytes"
        if is_module:
            return ""
        # Files that are only shown must not take the place of those that count.
        if others >= MAX_OTHER_FILES:
            return f"more than {MAX_OTHER_FILES} files that are no Python modules"
        if others_bytes + size_bytes > MAX_OTHER_BYTES:
            return f"more than {MAX_OTHER_BYTES} bytes in files that are no Python modules"
        others, others_bytes = others + 1, others_bytes + size_bytes
        return ""

    return leave


def missing(task: Task, masked: tuple[str, ...], left: Path) -> list[str]:
    """The masked files and the report, as far as not there, relative to the workspace."""
    paths = [f"{CODE_DIR}/{path}" for path in functions_by_file(task, masked)]
    return [path for path in (*paths, REPORT_FILE) if not (left / path).exists()]


def read_solution(
    task: Task, masked: tuple[str, ...], pristine: Path, left: Path, *, whole: bool = True
) -> Solution:
    """Graft what counts of the agent's work into the pristine masked code.

    Args:
        task: The task.
        masked: Targets of the masked functions.
        pristine: The masked code as the agent got it.
        left: The workspace as the agent left it, with regular files only.
        whole: False if something of it did not come out.

    Returns:
        The solution; new modules are not yet checked against installed packages: see
        :func:`without_shadowing`.
    """
    code = left / CODE_DIR
    files: dict[str, bytes] = {}
    dropped: list[str] = []
    targets = functions_by_file(task, masked)
    known = _Known.of(code_files(pristine))
    before = known.files
    overlaid = _Overlaid.of(task, known)
    for path, functions in targets.items():
        own = (pristine / path).read_bytes()
        names = [function.name for function in functions]
        grafted = graft_elsewhere(own, _read(code / path), names)
        if problem := overlaid.named(path, grafted.source, own):
            grafted = Grafted(own, (*grafted.dropped, f"all functions stay masked: {problem}"))
        files[path] = grafted.source
        dropped += [f"{path}: {line}" for line in grafted.dropped]
    after = set(code_files(code)) if code.is_dir() else set()
    for path in sorted(before - set(targets)):
        if problem := _change(path, code, pristine, whole=whole):
            dropped.append(f"{path}: {problem}")
    accepted, refused = _new_modules(sorted(after - before), code, known, pristine, overlaid)
    files |= accepted
    dropped += refused
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
    known = _Known.of(code_files(pristine))
    new = {path: known.new_name(path) for path in solution.files if path not in known.files}
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


@dataclass(frozen=True)
class _Known:
    """What the code has before the agent comes, listed once.

    Attributes:
        files: Paths of its files.
        folders: Paths of its folders.
        names: All parts of its modules' paths.
    """

    files: frozenset[str]
    folders: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, files: Iterable[str]) -> Self:
        """That of a code base with such files."""
        files = frozenset(files)
        folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
        names = {part for path in files if path.endswith(".py") for part in _parts(path)}
        return cls(files, frozenset(folders), frozenset(names))

    def new_module(self, path: str) -> tuple[str, ...]:
        """A new file's path up to the first part that is not there yet, without suffix."""
        for parent in reversed(PurePosixPath(path).parents):
            if str(parent) not in self.folders:
                return parent.parts
        return _parts(path)

    def new_name(self, path: str) -> str:
        """That part: the name that the new file can be imported by."""
        return self.new_module(path)[-1]


def _parts(path: str) -> tuple[str, ...]:
    """The parts of a file's path, the last without suffix."""
    pure = PurePosixPath(path)
    return (*pure.parts[:-1], pure.stem)  # with_suffix("") refuses some names, such as "..py"


def _new_modules(
    paths: Iterable[str], code: Path, known: _Known, pristine: Path, overlaid: _Overlaid
) -> tuple[dict[str, bytes], list[str]]:
    """The new files that count, by path, and a line for each that does not."""
    files: dict[str, bytes] = {}
    dropped: list[str] = []
    looked_at = 0
    for path in paths:
        problem = _not_a_new_module(path, code, known, pristine)
        if not problem and (new := known.new_name(path)) in overlaid.names:
            problem = f"shadows {new} of a hidden experiment's overlay"
        if not problem and looked_at >= MAX_NEW_MODULES:
            problem = f"more than {MAX_NEW_MODULES} new modules"
        if not problem:
            looked_at += 1
            source = (code / path).read_bytes()
            problem = overlaid.named(path, source, b"")
        if problem:
            dropped.append(f"{path}: {problem}")
        else:
            files[path] = source
    return files, dropped


@dataclass(frozen=True)
class _Overlaid:
    """What the overlays of hidden experiments have, beside the code.

    Attributes:
        modules: Dotted names of their modules.
        names: All parts of their files' paths.
        code: Paths of the code's own files.
    """

    modules: frozenset[str]
    names: frozenset[str]
    code: frozenset[str]

    @classmethod
    def of(cls, task: Task, known: _Known) -> Self:
        """Those of a task."""
        paths = {path for overlay in task.overlays for path in code_files(overlay)}
        modules = {
            ".".join(parts)
            for path in paths
            if path.endswith(".py")
            for parts in (known.new_module(path), _module(path))
        }
        names = {part for path in paths for part in _parts(path)}
        return cls(frozenset(modules), frozenset(names), known.files)

    def named(self, path: str, source: bytes, before: bytes) -> str | None:
        """Why a file would take answers from them; None if it does not say so."""
        if not self.modules:
            return None
        known = named_modules(path, before, self.modules, self.code)
        said = named_modules(path, source, self.modules, self.code)
        named = [name for name in said if name not in known]
        return f"names {', '.join(named)} of a hidden experiment's overlay" if named else None


def _module(path: str) -> tuple[str, ...]:
    """The parts of the name by which a Python file is imported from the root of the code."""
    parts = _parts(path)
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def _change(path: str, code: Path, pristine: Path, *, whole: bool) -> str | None:
    """What became of a file of the code; None if it is as it was."""
    if not (code / path).is_file():
        return "deleted" if whole else "deleted, or did not come out"
    same = (code / path).read_bytes() == (pristine / path).read_bytes()
    return None if same else "changed"


def _not_a_new_module(path: str, code: Path, known: _Known, pristine: Path) -> str | None:
    """Why a file that the agent created does not count; None if it does."""
    if not path.endswith(".py"):
        return "new file that is no Python module"
    pure = PurePosixPath(path)
    if replaced := [str(parent) for parent in pure.parents if str(parent) in known.files]:
        return f"lies where the file {replaced[0]} is"
    new, parts = known.new_name(path), _parts(path)
    if parts[-1] == "__init__" != new:  # of a new package
        parts = parts[:-1]
    if not all(part.isascii() and part.isidentifier() for part in parts):
        return "no importable module name"
    if new in _SPECIAL or any(part in _SPECIAL for part in parts):
        return "a name with a meaning of its own to Python or pytest"
    if new in known.names:
        return f"shadows {new} of the code base"
    package = pristine / pure.parent / "__init__.py"
    if package.is_file() and re.search(rb"\b" + new.encode() + rb"\b", package.read_bytes()):
        return f"shadows the name {new} of its package"
    source = _read(code / path)
    if source is None:
        return f"larger than {MAX_SOURCE_BYTES} bytes"
    return None


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
