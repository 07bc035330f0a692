"""What an agent may add at module level: imports, functions, classes and constants.

An addition counts if it rebinds no name that the pristine file knows: none of the names
that it binds is bound at module level there (in any way, ``global`` and ``:=`` included), is
looked up from module level by any code there outside the masked bodies (so neither builtins
that it uses nor names of a star import can be replaced), is a builtin, or is a dunder such
as ``__getattr__``.  The names that an addition binds are those that it states, every name
that it declares ``global`` and every target of ``:=`` in it.

This is a rule on names, not on effects.  What is added runs in the verify sandbox like the
grafted bodies, and like them it could call ``setattr`` or ``globals().update`` on anything;
nothing there knows the numbers that are expected.
"""

from __future__ import annotations

import builtins
import symtable
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import libcst as cst
from libcst import matchers

from pytest_autoexp.masking.layout import Layout, Statement

_BUILTINS = frozenset(dir(builtins))

Alias = tuple[str, str, str]
"""Module of a ``from`` import or an empty string, imported name, name behind ``as``."""


class Pristine:
    """What a pristine file knows by name; found out when it is asked."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that the file binds at module level or looks up from there."""
        return _known_names(self._layout)

    @cached_property
    def aliases(self) -> frozenset[Alias]:
        """Every import that is a statement of the module."""
        return frozenset(
            alias
            for part in self._parts()
            if isinstance(part, cst.Import | cst.ImportFrom)
            for alias in _aliases(part)
        )

    @cached_property
    def roots(self) -> frozenset[str]:
        """Names to which ``import name`` or ``import name.submodule`` alone binds something.

        Another ``import name.other`` leaves them as they are.
        """
        plain = {_bound(alias) for alias in self.aliases if _is_plain(alias)}
        others = {_bound(alias) for alias in self.aliases if not _is_plain(alias)}
        for part in self._parts():
            if not isinstance(part, cst.Import):
                others |= _stated_names(part)
        return frozenset(plain - others)

    def _parts(self) -> Iterator[cst.CSTNode]:
        for statement in self._layout.statements:
            yield from small_statements(statement)

    def redefined(self, names: Iterable[str]) -> list[str]:
        """Those of some names that an addition may not bind."""
        return sorted(
            name
            for name in set(names)
            if name in self.names
            or name in _BUILTINS
            or (name.startswith("__") and name.endswith("__"))
        )


@dataclass(frozen=True)
class Judged:
    """What becomes of statements that the agent added at module level.

    Attributes:
        code: Statements to insert, in their order.
        dropped: A line for each that is not inserted.
    """

    code: tuple[str, ...]
    dropped: tuple[str, ...]


def judge(statement: Statement, layout: Layout, pristine: Pristine) -> Judged:
    """Decide on one top-level statement of the agent's file that the pristine file lacks.

    Args:
        statement: The statement.
        layout: The agent's file.
        pristine: What the pristine file knows.

    Returns:
        What to insert, and what is dropped and why.
    """
    code: list[str] = []
    dropped: list[str] = []
    for part in small_statements(statement):
        at = f"(line {layout.line(part)})"
        text = _text(part, statement, layout)
        if isinstance(part, cst.Import | cst.ImportFrom) and _is_importable(part):
            kept = [a for a in _aliases(part) if a not in pristine.aliases]
            bad = pristine.redefined(
                _bound(a) for a in kept if not (_is_plain(a) and _bound(a) in pristine.roots)
            )
            code += [_import(a) for a in kept if _bound(a) not in bad]
        elif _is_definition(part) or _is_constant(part):
            bad = pristine.redefined(bound_names(part))
            code += [] if bad else [text]
        else:
            bad = []
            dropped.append(f"statement at module level {at}: {snippet(text)}")
        if bad:
            dropped.append(f"redefines {', '.join(bad)} {at}")
    return Judged(tuple(code), tuple(dropped))


def small_statements(statement: Statement) -> tuple[cst.CSTNode, ...]:
    """The simple statements of a line, or the compound statement itself."""
    node = statement.node
    return tuple(node.body) if isinstance(node, cst.SimpleStatementLine) else (node,)


