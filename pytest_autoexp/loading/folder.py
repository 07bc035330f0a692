"""Whether the files that a task.yaml names are there, inside the task's folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pytest_autoexp.loading.code import (
    TASK_FILE,
    code_files,
    find_link_problems,
    find_overlay_problems,
    find_task_files,
)
from pytest_autoexp.loading.findings import Findings, KeyPath, quoted
from pytest_autoexp.loading.git import cached_checkout
from pytest_autoexp.loading.targets import find_target_problems
from pytest_autoexp.loading.yaml_lines import Document
from pytest_autoexp.model.task import GitSource
from pytest_autoexp.sandbox.conda import CondaFileError, parse_conda

MAX_PAPER_BYTES = 16 * 1024**2
"""Largest paper that is read."""

_ANSWERS = (TASK_FILE, "checked.json", "mistakes.yaml", "equivalent.yaml", "alternatives")
_RELATIVE = 'allowed: a relative path with forward slashes and without ".."'


def code_source(code: str | Mapping[str, str], folder: Path) -> Path | GitSource:
    """Where the code lies that the checked key ``code`` names."""
    if isinstance(code, Mapping):
        return GitSource(code["git"], code["rev"], code.get("path", "."))
    return folder / code


def check_folder(document: Document, folder: Path, findings: Findings) -> None:
    """Note each file that is missing or unfit, and each target that the code does not have.

    Args:
        document: The task.yaml.
        folder: The task's folder.
        findings: Where problems go; keys that have some already are not looked at.
    """
    if text := _text_at(document, findings, ("paper", "file")):
        _check_paper(text, folder, findings)
    if text := _text_at(document, findings, ("environment", "dockerfile")):
        path: KeyPath = ("environment", "dockerfile")
        _existing_file(text, folder, path, findings)
    if text := _text_at(document, findings, ("environment", "conda")):
        _check_conda(text, folder, findings)
    if "code" not in document.data or not findings.well_formed(("code",)):
        return
    code = code_source(document.data["code"], folder)
    if isinstance(code, GitSource):
        if not _is_relative(code.path):
            findings.add(("code", "path"), f"found {quoted(code.path)}; {_RELATIVE}")
            return
        checked_out = cached_checkout(code)
        known = checked_out if checked_out is not None and checked_out.is_dir() else None
    else:
        text = document.data["code"]
        fits = _check_inner_folder(text, folder, ("code",), findings)
        known = code if fits else None
        if fits:
            why = "which agents see where the paper is withheld, too"
            _check_paper_apart(document, folder, text, why, findings)
    if known is not None:
        _check_targets(document, known, findings)
    _check_overlays(document, folder, known, findings)


def _text_at(document: Document, findings: Findings, path: tuple[str, str]) -> str:
    """The text at a key of a section, or an empty text if it is not there or not usable."""
    section = document.data.get(path[0])
    value = section.get(path[1], "") if isinstance(section, dict) else ""
    return value if isinstance(value, str) and findings.well_formed(path) else ""


def _is_relative(text: str) -> bool:
    path = PurePosixPath(text)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in text


def _leads_out(path: Path, folder: Path) -> bool:
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _existing_file(text: str, folder: Path, path: KeyPath, findings: Findings) -> Path | None:
    """The file that a key names, or None with a problem noted."""
    file = folder / text
    if not _is_relative(text):
        findings.add(path, f"found {quoted(text)}; {_RELATIVE}")
    elif _leads_out(file, folder):
        findings.add(path, f"{quoted(text)} is a link out of the task's folder; allowed: a file")
    elif not os.path.isfile(file):  # noqa: PTH113 - does not raise
        findings.add(path, f"there is no file {quoted(text)} in the task's folder")
    else:
        return file
    return None


def _check_paper(text: str, folder: Path, findings: Findings) -> None:
    path: KeyPath = ("paper", "file")
    file = _existing_file(text, folder, path, findings)
    if file is None:
        return
    if any(_overlap(file, folder / name) for name in _ANSWERS):
        message = f"{quoted(text)} holds what no agent may see"
        findings.add(path, f"{message}; allowed: the paper's text")
        return
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_PAPER_BYTES + 1)
        if len(content) > MAX_PAPER_BYTES:
            findings.add(path, f"{quoted(text)} is larger than {MAX_PAPER_BYTES // 1024**2} MiB")
        elif not content.decode("utf-8").strip():
            findings.add(path, f"{quoted(text)} is empty; allowed: the paper's text")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"{quoted(text)} is not UTF-8 on its line {line}; allowed: UTF-8 text"
        findings.add(path, message)
    except OSError as error:
        findings.add(path, f"{quoted(text)} cannot be read: {error.strerror}")


def _check_paper_apart(
    document: Document, folder: Path, inner: str, why: str, findings: Findings
) -> None:
    """Note the paper if it lies in a folder of the task that must not hold it."""
    text = _text_at(document, findings, ("paper", "file"))
    is_file = bool(text) and os.path.isfile(folder / text)  # noqa: PTH113 - does not raise
    if is_file and _overlap(folder / text, folder / inner):
        message = f"{quoted(text)} lies in {quoted(inner)}, {why}"
        findings.add(("paper", "file"), f"{message}; allowed: a file beside it")


def _check_conda(text: str, folder: Path, findings: Findings) -> None:
    path: KeyPath = ("environment", "conda")
    file = _existing_file(text, folder, path, findings)
    if file is None:
        return
    try:
        parse_conda(file.read_bytes())
    except CondaFileError as error:
        allowed = "allowed: a YAML mapping with dependencies, as conda exports it"
        findings.add(path, f"{quoted(text)} {error}; {allowed}")
    except OSError as error:
        findings.add(path, f"{quoted(text)} cannot be read: {error.strerror}")


def _check_inner_folder(text: str, folder: Path, path: KeyPath, findings: Findings) -> bool:
    """True if a key names a folder of its own in the task's folder."""
    inner = folder / text
    if not _is_relative(text):
        findings.add(path, f"found {quoted(text)}; {_RELATIVE}")
    elif _leads_out(inner, folder):
        findings.add(path, f"{quoted(text)} is a link out of the task's folder; allowed: a folder")
    elif not os.path.isdir(inner):  # noqa: PTH112 - does not raise
        findings.add(path, f"there is no folder {quoted(text)} in the task's folder")
    elif os.path.realpath(inner) == os.path.realpath(folder):
        message = f"{quoted(text)} is the task's folder, which holds the expected values"
        findings.add(path, f"{message}; allowed: a folder in it")
    else:
        return True
    return False


