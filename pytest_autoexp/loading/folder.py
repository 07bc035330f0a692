"""Whether the files that a task.yaml names are there, inside the task's folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pytest_autoexp.loading.code import code_files, find_link_problems
from pytest_autoexp.loading.findings import Findings, KeyPath, quoted
from pytest_autoexp.loading.git import cached_checkout
from pytest_autoexp.loading.targets import find_target_problems
from pytest_autoexp.loading.yaml_lines import Document
from pytest_autoexp.model.task import GitSource

MAX_PAPER_BYTES = 16 * 1024**2
"""Largest paper that is read."""

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
    if "code" not in document.data or not findings.well_formed(("code",)):
        return
    code = code_source(document.data["code"], folder)
    if isinstance(code, GitSource):
        if not _is_relative(code.path):
            findings.add(("code", "path"), f"found {quoted(code.path)}; {_RELATIVE}")
            return
        checked_out = cached_checkout(code)
        if checked_out is not None and checked_out.is_dir():
            _check_targets(document, checked_out, findings)
    elif _check_code_folder(document.data["code"], folder, findings):
        _check_targets(document, code, findings)


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


def _check_code_folder(text: str, folder: Path, findings: Findings) -> bool:
    """True if the code is a folder of its own in the task's folder."""
    path: KeyPath = ("code",)
    code = folder / text
    if not _is_relative(text):
        findings.add(path, f"found {quoted(text)}; {_RELATIVE}")
    elif _leads_out(code, folder):
        findings.add(path, f"{quoted(text)} is a link out of the task's folder; allowed: a folder")
    elif not os.path.isdir(code):  # noqa: PTH112 - does not raise
        findings.add(path, f"there is no folder {quoted(text)} in the task's folder")
    elif os.path.realpath(code) == os.path.realpath(folder):
        message = f"{quoted(text)} is the task's folder, which holds the expected values"
        findings.add(path, f"{message}; allowed: a folder in it")
    else:
        return True
    return False


def _check_targets(document: Document, code: Path, findings: Findings) -> None:
    """Note each link that does not belong to the code, and each target that it does not have."""
    try:
        files = code_files(code)
        if isinstance(document.data["code"], str):
            for problem in find_link_problems(code):
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
