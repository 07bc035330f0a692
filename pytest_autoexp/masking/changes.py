"""How an agent's version of a file differs from the pristine one, statement by statement."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from pytest_autoexp.masking.additions import (
    Pristine,
    bound_names,
    judge,
    small_statements,
    snippet,
)
from pytest_autoexp.masking.layout import Function, Layout, Statement
from pytest_autoexp.masking.source import NEWLINE


@dataclass(frozen=True)
class Addition:
    """A statement to insert at module level.

    Attributes:
        after: Index of the pristine statement that it follows; -1 to stand before all.
        code: Its text.
    """

    after: int
    code: str


@dataclass(frozen=True)
class Version:
    """One version of a file.

    Attributes:
        layout: The parsed file.
        masked: Its masked functions, whose bodies do not matter here.
    """

    layout: Layout
    masked: Collection[Function]

    def outline(self, statement: Statement) -> str:
        """What of a statement is compared."""
        return self.layout.outline(statement, self.masked)


@dataclass(frozen=True)
class Compared:
    """What an agent changed outside the masked bodies.

    Attributes:
        additions: What counts of it, in the order of the agent's file.
        dropped: A line for each thing that does not.
    """

    additions: tuple[Addition, ...]
    dropped: tuple[str, ...]


def compare(pristine: Version, agent: Version) -> Compared:
    """Find every statement of the agent's file that the pristine one lacks, and the reverse.

    Args:
        pristine: The masked file.
        agent: The agent's version of it.

    Returns:
        What to add to the pristine file, and what is dropped.
    """
    ours, theirs = pristine.layout.statements, agent.layout.statements
    pairs = _pair(pristine, ours, agent, theirs)
    known = Pristine(pristine.layout)
    top = after = _last_at_top(ours)
    additions: list[Addition] = []
    dropped: list[str] = []
    for index, statement in enumerate(theirs):
        if (partner := pairs.get(index)) is not None:
            after = max(partner, top)
            dropped += _changed(pristine, ours[partner], agent, statement, "")
        else:
            judged = judge(statement, agent.layout, known)
            additions += (Addition(after, code) for code in judged.code)
            dropped += judged.dropped
    removed = _removed(pristine, ours, pairs)
    bound = {name for statement in theirs for name in _names(statement)} if removed else set()
    for statement in removed:
        names = _names(statement)
        if not names or not names <= bound:
            dropped.append(f"removed {_describe(pristine.layout, statement, '')}")
    return Compared(tuple(additions), tuple(dropped))


def _pair(
    pristine: Version, ours: Sequence[Statement], agent: Version, theirs: Sequence[Statement]
) -> dict[int, int]:
    """Index of our statement by index of theirs: those that are the same or have one opening."""
    pairs: dict[int, int] = {}
    for key in (Version.outline, _opening):
        free: dict[str, deque[int]] = defaultdict(deque)
        used = set(pairs.values())
        for index, statement in enumerate(ours):
            if index not in used:
                free[key(pristine, statement)].append(index)
        free.pop("", None)
        for index, statement in enumerate(theirs):
            if index not in pairs and (found := free.get(key(agent, statement))):
                pairs[index] = found.popleft()
    return pairs


def _removed(
    pristine: Version, ours: Sequence[Statement], pairs: dict[int, int]
) -> list[Statement]:
    """Our statements that the agent's file lacks; that of masked functions is told elsewhere."""
    used = set(pairs.values())
    told = {function.start for function in pristine.masked}
    return [s for index, s in enumerate(ours) if index not in used and s.start not in told]


def _names(statement: Statement) -> set[str]:
    return {name for part in small_statements(statement) for name in bound_names(part)}


def _opening(version: Version, statement: Statement) -> str:
    """``def name``, ``class name`` or the first line of a block; empty for simple statements."""
    node = statement.node
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        return f"{type(node).__name__} {node.name.value}"
    if isinstance(node, cst.BaseCompoundStatement):
        first, *_ = NEWLINE.split(version.layout.text[statement.start : statement.end], maxsplit=1)
        return first
    return ""


def _last_at_top(statements: Sequence[Statement]) -> int:
    """Index of the last of the docstring and the ``__future__`` imports; -1 without any."""
    last = -1
    for index, statement in enumerate(statements):
        first = small_statements(statement)[0]
        is_docstring = index == 0 and isinstance(first, cst.Expr)
        is_future = (
            isinstance(first, cst.ImportFrom)
            and isinstance(first.module, cst.Name)
            and first.module.value == "__future__"
        )
        if not (is_docstring or is_future):
            break
        last = index
    return last


def _changed(
    pristine: Version, our: Statement, agent: Version, their: Statement, prefix: str
) -> Iterator[str]:
    """Lines on the difference of two statements that belong together."""
    if pristine.outline(our) == agent.outline(their):
        return
    line = f"(line {their.line})"
    if isinstance(our.node, cst.FunctionDef):
        masked = any(function.start == our.start for function in pristine.masked)
        what = "signature of" if masked else "function"
        yield f"changed {what} {prefix}{our.node.name.value} {line}"
    elif isinstance(our.node, cst.ClassDef) and isinstance(their.node, cst.ClassDef):
        yield from _changed_class(pristine, our, agent, their, prefix)
    else:
        yield f"changed {_describe(agent.layout, their, prefix)}"


def _changed_class(
    pristine: Version, our: Statement, agent: Version, their: Statement, prefix: str
) -> Iterator[str]:
    our_class = cst.ensure_type(our.node, cst.ClassDef)
    their_class = cst.ensure_type(their.node, cst.ClassDef)
    name = prefix + our_class.name.value
    ours = pristine.layout.statements_of(our_class)
    theirs = agent.layout.statements_of(their_class)
    if not ours or not theirs:
        yield f"changed class {name} (line {their.line})"
        return
    if _header(pristine, our_class) != _header(agent, their_class):
        yield f"changed header of class {name} (line {their.line})"
    pairs = _pair(pristine, ours, agent, theirs)
    for index, statement in enumerate(theirs):
        if (partner := pairs.get(index)) is not None:
            yield from _changed(pristine, ours[partner], agent, statement, f"{name}.")
        else:
            yield f"new {_describe(agent.layout, statement, name + '.')}"
    for statement in _removed(pristine, ours, pairs):
        yield f"removed {_describe(pristine.layout, statement, name + '.')}"


def _header(version: Version, node: cst.ClassDef) -> str:
    """Decorators, name and bases of a class, white space evened out."""
    decorators = [version.layout.span(decorator) for decorator in node.decorators]
    start, _ = [*decorators, version.layout.span(node)][0]
    end, _ = version.layout.span(cst.ensure_type(node.body, cst.IndentedBlock).header)
    return " ".join(version.layout.text[start:end].split())


def _describe(layout: Layout, statement: Statement, prefix: str) -> str:
    node = statement.node
    if isinstance(node, cst.FunctionDef):
        kind = "method" if prefix else "function"
        return f"{kind} {prefix}{node.name.value} (line {statement.line})"
    if isinstance(node, cst.ClassDef):
        return f"class {prefix}{node.name.value} (line {statement.line})"
    where = f"in class {prefix[:-1]}" if prefix else "at module level"
    text = snippet(layout.text[statement.start : statement.end])
    return f"statement {where} (line {statement.line}): {text}"
