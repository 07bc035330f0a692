"""Where the functions and statements of a Python file stand in its text (with libcst).

libcst gives the positions; every change is then made on the text itself, so that whatever
is not replaced stays as it is.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import libcst as cst
from libcst.metadata import CodePosition, MetadataWrapper, PositionProvider

from pytest_autoexp.masking.index import FunctionName, number
from pytest_autoexp.masking.source import NEWLINE, Edit, MaskingError, splice

RECURSION_LIMIT = 4_000
"""Depth of Python calls that is allowed while libcst walks a tree."""

_INDENT = re.compile(r"(?:[ \t\f]*\f)?([ \t]*)")
_FORM_FEED = re.compile(r"[ \t\f]*\f")
_REST_OF_LINE = re.compile(r"(?:[ \t\f;]|\\(?:\r\n|\r|\n))*(?:#[^\r\n]*)?")
_IDLE_LINE = re.compile(r"(?:\r\n|\r|\n)([ \t\f]*)(#[^\r\n]*)?(?=[\r\n]|\Z)")
_BLOCKS = (
    cst.BaseCompoundStatement,
    cst.IndentedBlock,
    cst.Else,
    cst.Finally,
    cst.ExceptHandler,
    cst.ExceptStarHandler,
    cst.MatchCase,
)
_STRINGS = (cst.SimpleString, cst.FormattedString, cst.TemplatedString)


@contextmanager
def lenient() -> Iterator[None]:
    """Let libcst take all that Python runs.

    It recurses: a table of 256 strings that are written side by side needs 1,500 calls.  And its
    nodes check themselves, whenever a tree is walked, as if they had been put together by hand:
    they refuse what their own parser takes, such as ``return(a if b else c)``.
    """
    limit, check = sys.getrecursionlimit(), cst.CSTNode.__post_init__
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    setattr(cst.CSTNode, "__post_init__", lambda _: None)  # noqa: B010 - mypy takes no other way
    try:
        yield
    finally:
        setattr(cst.CSTNode, "__post_init__", check)  # noqa: B010
        sys.setrecursionlimit(limit)


@dataclass(frozen=True)
class Statement:
    """One statement: a compound one, or a line of simple ones.

    Attributes:
        node: Its node.
        start: Offset of its first character, decorators included.
        end: Offset of the end of its last line; comments below that are indented deeper
            than the statement belong to it.
        line: Line of its first character, of its ``def`` or ``class`` if it is one.
    """

    node: cst.BaseStatement
    start: int
    end: int
    line: int


@dataclass(frozen=True)
class Function(Statement):
    """One function.

    Attributes:
        name: Its name.
        colon: Offset right after the colon that ends its header.
        body: Offset where the lines of its body start; the same as ``colon`` if the body
            stands on the line of the header.
        indent: White space before its ``def``.
        body_indent: White space before the statements of its body.
    """

    name: FunctionName
    colon: int
    body: int
    indent: str
    body_indent: str

    @property
    def on_one_line(self) -> bool:
        """True if the body stands on the line of the header."""
        return self.body == self.colon

    def __contains__(self, other: object) -> bool:
        """True if the other statement stands in the body of this one."""
        return isinstance(other, Statement) and self.colon <= other.start < self.end


class Layout:
    """A parsed file.

    libcst reproduces neither newlines of the old Macintosh nor form feeds in indentation;
    it is given a text without them, line by line the same, and its positions are moved back.

    Attributes:
        text: The file's text.
        module: Its syntax tree.
        functions: Its functions, in the order of the file.
        statements: Its statements at module level.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._line_starts = [0, *(found.end() for found in NEWLINE.finditer(text))]
        lines = NEWLINE.split(text)
        feeds = [found.end() if (found := _FORM_FEED.match(line)) else 0 for line in lines]
        self._code_starts = [s + f for s, f in zip(self._line_starts, feeds, strict=True)]
        plain = "\n".join(line[feed:] for line, feed in zip(lines, feeds, strict=True))
        try:
            with lenient():
                self.module = cst.parse_module(plain)
                wrapper = MetadataWrapper(self.module, unsafe_skip_copy=True)
                self._positions = wrapper.resolve(PositionProvider)
                reproduced = self.module.code.split("\n")
        except cst.ParserSyntaxError as error:
            problem = error.message.splitlines()[0]
            raise MaskingError(f"does not parse: line {error.raw_line}: {problem}") from error
        except RecursionError as error:
            raise MaskingError("does not parse: its code is nested too deeply") from error
        except MemoryError:
            raise
        except Exception as error:  # of whatever kind: it is about the text
            raise MaskingError(f"does not parse: {error}") from error
        # It loses empty lines at the end of a file, before one of blanks or an indented comment.
        given, reproduced = _without_end(plain.split("\n")), _without_end(reproduced)
        if len(reproduced) != len(given):
            raise MaskingError("libcst does not reproduce its lines")
        # It loses the blank of `except (A, B) :`, which shifts what stands behind on that line.
        pairs = enumerate(zip(reproduced, given, strict=True), start=1)
        self._shifted_lines = {line for line, (got, expected) in pairs if got != expected}
        self.functions = self._functions()
        self.statements = self.statements_of(self.module)

    @property
    def names(self) -> tuple[FunctionName, ...]:
        """Names of the functions, in the order of the file."""
        return tuple(function.name for function in self.functions)

    @cached_property
    def indent(self) -> str:
        """One level of indentation in this file."""
        return self.module.default_indent

    def newline_at(self, offset: int) -> str:
        """The newline that ends the line of an offset, or else that the file uses."""
        found = NEWLINE.search(self.text, offset) or NEWLINE.search(self.text)
        return found.group() if found else "\n"

    def line_start(self, offset: int) -> int:
        """Offset at which the line of an offset starts."""
        return self._line_starts[bisect_right(self._line_starts, offset) - 1]

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Offsets of the start and the end of a node, without white space around it."""
        place = self._positions[node]
        return self._offset(place.start), self._offset(place.end)

    def line(self, node: cst.CSTNode) -> int:
        """Line on which a node starts, counted from 1."""
        return self._positions[node].start.line

    def statements_of(self, parent: cst.Module | cst.ClassDef) -> tuple[Statement, ...]:
        """Statements of a module or class body; none if a class is written on one line."""
        body = parent.body.body if isinstance(parent, cst.ClassDef) else parent.body
        return tuple(
            Statement(node, *self._extent(node), self.line(node))
            for node in body
            if isinstance(node, cst.BaseStatement)
        )

    def visible(self, statement: Statement, hidden: Iterable[Function]) -> str:
        """Text of a statement with ``...`` in the place of the bodies of some functions."""
        inside = [f for f in hidden if statement.start <= f.start and f.end <= statement.end]
        edits = [Edit(f.colon - statement.start, f.end - statement.start, " ...") for f in inside]
        return splice(self.text[statement.start : statement.end], edits)

    def string_lines(self, function: Function) -> set[int]:
        """Offsets of the line starts in a body that lie inside a string."""
        inside: set[int] = set()
        for node, place in self._positions.items():
            if isinstance(node, _STRINGS) and place.start.line != place.end.line:
                inside.update(self._line_starts[place.start.line : place.end.line])
        return {start for start in inside if function.body <= start < function.end}

    def _offset(self, place: CodePosition) -> int:
        if place.line in self._shifted_lines:
            raise MaskingError(f"libcst does not reproduce its line {place.line}")
        return self._code_starts[place.line - 1] + place.column

    def _functions(self) -> tuple[Function, ...]:
        with lenient():
            found = list(_walk(self.module))
        names = number((qualified, self.line(node)) for qualified, node in found)
        return tuple(
            self._function(node, name) for (_, node), name in zip(found, names, strict=True)
        )

    def _function(self, node: cst.FunctionDef, name: FunctionName) -> Function:
        start, end = self._extent(node)
        indent = self._indent_at(start)
        block = node.body
        if isinstance(block, cst.IndentedBlock):
            colon, _ = self.span(block.header)
            body = self._line_starts[self._positions[block.header].start.line]
            body_indent = self._indent_at(self.span(block)[0])
        else:
            assert isinstance(block, cst.SimpleStatementSuite)
            colon, _ = self.span(block.leading_whitespace)
            body, body_indent = colon, ""
        if len(body_indent) <= len(indent) or not body_indent.startswith(indent):
            body_indent = indent + self.indent
        return Function(node, start, end, name.line, name, colon, body, indent, body_indent)

    def _indent_at(self, offset: int) -> str:
        found = _INDENT.match(self.text, self.line_start(offset))
        return found.group(1) if found else ""

    def _extent(self, node: cst.BaseStatement) -> tuple[int, int]:
        start, end = self.span(node)
        if isinstance(node, cst.FunctionDef | cst.ClassDef) and node.decorators:
            start = self.span(node.decorators[0])[0]
        rest = _REST_OF_LINE.match(self.text, end)
        end = rest.end() if rest else end
        own = _width(self._indent_at(start))
        scan = end
        while idle := _IDLE_LINE.match(self.text, scan):
            scan = idle.end()
            if idle.group(2) and _width(idle.group(1)) > own:
                end = scan
        return start, end


def _without_end(lines: list[str]) -> list[str]:
    """Lines without those at the end that are empty or hold a comment."""
    end = len(lines)
    while end and (not (line := lines[end - 1].strip()) or line.startswith("#")):
        end -= 1
    return lines[:end]


def _width(white_space: str) -> int:
    """Column to which white space leads; a form feed starts again at 0, a tab goes to 8."""
    return len(white_space.rpartition("\f")[2].expandtabs(8))


def _walk(module: cst.Module) -> Iterator[tuple[str, cst.FunctionDef]]:
    """Functions with their qualified names, in the order of the file."""
    stack: list[tuple[cst.CSTNode, str]] = [(module, "")]
    while stack:
        node, prefix = stack.pop()
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            qualified = prefix + unicodedata.normalize("NFKC", node.name.value)
            if isinstance(node, cst.FunctionDef):
                yield qualified, node
            prefix = qualified + "."
        inner = [child for child in node.children if isinstance(child, _BLOCKS)]
        stack += ((child, prefix) for child in reversed(inner))
