"""What a pristine file knows by name, and where its top is."""

from __future__ import annotations

import builtins
import symtable
import warnings
from collections.abc import Iterable, Iterator
from functools import cached_property

import libcst as cst
from libcst import matchers

from pytest_autoexp.masking.bindings import (
    Alias,
    aliases,
    bound,
    identifier,
    imported_module,
    is_plain,
    small_statements,
    stated_names,
)
from pytest_autoexp.masking.layout import Layout

_BUILTINS = frozenset(dir(builtins))


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
            for alias in aliases(part)
        )

    @cached_property
    def roots(self) -> frozenset[str]:
        """Names to which ``import name`` or ``import name.submodule`` alone binds something.

        Another ``import name.other`` leaves them as they are.
        """
        plain = {bound(alias) for alias in self.aliases if is_plain(alias)}
        others = {bound(alias) for alias in self.aliases if not is_plain(alias)}
        for part in self._parts():
            if not isinstance(part, cst.Import):
                others |= stated_names(part)
        return frozenset(plain - others)

    @cached_property
    def top(self) -> int:
        """Index of the last of the docstring and the ``__future__`` imports; -1 without any."""
        last = -1
        for index, statement in enumerate(self._layout.statements):
            if not _is_at_top(small_statements(statement)[0], index):
                break
            last = index
        return last

    @cached_property
    def takes_future(self) -> bool:
        """True if a ``__future__`` import may stand behind the statement at :attr:`top`."""
        lines = enumerate(self._layout.statements[: self.top + 1])
        return all(_is_at_top(part, index) for index, s in lines for part in small_statements(s))

    def redefined(self, names: Iterable[str]) -> list[str]:
        """Those of some names that an addition may not bind."""
        return sorted(
            name
            for name in set(names)
            if name in self.names
            or name in _BUILTINS
            or (name.startswith("__") and name.endswith("__"))
        )

    def _parts(self) -> Iterator[cst.CSTNode]:
        for statement in self._layout.statements:
            yield from small_statements(statement)


def _is_at_top(part: cst.CSTNode, index: int) -> bool:
    """True for a ``__future__`` import, and for a docstring if it is the first statement."""
    if isinstance(part, cst.Expr):
        return index == 0 and isinstance(part.value, cst.SimpleString | cst.ConcatenatedString)
    return isinstance(part, cst.ImportFrom) and imported_module(part) == "__future__"


def _known_names(layout: Layout) -> frozenset[str]:
    """Names that a file binds at module level or looks up from there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = symtable.symtable(layout.text, "masked file", "exec")
        except SyntaxError:  # newer syntax than the running Python's: every name counts
            found = matchers.findall(layout.module, matchers.Name())
            return frozenset(identifier(node) for node in found if isinstance(node, cst.Name))
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