def bound_names(node: cst.CSTNode) -> set[str]:
    """Names that a statement may bind at module level; a superset in nested scopes."""
    names = _stated_names(node)
    for inner in matchers.findall(node, matchers.NamedExpr() | matchers.NameItem()):
        if isinstance(inner, cst.NamedExpr):
            names |= set(_target_names(inner.target))
        elif isinstance(inner, cst.NameItem):
            names.add(_name(inner.name))
    return names


def snippet(text: str) -> str:
    """The beginning of some code on one line, without control characters."""
    line = " ".join(text.split())
    line = line if len(line) <= 60 else line[:57] + "..."
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


def _stated_names(node: cst.CSTNode) -> set[str]:
    """Names that an import, a definition or an assignment binds."""
    if isinstance(node, cst.Import | cst.ImportFrom):
        return {_bound(alias) for alias in _aliases(node)}
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        return {_name(node.name)}
    if isinstance(node, cst.Assign):
        return {name for target in node.targets for name in _target_names(target.target)}
    if isinstance(node, cst.AnnAssign | cst.AugAssign):
        return set(_target_names(node.target))
    return set()


def _text(part: cst.CSTNode, statement: Statement, layout: Layout) -> str:
    whole = part is statement.node
    start, end = (statement.start, statement.end) if whole else layout.span(part)
    return layout.text[start:end]


def _is_importable(node: cst.Import | cst.ImportFrom) -> bool:
    if isinstance(node, cst.Import):
        return True
    future = _module(node) == "__future__"
    return not future and not isinstance(node.names, cst.ImportStar)


def _is_definition(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.FunctionDef | cst.ClassDef)


def _is_constant(node: cst.CSTNode) -> bool:
    """True for ``NAME = ...``, ``A = B = ...``, ``A, B = ...`` and ``NAME: T = ...``."""
    if isinstance(node, cst.AnnAssign):
        return node.value is not None and isinstance(node.target, cst.Name)
    if not isinstance(node, cst.Assign):
        return False
    for target in node.targets:
        match target.target:
            case cst.Name():
                continue
            case cst.Tuple(elements) if all(isinstance(e.value, cst.Name) for e in elements):
                continue
            case _:
                return False
    return True


def _target_names(target: cst.BaseExpression) -> Iterator[str]:
    """Names in an assignment target, those of its subscripts and attributes included."""
    for found in matchers.findall(target, matchers.Name()):
        if isinstance(found, cst.Name):
            yield _name(found)


def _name(node: cst.Name) -> str:
    """An identifier as Python compares it."""
    return unicodedata.normalize("NFKC", node.value)


def _dotted(node: cst.BaseExpression | None) -> str:
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(_name(node.attr))
        node = node.value
    if isinstance(node, cst.Name):
        parts.append(_name(node))
    return ".".join(reversed(parts))


def _module(node: cst.ImportFrom) -> str:
    return "." * len(node.relative) + _dotted(node.module)


def _aliases(node: cst.Import | cst.ImportFrom) -> list[Alias]:
    """The parts of an import; none for a star."""
    module = _module(node) if isinstance(node, cst.ImportFrom) else ""
    if isinstance(node.names, cst.ImportStar):
        return []
    return [
        (module, _dotted(alias.name), _dotted(alias.asname.name) if alias.asname else "")
        for alias in node.names
    ]


def _bound(alias: Alias) -> str:
    _, name, asname = alias
    return asname or name.partition(".")[0]


def _is_plain(alias: Alias) -> bool:
    module, _, asname = alias
    return not module and not asname


def _import(alias: Alias) -> str:
    module, name, asname = alias
    behind = f" as {asname}" if asname else ""
    return f"from {module} import {name}{behind}" if module else f"import {name}{behind}"


def _known_names(layout: Layout) -> frozenset[str]:
    """Names that a file binds at module level or looks up from there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = symtable.symtable(layout.text, "masked file", "exec")
        except SyntaxError:  # newer syntax than the running Python's: every name counts
            found = matchers.findall(layout.module, matchers.Name())
            return frozenset(_name(node) for node in found if isinstance(node, cst.Name))
    names = set(table.get_identifiers())
    stack = list(table.get_children())
    while stack:
        table = stack.pop()
        names |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            # What a class body looks up may come from module level although it binds it too.
            if symbol.is_global() or (table.get_type() == "class" and symbol.is_referenced())
        }
        stack += table.get_children()
    return frozenset(names)
