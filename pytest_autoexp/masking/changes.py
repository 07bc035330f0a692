"""How an agent's version of a file differs from the pristine one, statement by statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from pytest_autoexp.masking.additions import FUTURE_IMPORT, judge, snippet
from pytest_autoexp.masking.bindings import bound_names, small_statements
from pytest_autoexp.masking.layout import Layout, Statement
from pytest_autoexp.masking.pristine import Pristine
from pytest_autoexp.masking.versions import Version, pair, same, same_header


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
class Compared:
    """What an agent changed outside the masked bodies.

    Attributes:
        additions: What counts of it, in the order of the agent's file; a ``__future__`` import
            first.
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
    pairs = pair(pristine, ours, agent, theirs)
    known = Pristine(pristine.layout)
    after = known.top
    additions: list[Addition] = []
    dropped = list(_earlier(agent))
    for index, statement in enumerate(theirs):
        if (partner := pairs.get(index)) is not None:
            after = max(after, partner)  # never before what it follows in the agent's file
            dropped += _changed(pristine, ours[partner], agent, statement, "")
        elif not agent.is_earlier(statement):
            judged = judge(statement, agent.layout, known)
            additions += (Addition(after, code) for code in judged.code if code != FUTURE_IMPORT)
            if FUTURE_IMPORT in judged.code:
                additions.insert(0, Addition(known.top, FUTURE_IMPORT))
            dropped += judged.dropped
    removed = _removed(pristine, ours, pairs)
    bound = {name for statement in theirs for name in _names(statement)} if removed else set()
    for statement in removed:
        names = _names(statement)
        if not names or not names <= bound:
            dropped.append(f"removed {_describe(pristine.layout, statement, '')}")
    return Compared(tuple(additions), tuple(dropped))


def _earlier(agent: Version) -> Iterator[str]:
    """A line for each masked function that the agent's file defines several times."""
    lines: dict[str, list[str]] = defaultdict(list)
    for function in agent.masked.earlier:
        lines[function.name.qualified].append(str(function.line))
    for name, at in lines.items():
        listed = ", ".join(at[:5]) + (", ..." if len(at) > 5 else "")
        yield f"earlier definition of {name} (line {listed})"


def _removed(
    pristine: Version, ours: Sequence[Statement], pairs: dict[int, int]
) -> list[Statement]:
    """Our statements that the agent's file lacks; that of masked functions is told elsewhere."""
    used = set(pairs.values())
    told = {function.start for function in pristine.masked.functions.values()}
    return [s for index, s in enumerate(ours) if index not in used and s.start not in told]


def _names(statement: Statement) -> set[str]:
    return {name for part in small_statements(statement) for name in bound_names(part)}


def _changed(
    pristine: Version, our: Statement, agent: Version, their: Statement, prefix: str
) -> Iterator[str]:
    """Lines on the difference of two statements that belong together."""
    if same(pristine, our, agent, their):
        return
    line = f"(line {their.line})"
    if isinstance(our.node, cst.FunctionDef):
        masked = pristine.place(our) is not None
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
    if not same_header(pristine, our, agent, their):
        yield f"changed header of class {name} (line {their.line})"
    pairs = pair(pristine, ours, agent, theirs)
    for index, statement in enumerate(theirs):
        if (partner := pairs.get(index)) is not None:
            yield from _changed(pristine, ours[partner], agent, statement, f"{name}.")
        elif not agent.is_earlier(statement):
            yield f"new {_describe(agent.layout, statement, name + '.')}"
    for statement in _removed(pristine, ours, pairs):
        yield f"removed {_describe(pristine.layout, statement, name + '.')}"


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