def _check_overlays(
    document: Document, folder: Path, code: Path | None, findings: Findings
) -> None:
    """Note each overlay that is no folder of its own, and each of its files that the code has."""
    experiments = document.data.get("experiments")
    for index, item in enumerate(experiments if isinstance(experiments, list) else ()):
        path: KeyPath = ("experiments", index, "overlay")
        text = item.get("overlay") if isinstance(item, dict) else None
        if not isinstance(text, str) or not findings.well_formed(path):
            continue
        if not _check_inner_folder(text, folder, path, findings):
            continue
        _check_paper_apart(document, folder, text, "which no agent may see", findings)
        overlay = folder / text
        if code is not None and _overlap(overlay, code):
            message = f"{quoted(text)} and the code lie in one another"
            findings.add(path, f"{message}; allowed: a folder beside the code")
        elif code is not None:
            for problem in find_overlay_problems(overlay, code):
                findings.add(path, problem)


def _overlap(one: Path, other: Path) -> bool:
    """True if one of two files or folders is the other, or lies in it."""
    paths = Path(os.path.realpath(one)), Path(os.path.realpath(other))
    return paths[0].is_relative_to(paths[1]) or paths[1].is_relative_to(paths[0])


def _check_targets(document: Document, code: Path, findings: Findings) -> None:
    """Note what does not belong to the code, and each target that it does not have."""
    try:
        files = code_files(code)
        if isinstance(document.data["code"], str):
            for problem in find_link_problems(code):
                findings.add(("code",), problem)
        for problem in find_task_files(code, files):
            findings.add(("code",), problem)
    except OSError as error:
        findings.add(("code",), f"{error.filename!r} cannot be read: {error.strerror}")
        return
    functions = document.data.get("functions")
    targets = {
        index: item["target"]
        for index, item in enumerate(functions if isinstance(functions, list) else ())
        if isinstance(item, dict) and "target" in item
        if findings.well_formed(("functions", index, "target"))
    }
    indices = list(targets)
    for position, message in find_target_problems(list(targets.values()), code, files):
        findings.add(("functions", indices[position], "target"), message)
