"""The author's notes beside a task: YAML lists of entries whose values are all text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from pytest_autoexp.loading.findings import listed
from pytest_autoexp.model.errors import Problem, TaskError


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        index: Its place in the file, counted from 0.
        line: Where it begins, counted from 1.
        values: Its values by key, as they are written.
    """

    index: int
    line: int
    values: Mapping[str, str]

    def problem(self, file: Path, key: str, message: str) -> Problem:
        """Something that is wrong with it."""
        return Problem(str(file), self.line, f"[{self.index}].{key}", message)


def read_notes(file: Path, keys: Collection[str]) -> tuple[Entry, ...]:
    """Read the entries of a file.

    Args:
        file: A YAML list of mappings; there are no entries if it does not exist.
        keys: The keys that each entry has.

    Raises:
        TaskError: If it cannot be read, or an entry has other keys or values.
    """
    if not file.exists():
        return ()
    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise _fatal(file, 1, f"cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise _fatal(file, line, f"not valid YAML: {getattr(error, 'problem', error)}") from error
    if root is None:
        return ()
    if not isinstance(root, yaml.SequenceNode):
        raise _fatal(file, 1, f"the top level is no list; allowed: a list of {listed(keys)}")
    problems = [p for i, node in enumerate(root.value) for p in _problems(file, i, node, keys)]
    if problems:
        raise TaskError(tuple(problems))
    return tuple(
        Entry(i, node.start_mark.line + 1, {key.value: value.value for key, value in node.value})
        for i, node in enumerate(root.value)
    )


def _problems(file: Path, index: int, node: yaml.Node, keys: Collection[str]) -> Iterator[Problem]:
    """What is wrong with the form of an entry."""
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        message = f"is no mapping; allowed: a mapping with {listed(keys)}"
        yield Problem(str(file), line, f"[{index}]", message)
        return
    found = [key.value for key, _ in node.value]
    if sorted(map(str, found)) != sorted(keys):
        message = f"has the keys {listed(map(str, found))}; allowed, and all needed: {listed(keys)}"
        yield Problem(str(file), line, f"[{index}]", message)
    for key, value in node.value:
        # Nothing is no text, quotes with nothing in them are.
        if not isinstance(value, yaml.ScalarNode) or not (value.value.strip() or value.style):
            message = "is no text; allowed: text, in quotes where it is empty"
            yield Problem(str(file), value.start_mark.line + 1, f"[{index}].{key.value}", message)


def _fatal(file: Path, line: int, message: str) -> TaskError:
    return TaskError((Problem(str(file), line, "(file)", message),))
