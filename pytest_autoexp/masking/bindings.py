"""Which names the statements of a module bind, and how."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import libcst as cst
from libcst import matchers

from pytest_autoexp.masking.layout import Statement

Alias = tuple[str, str, str]
"""Module of a ``from`` import or an empty string, imported name, name behind ``as``."""


def small_statements(statement: Statement) -> tuple[cst.CSTNode, ...]:
    """The simple statements of a line, or the compound statement itself."""
    node = statement.node
    return tuple(node.body) if isinstance(node, cst.SimpleStatementLine) else (node,)


def suite(block: cst.BaseSuite) -> tuple[cst.CSTNode, ...]:
    """The statements below the header of a block, the simple ones of a line one by one."""
    if isinstance(block, cst.SimpleStatementSuite):
        return tuple(block.body)
    parts: list[cst.CSTNode] = []
    for node in block.body:
        parts += node.body if isinstance(node, cst.SimpleStatementLine) else [node]
    return tuple(parts)


def bound_names(node: cst.CSTNode) -> set[str]:
    """Names that a statement may bind at module level.

    These are those that it states, what it declares ``global`` anywhere, and targets of ``:=``
    outside the bodies of functions, lambdas and classes: in comprehensions, default arguments,
    decorators, annotations and bases, too.
    """
    inner = _Inner()
    node.visit(inner)
    return stated_names(node) | inner.names


def stated_names(node: cst.CSTNode) -> set[str]:
    """Names that an import, a definition or an assignment binds, or those below ``if``, ``try``."""
    if isinstance(node, cst.Import | cst.ImportFrom):
        return {bound(alias) for alias in aliases(node)}
    if isinstance(node, cst.FunctionDef | cst.ClassDef | cst.TypeAlias):
        return {identifier(node.name)}
    if isinstance(node, cst.Assign):
        return {name for target in node.targets for name in _target_names(target.target)}
    if isinstance(node, cst.AnnAssign | cst.AugAssign):
        return set(_target_names(node.target))
    if isinstance(node, cst.If):
        return {name for part in suite(node.body) for name in stated_names(part)}
    if isinstance(node, cst.Try):
        suites = [node.body, *(handler.body for handler in node.handlers)]
        names = {name for block in suites for part in suite(block) for name in stated_names(part)}
        caught = [_target_names(h.name.name) for h in node.handlers if h.name]
        return names.union(*caught)
    return set()


def aliases(node: cst.Import | cst.ImportFrom) -> list[Alias]:
    """The parts of an import; none for a star."""
    module = imported_module(node) if isinstance(node, cst.ImportFrom) else ""
    if isinstance(node.names, cst.ImportStar):
        return []
    return [
        (module, _dotted(alias.name), _dotted(alias.asname.name) if alias.asname else "")
        for alias in node.names
    ]


def bound(alias: Alias) -> str:
    """The name that a part of an import binds."""
    _, name, asname = alias
    return asname or name.partition(".")[0]


def is_plain(alias: Alias) -> bool:
    """True for ``import a`` and ``import a.b``."""
    module, _, asname = alias
    return not module and not asname


def import_text(alias: Alias) -> str:
    """The statement that imports one thing."""
    module, name, asname = alias
    behind = f" as {asname}" if asname else ""
    return f"from {module} import {name}{behind}" if module else f"import {name}{behind}"


def identifier(node: cst.Name) -> str:
    """An identifier as Python compares it."""
    return unicodedata.normalize("NFKC", node.value)


def imported_module(node: cst.ImportFrom) -> str:
    """Module of a ``from`` import, with its leading dots."""
    return "." * len(node.relative) + _dotted(node.module)


class _Inner(cst.CSTVisitor):
    """Collects what is bound at module level inside of a statement."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self._scopes = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.NamedExpr) and not self._scopes:
            self.names |= set(_target_names(node.target))
        elif isinstance(node, cst.Global):
            self.names |= {identifier(item.name) for item in node.names}
        return True

    def on_visit_attribute(self, node: cst.CSTNode, attribute: str) -> None:
        self._scopes += _is_scope(node, attribute)

    def on_leave_attribute(self, original_node: cst.CSTNode, attribute: str) -> None:
        self._scopes -= _is_scope(original_node, attribute)


def _is_scope(node: cst.CSTNode, attribute: str) -> bool:
    """True for what binds names of its own: the body of a function, a lambda or a class."""
    return attribute == "body" and isinstance(node, cst.FunctionDef | cst.Lambda | cst.ClassDef)


def _dotted(node: cst.BaseExpression | None) -> str:
    """``a.b.c`` of names and attributes; empty or incomplete for anything else."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(identifier(node.attr))
        node = node.value
    if isinstance(node, cst.Name):
        parts.append(identifier(node))
    return ".".join(reversed(parts))


def _target_names(target: cst.BaseExpression) -> Iterator[str]:
    """Names in an assignment target, those of its subscripts and attributes included."""
    for found in matchers.findall(target, matchers.Name()):
        if isinstance(found, cst.Name):
            yield identifier(found)
