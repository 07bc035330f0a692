"""Changing a few values of a YAML text, and leaving everything else as it was written."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

SIGNIFICANT_DIGITS = 6
"""With how many digits a measured number is written, unless its tolerance asks for more."""

_MAX_DIGITS = 17  # as many as tell any two floats apart
_MAX_LINE_CHARS = 100
_INDENTATION = 2
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*(::[\w.#]+)?", re.ASCII)
_WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_ANCHOR = re.compile(r"&\S+[ \t]+")


@dataclass(frozen=True)
class Splice:
    """One change of a text.

    Attributes:
        start: Index of the first character that goes.
        end: Index behind the last one.
        text: What comes in their place.
    """

    start: int
    end: int
    text: str


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text with all changes made; they do not overlap."""
    for splice in sorted(splices, key=lambda s: (s.start, s.end), reverse=True):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


def rounded(value: float, tolerance: float) -> float:
    """A measured number with as few digits as are close enough to it; whole numbers stay.

    Args:
        value: The number.
        tolerance: How far a right value may be from it: a tenth of that is close enough.
    """
    if isinstance(value, int):
        return value
    for digits in range(SIGNIFICANT_DIGITS, _MAX_DIGITS):
        short = float(f"{value:.{digits}g}")
        if abs(short - value) <= tolerance / 10:
            return short + 0.0  # no negative zero
    return value


def says_the_same(written: float, value: float, tolerance: float) -> bool:
    """True if a number in the file needs no change: it is as close as a new one would be.

    One unit of the last digit is allowed for, so that a number on the edge of rounding does
    not change from run to run.
    """
    short = rounded(value, tolerance)
    if isinstance(short, int) or written == short:
        return written == short
    unit = 10.0 ** (int(f"{value:e}".partition("e")[2]) + 1 - SIGNIFICANT_DIGITS)
    return abs(written - value) <= min(unit, tolerance / 10)


def number_text(value: float) -> str:
    """A number as it is written: also a number to readers of YAML 1.1, such as ``1.0e-05``."""
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if mark and "." not in mantissa else text


def item_of(node: Any, name: str) -> tuple[Any, Any]:
    """The nodes of a key of a mapping and of its value.

    Raises:
        KeyError: If it has no such key.
    """
    for key, value in node.value:
        if key.value == name:
            return key, value
    raise KeyError(name)


def mapping_step(root: yaml.Node) -> int:
    """How much deeper than its key the first mapping of a file stands that is in block style."""
    waiting = [root]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(value, yaml.MappingNode) and not value.flow_style:
                    return int(value.start_mark.column - key.start_mark.column)
                waiting.append(value)
    return _INDENTATION


def scalar_span(text: str, node: yaml.ScalarNode) -> tuple[int, int]:
    """Where a scalar on one line stands, its anchor left out."""
    start, end = node.start_mark.index, node.end_mark.index
    if anchor := _ANCHOR.match(text, start, end):
        start = anchor.end()
    return start, end


def flow(value: Any) -> str:
    """Numbers and texts, lists and mappings of them, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_word(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return _word(value) if isinstance(value, str) else number_text(value)


def block_mapping(mapping: Mapping[str, Any], column: int, step: int) -> list[str]:
    """The lines of a mapping with one number or list on each.

    Args:
        mapping: What to write.
        column: Where its keys begin.
        step: How much deeper a mapping in it stands.
    """
    lines: list[str] = []
    for key, value in mapping.items():
        name = " " * column + _word(key) + ":"
        if isinstance(value, Mapping):
            lines += [name, *block_mapping(value, column + step, step)]
        else:
            lines += _wrapped(f"{name} {flow(value)}", value, " " * (column + step))
    return lines


def block_list(items: Sequence[str], column: int) -> list[str]:
    """The lines of a list of texts whose dashes stand in a column."""
    return [" " * column + f"- {_word(item)}" for item in items]


def block_in_place(text: str, key: yaml.Node, value: yaml.ScalarNode, lines: list[str]) -> Splice:
    """Put lines in the place of the value of a key of a block mapping.

    What stands behind the value on its line, a comment, stays where it is.

    Args:
        text: The file.
        key: The key.
        value: Its value, on the line of the key or on a line of its own.
        lines: What takes its place.
    """
    start, end = scalar_span(text, value)
    found = _LINE_BREAK.search(text)
    newline = found.group() if found else "\n"
    if value.start_mark.line != key.start_mark.line:
        line_start = start - value.start_mark.column
        return Splice(line_start, end, newline.join(lines))
    start = len(text[:start].rstrip(" \t"))
    found = _LINE_BREAK.search(text, end)
    line_end = found.start() if found else len(text)
    behind = text[end:line_end].rstrip(" \t")
    return Splice(start, line_end, newline.join([behind, *lines]))


def _word(text: str) -> str:
    """A text without quotes where nobody can take it for anything else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    return json.dumps(text, ensure_ascii=False)


def _wrapped(line: str, value: Any, indentation: str) -> list[str]:
    """A line, or several where it is a long list of numbers."""
    if not isinstance(value, list) or any(isinstance(item, list | Mapping) for item in value):
        return [line]
    return textwrap.wrap(
        line,
        _MAX_LINE_CHARS,
        subsequent_indent=indentation,
        break_long_words=False,
        break_on_hyphens=False,
    )
