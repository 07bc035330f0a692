"""What is to be changed in a task.yaml: numbers where they stand, and whole values for auto."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pytest_autoexp.checking.yaml_text import (
    Splice,
    block_in_place,
    block_list,
    block_mapping,
    flow,
    item_of,
    mapping_step,
    number_text,
    rounded,
    says_the_same,
    scalar_span,
    spliced,
)
from pytest_autoexp.loading.auto import AUTO
from pytest_autoexp.loading.findings import Findings, KeyPath, described
from pytest_autoexp.loading.schema_check import check_schema
from pytest_autoexp.loading.yaml_lines import Document, parse_yaml
from pytest_autoexp.model.errors import TaskError
from pytest_autoexp.model.task import DEFAULT_RTOL, Metric
from pytest_autoexp.text import plural

_LIST_INDENTATION = 2
_METRIC_DEPTH = 3  # a metric's path: experiments, index, metrics, name
_NUMBERS = "allowed: finite numbers, lists and mappings of them"


@dataclass(frozen=True)
class Change:
    """One value that was written.

    Attributes:
        experiment: The experiment.
        key: The metric, such as ``losses[2]``; ``metrics`` or ``depends`` where the whole was
            written in the place of ``auto``.
        old: What stood there.
        new: What stands there now.
    """

    experiment: str
    key: str
    old: str
    new: str


class TaskEdit:
    """What is to be changed in one file.

    A place in the file is walked down in three trees at once: the parser's nodes, which know
    the positions, the data, which know the values, and what was measured.
    """

    def __init__(self, path: Path, raw: bytes) -> None:
        self.changes: list[Change] = []
        self.unlisted: dict[str, list[str]] = {}
        self._file = str(path)
        self._text = raw.decode("utf-8")
        self._document = parse_yaml(raw, self._file)
        self._findings = Findings(self._file, self._document.lines)
        self._wanted: dict[str, Any] = copy.deepcopy(self._document.data)
        self._splices: dict[int, Splice] = {}
        root = yaml.compose(self._text, Loader=yaml.SafeLoader)
        assert root is not None
        self._experiments_key, self._experiments = item_of(root, "experiments")
        self._step = mapping_step(root)

    def metrics(self, index: int, measured: Mapping[str, Any]) -> None:
        """Take over what an experiment reported."""
        path: KeyPath = ("experiments", index, "metrics")
        key, node = item_of(self._experiments.value[index], "metrics")
        if _at(self._document, path) != AUTO:
            self._mapping(path, node, measured, Metric(0.0))
            return
        if not measured:
            self._findings.add(path, f"{described(measured)} is reported; {_NUMBERS}")
            return
        value = self._rounded(path, measured)
        lines = block_mapping(value, key.start_mark.column + self._step, self._step)
        self._replace_auto(path, key, node, value, lines)

    def depends(self, index: int, targets: list[str]) -> None:
        """Take over the functions on which an experiment depends, where it says ``auto``."""
        path: KeyPath = ("experiments", index, "depends")
        if self._document.data["experiments"][index].get("depends") != AUTO:
            return
        if not targets:
            what = "no function that is called moves a metric of this experiment"
            self._findings.add(path, f"{what}; allowed: experiments that some function moves")
            return
        key, node = item_of(self._experiments.value[index], "depends")
        deeper = _LIST_INDENTATION
        if not self._experiments.flow_style:
            columns = self._experiments.start_mark.column, self._experiments_key.start_mark.column
            deeper = columns[0] - columns[1]
        lines = block_list(targets, key.start_mark.column + deeper)
        self._replace_auto(path, key, node, targets, lines)

    def content(self) -> bytes:
        """The changed file.

        Raises:
            TaskError: If it does not fit what was measured, or would not be read as it is meant.
        """
        self._findings.raise_if_any()
        content = spliced(self._text, self._splices.values()).encode("utf-8")
        try:
            document = parse_yaml(content, self._file)
        except TaskError:
            document = Document({}, self._document.lines)
        findings = Findings(self._file, document.lines)
        if document.data == self._wanted:
            check_schema(document, findings)
        else:
            findings.add(("experiments",), "too unusual to be rewritten: write the values by hand")
        findings.raise_if_any()
        return content

    def _replace_auto(
        self, path: KeyPath, key: yaml.Node, node: Any, value: Any, lines: list[str]
    ) -> None:
        """Write a whole mapping or list, in block style unless it stands in flow style."""
        if self._experiments.value[path[1]].flow_style:
            splice = Splice(*scalar_span(self._text, node), flow(value))
        else:
            splice = block_in_place(self._text, key, node, lines)
        self._add(path, splice, value)
        noun = "metric" if path[2] == "metrics" else "function"
        self._note(path, str(path[2]), AUTO, plural(len(value), noun))

    def _add(self, path: KeyPath, splice: Splice, value: Any) -> None:
        if self._splices.setdefault(splice.start, splice) != splice:
            message = "shares its value with another by an alias, but they differ"
            self._findings.add(path, f"{message}; allowed: values of its own")
        holder = self._wanted
        for name in path[:-1]:
            holder = holder[name]  # type: ignore[index]  # of the shape that the path has
        holder[path[-1]] = value  # type: ignore[index]

    def _note(self, path: KeyPath, key: str, old: str, new: str) -> None:
        self.changes.append(Change(self._name(path), key, old, new))

    def _name(self, path: KeyPath) -> str:
        return str(_at(self._document, (*path[:2], "name")))

    def _value(self, path: KeyPath, node: Any, measured: Any, usual: Metric) -> None:
        """Compare one value of the file with what was measured; ``usual`` has the tolerances."""
        given = _at(self._document, path)
        if isinstance(given, Mapping) and "value" in given:
            rtol, atol = given.get("rtol", usual.rtol), given.get("atol", usual.atol)
            inner = Metric(0.0, rtol, atol)
            self._value((*path, "value"), item_of(node, "value")[1], measured, inner)
        elif isinstance(given, Mapping):
            self._mapping(path, node, measured, usual)
        elif isinstance(given, list):
            self._list(path, node, measured, usual)
        elif self._is_number(path, measured):
            self._number(path, node, measured, usual)

    def _mapping(self, path: KeyPath, node: Any, measured: Any, usual: Metric) -> None:
        if not isinstance(measured, Mapping):
            self._findings.add(path, f"a mapping, but {described(measured)} is reported")
            return
        given = _at(self._document, path)
        for name in given:
            if name in measured:
                self._value((*path, name), item_of(node, name)[1], measured[name], usual)
            else:
                message = "the experiment does not report it any more"
                self._findings.add((*path, name), f"{message}; allowed: metrics that it reports")
        for name in measured:
            if name not in given:
                unlisted = self.unlisted.setdefault(self._name(path), [])
                unlisted.append(_leaf((*path, name)))

    def _list(self, path: KeyPath, node: Any, measured: Any, usual: Metric) -> None:
        length = len(_at(self._document, path))
        if not isinstance(measured, list) or len(measured) != length:
            message = f"a list of {length}, but {described(measured)} is reported"
            self._findings.add(path, f"{message}; allowed: {AUTO} for all metrics, or its shape")
            return
        for index, value in enumerate(measured):
            self._value((*path, index), node.value[index], value, usual)

    def _number(self, path: KeyPath, node: Any, value: float, usual: Metric) -> None:
        tolerance = Metric(value, usual.rtol, usual.atol).tolerance(DEFAULT_RTOL)
        given = _at(self._document, path)
        start, end = scalar_span(self._text, node)
        old = self._text[start:end]
        if says_the_same(given, value, tolerance):
            new, short = old, given
        else:
            short = rounded(value, tolerance)
            new = number_text(short)
            self._note(path, _leaf(path), old, new)
        self._add(path, Splice(start, end, new), short)

    def _is_number(self, path: KeyPath, measured: Any) -> bool:
        """True for a number; otherwise the problem is noted."""
        if isinstance(measured, int | float) and not isinstance(measured, bool):
            with suppress(OverflowError):
                if math.isfinite(measured):
                    return True
        self._findings.add(path, f"{described(measured)} is reported; {_NUMBERS}")
        return False

    def _rounded(self, path: KeyPath, measured: Any) -> Any:
        """Everything that was measured, as it is to be written."""
        if isinstance(measured, Mapping) and measured:
            if "value" in measured and len(path) > _METRIC_DEPTH:
                message = 'found the name "value", which stands for a number with its tolerance'
                self._findings.add((*path, "value"), f"{message}; allowed: other names")
            return {name: self._rounded((*path, name), item) for name, item in measured.items()}
        if isinstance(measured, list) and measured:
            return [self._rounded((*path, index), item) for index, item in enumerate(measured)]
        if not self._is_number(path, measured):
            return 0
        return rounded(measured, DEFAULT_RTOL * abs(measured))


def _at(document: Document, path: KeyPath) -> Any:
    value: Any = document.data
    for key in path:
        value = value[key]
    return value


def _leaf(path: KeyPath) -> str:
    """The name of a metric, as verdicts have it: ``losses[2]``, ``gaps.low``."""
    text = str(path[_METRIC_DEPTH])
    for key in path[_METRIC_DEPTH + 1 :]:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text
