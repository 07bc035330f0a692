"""The word ``auto`` in a task.yaml: metrics and depends that are still to be measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_autoexp.loading.findings import Findings, KeyPath
from pytest_autoexp.loading.yaml_lines import Document, read_yaml

AUTO = "auto"
"""Stands where ``pytest --autoexp-record`` is to write what it measures."""


@dataclass(frozen=True)
class Placeholders:
    """What is still to be measured.

    Attributes:
        metrics: Names of the experiments with ``metrics: auto``.
        depends: Names of the experiments with ``depends: auto``.
    """

    metrics: frozenset[str]
    depends: frozenset[str]


def find_placeholders(path: Path) -> Placeholders:
    """What is still to be measured in a task.yaml that was loaded.

    Raises:
        TaskError: If it cannot be read or is no YAML mapping.
    """
    found: dict[Any, set[str]] = {"metrics": set(), "depends": set()}
    for experiment, keys in _experiments(read_yaml(path)):
        for key in keys:
            found[key].add(experiment["name"])
    return Placeholders(frozenset(found["metrics"]), frozenset(found["depends"]))


def check_recorded(document: Document, file: Path, findings: Findings) -> None:
    """Note each ``auto``.

    Args:
        document: The task.yaml.
        file: Its path, as the user knows it.
        findings: Where problems go.
    """
    for index, (_, keys) in enumerate(_experiments(document)):
        for key in keys:
            path: KeyPath = ("experiments", index, key)
            findings.add(path, f"{AUTO}: not recorded yet; run pytest --autoexp-record {file}")


def without_auto(document: Document) -> Document:
    """The document as if each key with ``auto`` were not there."""
    experiments = [
        {key: value for key, value in item.items() if key not in keys} if keys else item
        for item, keys in _experiments(document)
    ]
    if not experiments:
        return document
    return replace(document, data={**document.data, "experiments": experiments})


def _experiments(document: Document) -> Iterator[tuple[Any, list[str]]]:
    """Each item of the list of experiments, and its keys that are ``auto``."""
    items = document.data.get("experiments")
    for item in items if isinstance(items, list) else ():
        given = item if isinstance(item, dict) else {}
        yield item, [key for key in ("metrics", "depends") if given.get(key) == AUTO]
