"""Versions of a file in which one function does nothing of use, or says that it is called.

Like a masked file, a version differs from the original in the places that are named here, and
nowhere else.  What it needs at run time is put into it as one line below the docstring and the
``__future__`` imports, under one name that the file does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import libcst as cst
from libcst import matchers

from pytest_autoexp.masking.bindings import imported_module
from pytest_autoexp.masking.index import resolve
from pytest_autoexp.masking.layout import Function, Layout, lenient
from pytest_autoexp.masking.source import Edit, Source, decode, encode, splice

CALLS_VARIABLE = "AUTOEXP_CALLS"
"""Environment variable that names the file in which a traced version notes its calls."""

Kind = Literal["zeros", "input", "skipped"]

_INSIDE = Path(__file__).with_name("inside")
_OWN_NAMES = {"self", "cls"}
_NESTED = matchers.FunctionDef() | matchers.ClassDef() | matchers.Lambda()


@dataclass(frozen=True)
class Variant:
    """A version in which one function does nothing of use.

    Attributes:
        kind: ``zeros`` (its body runs, what it gives becomes the same structure of zeros),
            ``input`` (it returns its first argument that is no text) or ``skipped`` (its body
            does not run; it returns None, or yields nothing).
        source: The file's content.
    """

    kind: Kind
    source: bytes


def variants(source: bytes, name: str) -> tuple[Variant, ...]:
    """The versions of a file in which one function does nothing of use.

    Args:
        source: The file's content.
        name: The function, as :func:`~pytest_autoexp.masking.index.resolve` takes it.

    Returns:
        ``zeros``, ``input`` (unless the function takes nothing) and ``skipped``.

    Raises:
        MaskingError: The file cannot be parsed, or has no such function.
    """
    file = decode(source)
    layout = Layout(file.text)
    function = _find(layout, name)
    tool = _fresh(file.text)
    edits: dict[Kind, list[Edit]] = {
        "zeros": [_helper(layout, tool, "zeros"), _decorator(layout, function, tool)]
    }
    if taken := _arguments(function):
        body = f"return {tool}['first']({', '.join(taken)})"
        edits["input"] = [_helper(layout, tool, "zeros"), _body(layout, function, body)]
    body = "return; yield" if _yields(function) else "return None"
    edits["skipped"] = [_body(layout, function, body)]
    return tuple(Variant(kind, _spliced(file, changes)) for kind, changes in edits.items())


def traced(source: bytes, labels: Mapping[str, str]) -> bytes:
    """A version of a file in which functions note that they are called.

    At its first call in a process, a function appends its label as a line to the file that the
    environment variable :data:`CALLS_VARIABLE` names; later calls cost next to nothing.

    Args:
        source: The file's content.
        labels: What each function notes, by its name as
            :func:`~pytest_autoexp.masking.index.resolve` takes it.

    Raises:
        MaskingError: The file cannot be parsed, or lacks one of the functions.
    """
    file = decode(source)
    layout = Layout(file.text)
    tool = _fresh(file.text)
    edits = [_helper(layout, tool, "calls")]
    for name, label in labels.items():
        text = ascii(label)
        noted = f"{text} in {tool}['seen'] or {tool}['note']({text}, {CALLS_VARIABLE!r})"
        edits.append(_first_statement(layout, _find(layout, name), noted))
    return _spliced(file, edits)


def _find(layout: Layout, name: str) -> Function:
    found = resolve(name, layout.names)
    return next(function for function in layout.functions if function.name == found)


def _spliced(file: Source, edits: Iterable[Edit]) -> bytes:
    return encode(splice(file.text, edits), file.encoding)


def _fresh(text: str) -> str:
    """A name that the file does not hold; classes do not mangle it."""
    name = "_autoexp_"
    while name in text:
        name += "_"
    return name


def _helper(layout: Layout, tool: str, module: str) -> Edit:
    """Insertion of a module of the folder ``inside`` as one line; ``tool`` is its namespace."""
    content = (_INSIDE / f"{module}.py").read_text(encoding="utf-8")
    line = f"{tool} = {{'__name__': {tool!r}}}; exec({content!a}, {tool})"
    head = [s for i, s in enumerate(layout.statements) if _is_head(s.node, i == 0)]
    if head:
        end = head[-1].end
        return Edit(end, end, layout.newline_at(end) + line)
    start = layout.line_start(layout.statements[0].start)
    return Edit(start, start, line + layout.newline_at(start))


def _is_head(node: cst.BaseStatement, is_first: bool) -> bool:
    """True for the docstring of a module and for ``from __future__`` imports."""
    if is_first and _is_docstring(node):
        return True
    return isinstance(node, cst.SimpleStatementLine) and any(
        isinstance(part, cst.ImportFrom) and imported_module(part) == "__future__"
        for part in node.body
    )


def _is_docstring(node: cst.CSTNode) -> bool:
    text = matchers.SimpleString() | matchers.ConcatenatedString()
    return isinstance(node, cst.SimpleStatementLine) and matchers.matches(
        node.body[0], matchers.Expr(value=text)
    )


def _decorator(layout: Layout, function: Function, tool: str) -> Edit:
    """Insertion of the innermost decorator, which sees what the body gives."""
    start, _ = layout.span(function.node)
    start = layout.line_start(start) + len(function.indent)
    returns_value = any(
        isinstance(node, cst.Return)
        and node.value is not None
        and not matchers.matches(node.value, matchers.Name("None"))
        for node in _own_nodes(function)
    )
    in_place = not returns_value and not _yields(function)
    line = f"@{tool}['zeroed']({in_place})"
    return Edit(start, start, line + layout.newline_at(start) + function.indent)


def _body(layout: Layout, function: Function, code: str) -> Edit:
    """Replacement of the body by one line."""
    lead = layout.newline_at(function.colon) if function.on_one_line else ""
    return Edit(function.body, function.end, lead + function.body_indent + code)


def _first_statement(layout: Layout, function: Function, code: str) -> Edit:
    """Insertion of a statement before the body's own ones, below the docstring if it has one."""
    if function.on_one_line:
        start, _ = layout.span(cst.ensure_type(function.node, cst.FunctionDef).body)
        return Edit(start, start, f"{code}; ")
    node = cst.ensure_type(cst.ensure_type(function.node, cst.FunctionDef).body, cst.IndentedBlock)
    first = node.body[0]
    start, end = layout.span(first)
    if _is_docstring(first) and len(cst.ensure_type(first, cst.SimpleStatementLine).body) == 1:
        return Edit(end, end, f"; {code}")
    start = layout.line_start(start)
    return Edit(start, start, function.body_indent + code + layout.newline_at(start))


def _own_nodes(function: Function) -> list[cst.CSTNode]:
    """The nodes of a function's body without those of functions and classes in it."""
    nodes: list[cst.CSTNode] = [cst.ensure_type(function.node, cst.FunctionDef).body]
    with lenient():
        for node in nodes:  # grows meanwhile
            nodes += (child for child in node.children if not matchers.matches(child, _NESTED))
    return nodes


def _yields(function: Function) -> bool:
    return any(isinstance(node, cst.Yield) for node in _own_nodes(function))


def _arguments(function: Function) -> list[str]:
    """Names of the parameters, without that of the object or class that a method belongs to."""
    params = cst.ensure_type(function.node, cst.FunctionDef).params
    starred = [params.star_arg] if isinstance(params.star_arg, cst.Param) else []
    positional = [param.name.value for param in (*params.posonly_params, *params.params)]
    if "." in function.name.qualified and positional and positional[0] in _OWN_NAMES:
        positional = positional[1:]
    return [
        *positional,
        *(f"*{param.name.value}" for param in starred),
        *(param.name.value for param in params.kwonly_params),
    ]
