"""Two versions of a file, and which statements of them belong together."""

from __future__ import annotations

import ast
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from pytest_autoexp.masking.index import parse_ast
from pytest_autoexp.masking.layout import Layout, Statement
from pytest_autoexp.masking.locate import Located, Place
from pytest_autoexp.masking.source import NEWLINE


@dataclass(frozen=True)
class Version:
    """One version of a file.

    Attributes:
        layout: The parsed file.
        masked: Its masked functions, whose bodies do not matter here.
    """

    layout: Layout
    masked: Located

    def outline(self, statement: Statement) -> str:
        """Text of a statement without masked bodies, white space evened out."""
        return " ".join(self._visible(statement).split())

    def meaning(self, statement: Statement) -> str:
        """What the running Python makes of that text; empty if it cannot parse it."""
        return self._meaning(statement.start, self._visible(statement))

    def header(self, statement: Statement) -> tuple[str, str]:
        """Decorators, name and bases of a class: their text and what they mean."""
        block = cst.ensure_type(
            cst.ensure_type(statement.node, cst.ClassDef).body, cst.IndentedBlock
        )
        end, _ = self.layout.span(block.header)
        text = self.layout.text[statement.start : end]
        return " ".join(text.split()), self._meaning(statement.start, f"{text} ...")

    def place(self, statement: Statement) -> Place | None:
        """The place of a statement that is one of the masked functions."""
        return self._places.get(statement.start)

    def is_earlier(self, statement: Statement) -> bool:
        """True for a function that is replaced by a masked one of its name."""
        return statement.start in self._earlier

    @cached_property
    def _places(self) -> dict[int, Place]:
        return {function.start: place for place, function in self.masked.functions.items()}

    @cached_property
    def _earlier(self) -> frozenset[int]:
        return frozenset(function.start for function in self.masked.earlier)

    def _visible(self, statement: Statement) -> str:
        return self.layout.visible(statement, self.masked.functions.values())

    def _meaning(self, start: int, text: str) -> str:
        indent = self.layout.text[self.layout.line_start(start) : start]
        try:
            return ast.dump(parse_ast(f"if 1:\n{indent}{text}" if indent.strip("\f") else text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ""


def same(pristine: Version, our: Statement, agent: Version, their: Statement) -> bool:
    """True if two statements differ in nothing but their format and the bodies of masked ones."""
    if pristine.outline(our) == agent.outline(their):
        return True
    meaning = pristine.meaning(our)
    return bool(meaning) and meaning == agent.meaning(their)


def same_header(pristine: Version, our: Statement, agent: Version, their: Statement) -> bool:
    """True if the headers of two classes differ in nothing but their format."""
    our_text, our_meaning = pristine.header(our)
    their_text, their_meaning = agent.header(their)
    return our_text == their_text or (bool(our_meaning) and our_meaning == their_meaning)


def pair(
    pristine: Version, ours: Sequence[Statement], agent: Version, theirs: Sequence[Statement]
) -> dict[int, int]:
    """Which statements belong together.

    First the masked functions, then statements that are the same, then those that mean the
    same, and last those that open in the same way.

    Args:
        pristine: The pristine file.
        ours: Its statements at one level.
        agent: The agent's version.
        theirs: Its statements at that level.

    Returns:
        Index of our statement by index of theirs.
    """
    pairs: dict[int, int] = {}
    for key in (_place, Version.outline, Version.meaning, _opening):
        free: dict[str, deque[int]] = defaultdict(deque)
        used = set(pairs.values())
        for index, statement in enumerate(ours):
            if index not in used:
                free[key(pristine, statement)].append(index)
        free.pop("", None)
        for index, statement in enumerate(theirs):
            is_free = free and index not in pairs and not agent.is_earlier(statement)
            if is_free and (found := free.get(key(agent, statement))):
                pairs[index] = found.popleft()
    return pairs


def _place(version: Version, statement: Statement) -> str:
    place = version.place(statement)
    return f"{place[0]}#{place[1]}" if place else ""


def _opening(version: Version, statement: Statement) -> str:
    """``def name``, ``class name`` or the first line of a block; empty for simple statements."""
    node = statement.node
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        return f"{type(node).__name__} {node.name.value}"
    if isinstance(node, cst.BaseCompoundStatement):
        first, *_ = NEWLINE.split(version.layout.text[statement.start : statement.end], maxsplit=1)
        return first
    return ""
