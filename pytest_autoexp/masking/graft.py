"""Put an agent's function bodies into the pristine masked file, and nothing else.

What counts of an agent's file is the bodies of the masked functions, found by name (see
:mod:`pytest_autoexp.masking.locate`), and what :mod:`pytest_autoexp.masking.additions` lets it
add at module level.  All else is dropped, and each thing dropped is told in a line.  The result
is parsed again: outside the grafted bodies and the accepted additions it must consist of the
pristine statements, to libcst and to the running Python, or all functions of the file stay
masked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import libcst as cst

from pytest_autoexp.masking.additions import snippet
from pytest_autoexp.masking.bindings import small_statements
from pytest_autoexp.masking.changes import Addition, compare
from pytest_autoexp.masking.elsewhere import UnparseableError, elsewhere
from pytest_autoexp.masking.index import ast_functions, parse_ast
from pytest_autoexp.masking.layout import Function, Layout, lenient
from pytest_autoexp.masking.locate import Place, locate, places
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
from pytest_autoexp.masking.versions import Version

_COMMENT = re.compile(r"[ \t\f]*#")


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
    with lenient():
        return _graft(masked, agent, names)


def graft_elsewhere(masked: bytes, agent: bytes | None, names: Sequence[str]) -> Grafted:
    """As :func:`graft`, of a file that nobody has looked at: in another process.

    What brings that process down is dropped whole.

    Raises:
        MaskingError: As of :func:`graft`.
        InfrastructureError: If something else ended that process.
    """
    if agent is None or agent == masked:
        return graft(masked, agent, names)
    try:
        return elsewhere(graft, masked, agent, names)
    except UnparseableError as error:
        return Grafted(masked, (f"the file {error}; {', '.join(names)} stays masked",))


def _graft(masked: bytes, agent: bytes | None, names: Sequence[str]) -> Grafted:
    file = decode(masked)
    ours = Layout(file.text)
    wanted = places(ours, names)
    if agent == masked:
        return Grafted(masked, ())
    our = Version(ours, locate(ours, wanted, ours))
    try:
        if agent is None:
            raise MaskingError("is missing")
        text = decode(agent).text
        check_parseable(text, file.text)
        changes = _changes(our, wanted, Layout(text))
    except MaskingError as error:
        listed = ", ".join(qualified for qualified, _ in wanted)
        return Grafted(masked, (f"the file {error}; {listed} stays masked",))
    source, refused = _Target(file, our).apply(changes.bodies, changes.additions)
    return Grafted(source, (*changes.dropped, *refused))


@dataclass(frozen=True)
class _Changes:
    """What an agent changed in a file.

    Attributes:
        bodies: Those of the masked functions, by how the function is told of.
        additions: What may be added at module level.
        dropped: A line for each change beyond that.
    """

    bodies: Mapping[str, Edit]
    additions: Sequence[Addition]
    dropped: tuple[str, ...]


def _changes(our: Version, wanted: Sequence[Place], theirs: Layout) -> _Changes:
    """What an agent changed.

    Raises:
        MaskingError: If it cannot be told where something stands in its file.
    """
    their = Version(theirs, locate(theirs, wanted, our.layout))
    found = compare(our, their)
    dropped = list(found.dropped)
    bodies: dict[str, Edit] = {}
    for place, masked_one in our.masked.functions.items():
        if function := their.masked.functions.get(place):
            where = f"{masked_one.name.name} (line {function.line})"
            bodies[where] = body_edit(our.layout, masked_one, theirs, function)
        else:
            dropped.append(f"function {masked_one.name.name} is missing; it stays masked")
    return _Changes(bodies, found.additions, tuple(dropped))


@dataclass(frozen=True)
class _Target:
    """The pristine file, to which changes are applied.

    Attributes:
        file: The masked file.
        version: The same, parsed, with its masked functions.
    """

    file: Source
    version: Version

    @property
    def layout(self) -> Layout:
        """The parsed file."""
        return self.version.layout

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
            located = locate(result, tuple(self.version.masked.functions), self.layout)
            changed = Version(result, located)
            outlines = [changed.outline(statement) for statement in result.statements]
            return outlines == self._expected(additions) and _python_agrees(result)
        except MaskingError:
            return False

    def _insertion(self, addition: Addition) -> Edit:
        statements = self.layout.statements
        if addition.after >= 0:
            end = statements[addition.after].end
            return Edit(end, end, self.layout.newline_at(end) + addition.code)
        start = self.layout.line_start(statements[0].start) if statements else 0
        return Edit(start, start, addition.code + self.layout.newline_at(start))

    def _expected(self, additions: Sequence[Addition]) -> list[str]:
        """Outlines of the statements that the changed file must consist of."""
        expected = []
        for index, statement in enumerate((None, *self.layout.statements), start=-1):
            if statement:
                expected.append(self.version.outline(statement))
            expected += (" ".join(a.code.split()) for a in additions if a.after == index)
        return expected


def body_edit(ours: Layout, our: Function, theirs: Layout, their: Function) -> Edit:
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
