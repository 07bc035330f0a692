"""What an agent may add at module level: imports, functions, classes, constants, type aliases.

An addition counts if it rebinds no name that the pristine file knows: none of the names
that it binds is bound at module level there (in any way, ``global`` and ``:=`` included), is
looked up from module level by any code there outside the masked bodies (so neither builtins
that it uses nor names of a star import can be replaced), is a builtin, or is a dunder such
as ``__getattr__``.  What an addition binds, :func:`~pytest_autoexp.masking.bindings.bound_names`
says.

Two blocks count as a whole, by the same rule: ``if TYPE_CHECKING:`` with imports, and ``try:``
with ``except ImportError:`` (or ``ModuleNotFoundError``) with imports and constants; neither
with ``else`` or ``finally``.

``from __future__ import annotations`` counts too, since without it the annotations of other
additions may fail.  It turns the annotations of pristine code into strings, as it did where
the agent ran the file: the body of no function changes, only what reads annotations can notice.

This is a rule on names, not on effects.  What is added runs in the verify sandbox like the
grafted bodies, and like them it could call ``setattr`` or ``globals().update`` on anything;
nothing there knows the numbers that are expected.
"""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst
from libcst import matchers

from pytest_autoexp.masking.bindings import (
    Alias,
    aliases,
    bound,
    bound_names,
    import_text,
    imported_module,
    is_plain,
    small_statements,
    suite,
)
from pytest_autoexp.masking.layout import Layout, Statement
from pytest_autoexp.masking.pristine import Pristine

_ANNOTATIONS: Alias = ("__future__", "annotations", "")
FUTURE_IMPORT = import_text(_ANNOTATIONS)
"""The addition that has to stand at the top of the file."""

_TYPE_CHECKING = matchers.Name("TYPE_CHECKING") | matchers.Attribute(
    matchers.Name("typing"), matchers.Name("TYPE_CHECKING")
)
_MISSING_MODULE = {"ImportError", "ModuleNotFoundError"}


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
        counts, bad = True, list[str]()
        if isinstance(part, cst.Import | cst.ImportFrom):
            new = [a for a in aliases(part) if a not in pristine.aliases]
            kept = [a for a in new if _is_importable(a, pristine)]
            counts = kept == new and not isinstance(part.names, cst.ImportStar)
            bad = pristine.redefined(
                bound(a) for a in kept if not (is_plain(a) and bound(a) in pristine.roots)
            )
            code += [import_text(a) for a in kept if bound(a) not in bad]
        elif counts := _is_definition(part) or _is_constant(part) or _is_guarded(part):
            bad = pristine.redefined(bound_names(part))
            code += [] if bad else [text]
        if not counts:
            dropped.append(f"statement at module level {at}: {snippet(text)}")
        if bad:
            dropped.append(f"redefines {', '.join(bad)} {at}")
    return Judged(tuple(code), tuple(dropped))


def snippet(text: str) -> str:
    """The beginning of some code on one line, without control characters."""
    line = " ".join(text.split())
    line = line if len(line) <= 60 else line[:57] + "..."
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


def _text(part: cst.CSTNode, statement: Statement, layout: Layout) -> str:
    whole = part is statement.node
    start, end = (statement.start, statement.end) if whole else layout.span(part)
    return layout.text[start:end]


def _is_importable(alias: Alias, pristine: Pristine) -> bool:
    return alias[0] != "__future__" or (alias == _ANNOTATIONS and pristine.takes_future)


def _is_definition(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.FunctionDef | cst.ClassDef)


def _is_constant(node: cst.CSTNode) -> bool:
    """True for ``A = ...``, ``A = B = ...``, ``A, B = ...``, ``A: T = ...``, ``type A = ...``."""
    if isinstance(node, cst.TypeAlias):
        return True
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


def _is_guarded(node: cst.CSTNode) -> bool:
    """True for the two blocks that count: ``if TYPE_CHECKING:`` and ``try:`` with imports."""
    if isinstance(node, cst.If):
        is_checking = matchers.matches(node.test, _TYPE_CHECKING) and node.orelse is None
        return is_checking and all(map(_is_plain_import, suite(node.body)))
    if not isinstance(node, cst.Try) or node.orelse or node.finalbody:
        return False
    parts = [*suite(node.body), *(p for handler in node.handlers for p in suite(handler.body))]
    return all(map(_is_for_missing_modules, node.handlers)) and all(
        _is_plain_import(part) or _is_constant(part) for part in parts
    )


def _is_for_missing_modules(handler: cst.ExceptHandler) -> bool:
    caught = handler.type
    types = [e.value for e in caught.elements] if isinstance(caught, cst.Tuple) else [caught]
    return all(isinstance(t, cst.Name) and t.value in _MISSING_MODULE for t in types)


def _is_plain_import(node: cst.CSTNode) -> bool:
    """True for an import that may stand in a block, and for ``pass``."""
    if isinstance(node, cst.ImportFrom):
        return imported_module(node) != "__future__" and not isinstance(node.names, cst.ImportStar)
    return isinstance(node, cst.Import | cst.Pass)
