"""Put an agent's function bodies into the pristine masked file, and nothing else.

What counts of an agent's file is the bodies of the masked functions, found by name, and
what :mod:`pytest_autoexp.masking.additions` lets it add at module level.  All else is
dropped, and each thing dropped is told in a line.  The result is parsed again: outside the
grafted bodies and the accepted additions it must consist of the pristine statements, to
libcst and to the running Python, or all functions of the file stay masked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import libcst as cst
from libcst import matchers

from pytest_autoexp.masking.additions import small_statements, snippet
from pytest_autoexp.masking.changes import Addition, Version, compare
from pytest_autoexp.masking.index import ast_functions, parse_ast
from pytest_autoexp.masking.layout import Function, Layout, deep_recursion
from pytest_autoexp.masking.source import (
    NEWLINE,
    Edit,
    MaskingError,
    Source,
    decode,
    encodable,
    encode,
    splice,
)
from pytest_autoexp.masking.untrusted import check_parseable

_COMMENT = re.compile(r"[ \t\f]*#")

Place = tuple[str, int]
"""Qualified name and occurrence among the functions outside the bodies of masked ones."""


@dataclass(frozen=True)
class Grafted:
    """A file made of pristine code and of an agent's bodies.

    Attributes:
        source: Its content.
        dropped: What the agent changed beyond what counts, a line each.
    """

    source: bytes
    dropped: tuple[str, ...]


def graft(masked: bytes, agent: bytes | None, names: Sequence[str]) -> Grafted:
    """Take the bodies of the masked functions from an agent's version of a file.

    Args:
        masked: The pristine masked file, as :func:`~pytest_autoexp.masking.mask.mask`
            made it.
        agent: The agent's version of it, or None if there is none any more.
        names: Names of the masked functions.  One inside another of them comes with it.

    Returns:
        The grafted file and what was dropped.  A function whose body cannot be used stays
        masked.

    Raises:
        MaskingError: The masked file cannot be parsed or lacks one of the functions.
    """
    with deep_recursion():
        return _graft(masked, agent, names)


def _graft(masked: bytes, agent: bytes | None, names: Sequence[str]) -> Grafted:
    file = decode(masked)
    ours = Layout(file.text)
    places = _places(ours, names)
    if agent == masked:
        return Grafted(masked, ())
    try:
        if agent is None:
            raise MaskingError("is missing")
        text = decode(agent).text
        check_parseable(text, len(masked))
        theirs = Layout(text)
    except MaskingError as error:
        listed = ", ".join(qualified for qualified, _ in places)
        return Grafted(masked, (f"the file {error}; {listed} stays masked",))
    our_functions = _locate(ours, places)
    their_functions = _locate(theirs, places)
    found = compare(
        Version(ours, our_functions.values()), Version(theirs, their_functions.values())
    )
    target = _Target(file, ours, places)
    dropped = list(found.dropped)
    bodies: dict[str, Edit] = {}
    for place, our in our_functions.items():
        if their := their_functions.get(place):
            where = f"{our.name.name} (line {their.line})"
            bodies[where] = _body_edit(ours, our, theirs, their)
        else:
            dropped.append(f"function {our.name.name} is missing; it stays masked")
    source, refused = target.apply(bodies, found.additions)
    return Grafted(source, (*dropped, *refused))


@dataclass(frozen=True)
class _Target:
    """The pristine file, to which changes are applied.

    Attributes:
        file: The masked file.
        layout: The same, parsed.
        places: Where its masked functions are.
    """

    file: Source
    layout: Layout
    places: Sequence[Place]

    def apply(
        self, bodies: Mapping[str, Edit], additions: Sequence[Addition]
    ) -> tuple[bytes, list[str]]:
        """The file with all changes that leave the rest as it is, and what was refused."""
        refused: list[str] = []
        added: list[Addition] = []
        for addition in additions:
            if encodable(addition.code, self.file.encoding):
                added.append(addition)
            else:
                lacks = f"{self.file.encoding} lacks characters of it"
                refused.append(f"addition {snippet(addition.code)}: {lacks}")
        kept: dict[str, Edit] = {}
        for where, body in bodies.items():
            if encodable(body.new, self.file.encoding):
                kept[where] = body
            else:
                lacks = f"{self.file.encoding} lacks characters of its body"
                refused.append(f"{where} stays masked: {lacks}")
        edits = [*kept.values(), *(self._insertion(addition) for addition in added)]
        text = splice(self.layout.text, edits)
        if not self._is_sound(text, added):
            text = self.layout.text
            refused.append("all functions stay masked: with these bodies other code would change")
        return encode(text, self.file.encoding), refused

    def _is_sound(self, text: str, additions: Sequence[Addition]) -> bool:
        """True if a changed text has the pristine statements and the additions, no others."""
        try:
            result = Layout(text)
        except MaskingError:
            return False
        masked = _locate(result, self.places).values()
        outlines = [result.outline(statement, masked) for statement in result.statements]
        return outlines == self._expected(additions) and _python_agrees(result)

    def _insertion(self, addition: Addition) -> Edit:
        statements = self.layout.statements
        if addition.after >= 0:
            end = statements[addition.after].end
            return Edit(end, end, self.layout.newline_at(end) + addition.code)
        start = self.layout.line_start(statements[0].start) if statements else 0
        return Edit(start, start, addition.code + self.layout.newline_at(start))

    def _expected(self, additions: Sequence[Addition]) -> list[str]:
        """Outlines of the statements that the changed file must consist of."""
        masked = _locate(self.layout, self.places).values()
        expected = []
        for index, statement in enumerate((None, *self.layout.statements), start=-1):
            if statement:
                expected.append(self.layout.outline(statement, masked))
            expected += (" ".join(a.code.split()) for a in additions if a.after == index)
        return expected


def _places(masked: Layout, names: Iterable[str]) -> tuple[Place, ...]:
    """Where the named functions are in the masked file, in the order of the file.

    Functions inside other masked ones are gone there, and with them the occurrences of
    twins may have moved; those that are left are known by their emptied bodies.
    """
    asked = [(qualified, int(k or 1)) for qualified, _, k in (n.partition("#") for n in names)]
    present = {(f.name.qualified, f.name.occurrence): f for f in masked.functions}
    places: set[Place] = set()
    for qualified, occurrence in asked:
        if any(qualified.startswith(outer + ".") for outer, _ in asked):
            places |= {p for p, f in present.items() if p[0] == qualified and _is_masked(f)}
        elif (qualified, occurrence) in present:
            places.add((qualified, occurrence))
        else:
            raise MaskingError(f"no function {qualified}#{occurrence} in the masked file")
    return tuple(place for place in present if place in places)


def _is_masked(function: Function) -> bool:
    """True if the body is ``raise NotImplementedError`` behind at most a docstring."""
    *before, last = cst.ensure_type(function.node, cst.FunctionDef).body.body
    emptied = matchers.SimpleStatementLine(
        body=[matchers.Raise(exc=matchers.Name("NotImplementedError"))]
    )
    return len(before) <= 1 and matchers.matches(last, emptied)


def _locate(layout: Layout, places: Iterable[Place]) -> dict[Place, Function]:
    """The functions at some places; what lies inside one of them is not counted."""
    wanted = set(places)
    located: dict[Place, Function] = {}
    seen: Counter[str] = Counter()
    end = 0
    for function in layout.functions:
        if function.start < end:
            continue
        qualified = function.name.qualified
        seen[qualified] += 1
        place = (qualified, seen[qualified])
        if place in wanted:
            located[place] = function
            end = function.end
    return {place: located[place] for place in places if place in located}


def _body_edit(ours: Layout, our: Function, theirs: Layout, their: Function) -> Edit:
    """The edit that puts the agent's body in the place of the masked one."""
    newline = ours.newline_at(our.colon)
    if not their.on_one_line:
        new = _indented(theirs, their, our.body_indent)
        return Edit(our.body, our.end, newline + new if our.on_one_line else new)
    if not ours.text[our.colon : our.body].strip():
        return Edit(our.colon, our.end, theirs.text[their.colon : their.end])
    # A comment behind the header's colon stays, so the body has to go below it.
    start, _ = theirs.span(cst.ensure_type(their.node, cst.FunctionDef).body)
    return Edit(our.body, our.end, our.body_indent + theirs.text[start : their.end])


def _indented(layout: Layout, function: Function, indent: str) -> str:
    """The lines of a body with another indentation; the insides of strings stay."""
    body = layout.text[function.body : function.end]
    old = function.body_indent
    if old == indent:
        return body
    starts = {0, *(newline.end() for newline in NEWLINE.finditer(body))}
    edits = []
    for start in starts - {start - function.body for start in layout.string_lines(function)}:
        if body.startswith(old, start):
            edits.append(Edit(start, start + len(old), indent))
        elif comment := _COMMENT.match(body, start):  # left of the body, perhaps of the def
            edits.append(Edit(start, comment.end() - 1, indent))
    return splice(body, edits)


def _python_agrees(layout: Layout) -> bool:
    """True unless the running Python parses the text and sees other functions or statements."""
    try:
        tree = parse_ast(layout.text)
    except (SyntaxError, ValueError):  # newer syntax than the running Python's
        return True
    lines = {layout.line(part) for s in layout.statements for part in small_statements(s)}
    functions = [(name.qualified, name.line) for name in layout.names]
    return ast_functions(tree) == functions and {node.lineno for node in tree.body} == lines
