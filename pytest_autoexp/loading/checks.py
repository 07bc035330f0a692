"""What has to hold between the keys of a task.yaml, which a JSON schema cannot say."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from pytest_autoexp.loading.findings import Findings, KeyPath, dotted, listed, nearest, quoted
from pytest_autoexp.loading.yaml_lines import Document


def check_requirements(document: Document, findings: Findings) -> None:
    """Note each requirement that pip would not take."""
    path: KeyPath = ("environment", "requirements")
    for index, text in enumerate(_usable(document, findings, path) or ()):
        if findings.enough:
            return
        try:
            Requirement(text)
        except InvalidRequirement as error:
            why = str(error).splitlines()[0]
            allowed = 'allowed: a requirement as pip takes it, such as "numpy>=1.26"'
            findings.add((*path, index), f"found {quoted(text)} ({why}); {allowed}")


def check_functions(document: Document, findings: Findings) -> None:
    """Note each target that is given twice, and each on which no experiment depends."""
    first: dict[str, int] = {}
    for path, target in _each(document, findings, "functions", "target"):
        if target in first:
            _note_repeated(findings, path, target, ("functions", first[target], "target"))
        elif isinstance(path[1], int):
            first[target] = path[1]
    if not findings.well_formed(("experiments",)):
        return
    depends = [item.get("depends", first) for item in document.data["experiments"]]
    needed = {target for targets in depends for target in targets}
    for target, index in first.items():
        if target not in needed:
            message = f"no experiment depends on {quoted(target)}, so masking it changes nothing"
            allowed = "allowed: functions that some experiment's depends names"
            findings.add(("functions", index, "target"), f"{message}; {allowed}")


def check_experiments(document: Document, findings: Findings) -> None:
    """Note what is wrong between experiments, and between the keys of each of them."""
    first: dict[str, KeyPath] = {}
    for path, name in _each(document, findings, "experiments", "name"):
        if first.setdefault(name, path) != path:
            _note_repeated(findings, path, name, first[name])
    experiments = list(_each(document, findings, "experiments"))
    if experiments and all(item.get("hidden") is True for _, item in experiments):
        message = "all are hidden; allowed: at least one that the agent sees"
        findings.add(("experiments",), message)
    for path, metrics in _each(document, findings, "experiments", "metrics"):
        for name, value in metrics.items():
            _check_zeros(value, (*path, name), None, findings)
    targets = _targets(document)
    for path, depends in _each(document, findings, "experiments", "depends"):
        _check_depends(path, depends, targets, findings)
    for path, capture in _each(document, findings, "experiments", "capture"):
        metrics = _usable(document, findings, (*path[:-1], "metrics"))
        for name, expression in capture.items():
            _check_expression(expression, (*path, name), findings)
        if metrics is not None:
            _check_captured(path, capture, metrics, findings)


def _usable(document: Document, findings: Findings, path: KeyPath) -> Any:
    """The value at a path, or None if it is not there or something is wrong with it."""
    value: Any = document.data
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value if findings.well_formed(path) else None


def _each(
    document: Document, findings: Findings, section: str, key: str = ""
) -> Iterator[tuple[KeyPath, Any]]:
    """Path and value of each mapping of a list, or of one key of it, that can be used."""
    items = document.data.get(section)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if findings.enough:
            return
        path: KeyPath = (section, index, key) if key else (section, index)
        value = _usable(document, findings, path) if key else item
        if isinstance(item, dict) and value is not None:
            yield path, value


def _note_repeated(findings: Findings, path: KeyPath, name: str, first: KeyPath) -> None:
    findings.add(path, f"found {quoted(name)}, as {dotted(first)} is; allowed: each once")


def _check_zeros(value: Any, path: KeyPath, atol: float | None, findings: Findings) -> None:
    """Note each expected 0 without an absolute tolerance."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check_zeros(item, (*path, index), atol, findings)
    elif isinstance(value, dict) and "value" in value:
        _check_zeros(value["value"], (*path, "value"), value.get("atol", atol), findings)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_zeros(item, (*path, name), atol, findings)
    elif value == 0 and not atol:
        message = "found 0, of which a relative tolerance is 0 too"
        findings.add(path, f"{message}; allowed: {{value: 0, atol: a number above 0}}")


def _targets(document: Document) -> dict[str, None]:
    """Every target of the task in order, those of functions that have other problems too."""
    functions = document.data.get("functions")
    entries = functions if isinstance(functions, list) else []
    targets = [item.get("target") for item in entries if isinstance(item, dict)]
    return dict.fromkeys(target for target in targets if isinstance(target, str))


def _check_depends(
    path: KeyPath, depends: list[str], targets: Mapping[str, None], findings: Findings
) -> None:
    """Note each target that no function of the task has, and each that is given twice."""
    first: dict[str, int] = {}
    for index, target in enumerate(depends):
        if findings.enough:
            return
        here = (*path, index)
        if first.setdefault(target, index) != index:
            _note_repeated(findings, here, target, (*path, first[target]))
        elif target not in targets and targets:
            hint = nearest(target, targets) or ";"
            message = f"found {quoted(target)}, which is none of the task's functions"
            findings.add(here, f"{message}{hint} allowed: {listed(targets)}")


def _check_expression(expression: str, path: KeyPath, findings: Findings) -> None:
    """Note a regular expression that does not compile or does not say which group counts."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as FutureWarning: possible nested set
            compiled = re.compile(expression, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        findings.add(path, f"found {quoted(expression)}, no regular expression: {error}")
        return
    if compiled.groups != 1 and "value" not in compiled.groupindex:
        message = f"found {quoted(expression)} with {compiled.groups} groups"
        findings.add(path, f"{message}; allowed: one group, or one that is named value")


def _check_captured(
    path: KeyPath, capture: Mapping[str, str], metrics: Mapping[str, Any], findings: Findings
) -> None:
    """Note where the captured names and the metrics do not fit each other."""
    for name in capture:
        if name not in metrics:
            hint = nearest(name, metrics) or ";"
            message = f"found {quoted(name)}, which is no metric of the experiment"
            findings.add((*path, name), f"{message}{hint} allowed: {listed(metrics)}")
    for name, value in metrics.items():
        plain = value.get("value") if isinstance(value, dict) else value
        if name not in capture:
            message = f"gives no {quoted(name)}; allowed: an expression for every metric"
            findings.add(path, message)
        elif isinstance(plain, list | dict) or plain is None:
            message = f"captures {quoted(name)}, which is no single number"
            findings.add((*path, name), f"{message}; allowed: metrics that are one number")
